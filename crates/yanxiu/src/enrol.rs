//! `init` and `enrol`: a computer becomes a node, a node becomes a device of the county.

use std::io::IsTerminal;
use std::path::Path;

use node::enrol::{self, Candidate};
use node::office;
use node::{Error, Node, NodeId, Role, held};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use crate::args::{Approve, Enrol, Init};
use crate::{Failure, ask, kit};

pub fn init(data: &Path, init: Init) -> Result<(), Failure> {
    if let Some(county) = init.county {
        let node = Node::init_county(data, county.trim())?;
        println!(
            "已建立 {county} / county founded. 数据目录 data: {}",
            data.display()
        );
        println!("本机 this device: {}", node.id());
        println!(
            "重要：把 {} 里的两个文件移到 U 盘，锁好，不要留在本机。\n\
             Important: move the two key files in that folder to a USB stick and lock it away.",
            data.join("county-root").display()
        );
        println!("下一步 next: yanxiu import 花名册.xlsx ；yanxiu serve --publish 本机地址:4433");
    } else if let Some(name) = init.name {
        let node = Node::init_member(data, name.trim())?;
        println!("已初始化 / ready: {name}. 数据目录 data: {}", data.display());
        show_request(&node);
        println!(
            "下一步 next: yanxiu enrol request --hub 县中心地址:4433 （无网时 / offline: --out 申请.txt）"
        );
    }
    Ok(())
}

fn show_request(node: &Node) {
    let code = enrol::request_code(node);
    println!("入网申请码 request code:\n  {code}");
    if let Ok(qr) = QrCode::new(code.as_bytes()) {
        show_picture(&qr);
    }
}

/// Drawn in light squares, for terminals are dark: as a picture on paper looks.
fn show_picture(qr: &QrCode) {
    let drawn = qr
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build();
    println!("{drawn}");
}

pub fn enrol(data: &Path, command: Enrol) -> Result<(), Failure> {
    if let Enrol::Join { folder, name, digits } = command {
        return kit::join(data, &folder, name, digits);
    }
    let node = Node::open(data)?;
    match command {
        Enrol::Request { hub, out } => {
            if node.county_root().is_none() {
                enrol::forget_candidate(&node)?;
            }
            show_request(&node);
            if let Some(out) = out {
                std::fs::write(&out, enrol::request_file(&node))?;
                println!(
                    "申请已写入 / written to {}；交给县里 / hand it to the county",
                    out.display()
                );
            }
            if let Some(hub) = hub {
                node.add_address(&hub)?;
                println!("已记下县中心 {hub}；yanxiu serve 运行时自动送达 / sent while `yanxiu serve` runs");
            }
            Ok(())
        }
        Enrol::List => {
            for p in enrol::pending(&node)? {
                println!("{}  {}  核对码 digits: {}", p.node.short(), p.label, p.digits);
            }
            Ok(())
        }
        Enrol::Approve(approve) if !approve.all.is_empty() => kit::approve_all(&node, &approve),
        Enrol::Approve(approve) => approve_device(&node, approve),
        Enrol::Join { .. } => Ok(()),
        Enrol::Accept { answer, digits } => {
            let offer = enrol::accept(&node, &text_or_file(&answer)?)?;
            if node.county_root().is_some() {
                if !offer.approved {
                    return Err(Failure::new(
                        "这份批复是给另一台设备的；其中的名册声明已收下，本机没有变化 / this answer is another device's; its statements were kept, nothing changed here",
                    ));
                }
                println!("批复已收下 / answer taken");
                return Ok(());
            }
            confirm(&node, &offer, digits)
        }
        Enrol::Confirm { digits } => {
            let offer = enrol::candidate(&node)?.ok_or_else(|| {
                Failure::new("还没有收到县里的回应；请先运行 yanxiu serve / no county has answered yet")
            })?;
            confirm(&node, &offer, digits)
        }
        Enrol::Held { device } => show_held(&node, &find_device(&node, &device)?),
        Enrol::Revoke { device, yes } => {
            let id = find_device(&node, &device)?;
            let label = node.device_label(&id);
            if !yes
                && !ask(&format!(
                    "撤销 {label} ({})，不能恢复 / revoke for good?",
                    id.short()
                ))?
            {
                return Ok(());
            }
            enrol::revoke(&node, &id)?;
            println!("已撤销 / revoked: {label} ({})", id.short());
            show_held(&node, &id)
        }
    }
}

fn show_held(node: &Node, device: &NodeId) -> Result<(), Failure> {
    println!("设备 device: {} ({})", node.device_label(device), device.short());
    for (zh, en) in held::at_most(node, device)?.lines() {
        println!("{zh} / {en}");
    }
    Ok(())
}

/// Prints what is to be compared.
pub fn show_digits(county: &str, digits: &str) {
    println!("县 county: {county}\n核对码 digits: {digits}");
}

/// Joins the county of an offer once a person has compared the digits.
pub fn confirm(node: &Node, offer: &Candidate, digits: Option<String>) -> Result<(), Failure> {
    show_digits(&offer.name, &offer.digits);
    compared(&offer.digits, digits)?;
    enrol::confirm(node)?;
    println!("已入网 {} / this device has joined", offer.name);
    if !offer.approved {
        println!(
            "县里批准以后自动生效（也许已经批准） / it takes effect once the county has approved, perhaps already"
        );
    }
    Ok(())
}

/// A person has compared the digits with the other side, aloud or on paper.
pub fn compared(ours: &str, typed: Option<String>) -> Result<(), Failure> {
    let plain = |s: &str| {
        let narrow = records::text::half_width(s);
        narrow.chars().filter(char::is_ascii_digit).collect::<String>()
    };
    match typed {
        Some(typed) if plain(&typed) == plain(ours) => Ok(()),
        Some(_) => Err(Failure::new(
            "数字不同：可能有人冒充，也可能抄错。没有做任何改动 / the digits differ: somebody may be impersonating, or a slip; nothing was changed",
        )),
        None if ask("和对方屏幕上的数字逐位相同吗？ / the same digits on the other side's screen?")? => {
            Ok(())
        }
        None => Err(Failure::new(
            "没有确认，没有做任何改动。数字不同就不要继续 / not confirmed, nothing was changed; do not go on if the digits differ",
        )),
    }
}

fn approve_device(node: &Node, a: Approve) -> Result<(), Failure> {
    let root = node.county_root().ok_or(Error::NotTheCounty)?;
    let request = a.request.unwrap_or_default();
    let (device, said) = enrol::find_request(node, &text_or_file(&request)?)?;
    let mut grants = Vec::new();
    if let Some(school) = &a.school {
        grants.push((Role::School, office::find_school(node, school)?));
    }
    if let Some(mentor) = &a.mentor {
        let mentor = mentor.to_ascii_lowercase();
        if mentor.is_empty() || !mentor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(Failure::new(
                "专家代号只用字母、数字和连字符 / a mentor's code: letters, digits, hyphens",
            ));
        }
        for school in &a.schools {
            let school = office::find_school(node, school)?;
            grants.push((Role::Mentor, format!("{mentor}/{school}")));
            grants.push((Role::MentorReader, school));
        }
    }
    if a.county {
        grants.push((Role::County, String::new()));
    }
    if a.auditor {
        grants.push((Role::Auditor, String::new()));
    }
    let label = a.label.or(said).unwrap_or_else(|| device.short());
    let digits = enrol::digits(&root, &device);
    println!(
        "设备 device: {label} ({})\n核对码 digits: {digits}",
        device.short()
    );
    compared(&digits, a.digits)?;
    let answer = match &a.replaces {
        Some(old) => {
            let old = find_device(node, old)?;
            let answer = enrol::replace(node, &device, &label, &old)?;
            println!(
                "已代替 / it takes the place of {} ({})，旧设备已撤销 / which is revoked.\n\
                 它的记录会自动从县里取回；没有网时 / without a network: yanxiu kit --only {} --out U盘文件夹",
                node.device_label(&old),
                old.short(),
                device.short()
            );
            answer
        }
        None => enrol::approve(node, &device, &label, &grants)?,
    };
    println!("已批准 / approved");
    show_answer(&answer.text, a.qr);
    if let Some(out) = a.out {
        std::fs::write(&out, &answer.text)?;
        println!(
            "批复已写入 / answer written to {}；交给学校 / hand it to the school",
            out.display()
        );
    } else {
        println!("有网的设备会自动收到批复；无网时用 --out 写成文件 / it arrives by itself, or use --out");
    }
    Ok(())
}

/// The answer as QR pictures, for a telephone to take along: if they are asked for, or the terminal has room for them.
fn show_answer(answer: &str, asked: bool) {
    let columns = match std::io::stdout().is_terminal() {
        true => terminal_size::terminal_size().map_or(0, |(width, _)| usize::from(width.0)),
        false => 0,
    };
    let parts = enrol::parts(answer);
    let codes: Vec<QrCode> = (parts.iter())
        .filter_map(|part| QrCode::new(part.as_bytes()).ok())
        .collect();
    // Four squares of quiet on both sides.
    let fits = codes.iter().all(|code| code.width() + 8 <= columns);
    if codes.is_empty() || codes.len() < parts.len() {
        if asked {
            println!("批复太长，画不成二维码，请用 --out 写成文件 / too long for QR pictures; use --out");
        }
        return;
    }
    if !asked && !fits {
        return;
    }
    for (n, code) in (1..).zip(&codes) {
        println!("批复二维码 QR of the answer {n}/{}", codes.len());
        show_picture(code);
    }
    println!(
        "用手机逐张扫，得到的文字全部贴到对方的“同步”页 / scan each and paste all texts on the other computer's Sync page"
    );
}

fn find_device(node: &Node, text: &str) -> Result<NodeId, Failure> {
    let wanted = text.trim().to_ascii_lowercase();
    let mut fitting: Vec<NodeId> = node.devices().into_iter().map(|d| d.node).collect();
    fitting.sort();
    fitting.dedup();
    fitting.retain(|id| wanted.len() >= 8 && id.to_string().starts_with(&wanted));
    match fitting.as_slice() {
        [one] => Ok(*one),
        _ => Err(Failure::new(
            "没有这台设备，或代码太短（至少八位） / no such device, or fewer than eight letters",
        )),
    }
}

fn text_or_file(text: &str) -> Result<String, Failure> {
    let path = Path::new(text);
    let looks_like_a_file = path.extension().is_some() || text.contains(std::path::MAIN_SEPARATOR);
    // The text of a file, or what a telephone read from pictures.
    let pasted = text.contains("code:") || text.contains("YXT:");
    if looks_like_a_file && !pasted && !path.is_file() {
        return Err(Failure::new(format!("没有这个文件 / no such file: {text}")));
    }
    if path.is_file() {
        Ok(std::fs::read_to_string(path)?)
    } else {
        Ok(text.to_string())
    }
}
