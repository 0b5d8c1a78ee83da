//! The county's kit: what its schools begin with, on a stick. A folder each, which a clerk understands, and the program
//! once for all of them.
//!
//! ```text
//! 先读我.txt                               for whoever carries the stick
//! 程序/yanxiu.exe, …                       once for all schools
//! 程序/校验.txt                            BLAKE3 of each
//! 青石小学/先读我.txt                       for its clerk
//! 青石小学/入网邀请.txt                     the county, its addresses and its root ([`crate::enrol::invite`])
//! 青石小学/花名册.xlsx                      its own rows of the county's roster, if there is one
//! 青石小学/入网申请-abcdefgh.txt            what a new computer writes there, and the county reads ([`crate::enrol::batch`])
//! 青石小学/办公室电脑-abcdefgh/入网批复.txt   of each approved device: its answer, and beside it its records and the
//! 青石小学/办公室电脑-abcdefgh/….yx           whole roll, sealed
//! 其他设备/…                               the same of mentors' laptops
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use sync::NodeId;

use crate::directory::{file, write_whole};
use crate::office::{self, Organisation};
use crate::stick::{export, is_of_one_file, safe};
use crate::{Error, Node, bundle, enrol, mail};

/// The folder on a stick that the page makes it in.
pub const FOLDER: &str = "研修入网";
/// Programs, for all schools of a stick.
const PROGRAMS: &str = "程序";
const SUMS: &str = "校验.txt";
const READ_ME: &str = "先读我.txt";
const INVITATION: &str = "入网邀请.txt";
const ROSTER: &str = "花名册.xlsx";
const ANSWER: &str = "入网批复.txt";
const REQUEST: &str = "入网申请";
/// Where devices stand that belong to no school.
const OTHERS: &str = "其他设备";

/// What is to be on a stick.
#[derive(Clone, Debug, Default)]
pub struct Order {
    /// Record ids of the schools; empty: all schools, and the devices that belong to none.
    pub schools: Vec<String>,
    /// This device alone, such as a new computer in the place of a dead one; `schools` says nothing then.
    pub only: Option<NodeId>,
    /// Program files.
    pub programs: Vec<PathBuf>,
    /// A roster as a workbook, by record id of its school.
    pub rosters: BTreeMap<String, Vec<u8>>,
}

/// A folder that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Folder {
    /// The school, or the device, as people call it.
    pub name: String,
    /// Where.
    pub path: PathBuf,
    /// Files that were written into it, not into folders below it.
    pub files: usize,
}

/// What is on the stick now.
#[derive(Debug, Default)]
pub struct Made {
    /// Programs, copied or there already, and read back.
    pub programs: Vec<PathBuf>,
    /// One of each school.
    pub schools: Vec<Folder>,
    /// One of each approved device, below that of its school.
    pub devices: Vec<Folder>,
    /// Schools and devices whose folder could not be written, and why; the others stand.
    pub failed: Vec<(String, Error)>,
}

impl Made {
    /// Notes what became of one folder; a stick that takes no more of anybody ends it all.
    fn note(
        &mut self,
        of: fn(&mut Made) -> &mut Vec<Folder>,
        name: &str,
        done: Result<Folder, Error>,
    ) -> Result<(), Error> {
        match done {
            Ok(folder) => of(self).push(folder),
            Err(error) if is_of_one_file(&error) => self.failed.push((name.to_owned(), error)),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Makes the kit in a folder. What is there already is made anew; nothing of anybody else is touched. A folder that cannot
/// be written is named, and holds up none of the others.
pub fn make(node: &Node, out: &Path, order: &Order) -> Result<Made, Error> {
    if !node.is_county() {
        return Err(Error::NotTheCounty);
    }
    let schools: Vec<Organisation> = office::organisations(node)?
        .into_iter()
        .filter(Organisation::is_school)
        .collect();
    if let Some(unknown) = (order.schools.iter()).find(|id| schools.iter().all(|o| o.id != **id)) {
        return Err(Error::NoSuchSchool(unknown.clone()));
    }
    let mut made = Made {
        programs: programs(out, &order.programs)?,
        ..Made::default()
    };
    let wanted = |id: &String| order.schools.is_empty() || order.schools.contains(id);
    if order.only.is_none() {
        let everybody = "\u{feff}研修入网U盘：每所学校一个文件夹，程序在“程序”里，各校共用。\r\n\r\n\
            怎么用：带到学校，照该校文件夹里的“先读我.txt”做；学校的入网申请会写在它自己的文件夹里。\r\n\
            U盘回到县里后，在“设备”页的“批量入网”里一次批准（或运行 yanxiu enrol approve --all U盘文件夹），批复和起始数据\r\n\
            会写回各校的文件夹。再带到学校，再做一次，就入网了。\r\n\r\n\
            A folder for each school; the programs are shared. See 先读我.txt in the school's folder.\r\n";
        write_whole(&out.join(READ_ME), "part", everybody.as_bytes())?;
        for school in schools.iter().filter(|o| wanted(&o.id)) {
            let done = of_school(node, out, &schools, school, order);
            made.note(|made| &mut made.schools, &school.name, done)?;
        }
    }
    let folders: HashMap<&str, String> = (schools.iter())
        .map(|o| (o.id.as_str(), folder(&schools, o)))
        .collect();
    let mut seen = BTreeSet::new();
    for d in node.devices() {
        let here = match order.only {
            Some(only) => only == d.node,
            None => order.schools.is_empty() || wanted(&d.scope),
        };
        let theirs = !d.revoked && d.node != node.id() && !node.is_county_store(&d.node);
        if here && theirs && seen.insert(d.node) {
            let place = folders.get(d.scope.as_str()).map_or(OTHERS, String::as_str);
            let done = device(node, &out.join(place), &d.node);
            made.note(|made| &mut made.devices, &d.label, done)?;
        }
    }
    Ok(made)
}

/// What the folder of a school is called: its name, and where another school's folder would be called alike also the
/// school's code, or letters of its record.
pub(crate) fn folder(all: &[Organisation], school: &Organisation) -> String {
    let of = |one: &Organisation| safe(&one.name).to_lowercase();
    let name = safe(&school.name);
    if all.iter().filter(|one| of(one) == of(school)).count() < 2 {
        return name;
    }
    let codes = all.iter().filter(|one| one.school_code == school.school_code);
    let own = !school.school_code.is_empty() && codes.count() == 1;
    let mark = if own { &school.school_code } else { &school.id };
    format!("{name}-{}", safe(mark))
}

fn of_school(
    node: &Node,
    out: &Path,
    all: &[Organisation],
    school: &Organisation,
    order: &Order,
) -> Result<Folder, Error> {
    let path = out.join(folder(all, school));
    let invitation = enrol::invite(node, school)?;
    write_whole(&path.join(INVITATION), "part", invitation.as_bytes())?;
    write_whole(
        &path.join(READ_ME),
        "part",
        for_clerk(school, &folder(all, school)).as_bytes(),
    )?;
    let mut files = 2;
    if let Some(roster) = order.rosters.get(&school.id) {
        write_whole(&path.join(ROSTER), "part", roster)?;
        files += 1;
    }
    Ok(Folder {
        name: school.name.clone(),
        path,
        files,
    })
}

/// Writes what an approved device begins with into a folder of its own below `place`: its answer, and its records and the
/// roll, sealed.
pub(crate) fn device(node: &Node, place: &Path, id: &NodeId) -> Result<Folder, Error> {
    // Devices of one school may be called alike: the first letters of the id keep them apart.
    let label = node.device_label(id);
    let path = place.join(format!("{}-{}", safe(&label), id.short()));
    let answer = enrol::answer_for(node, id)?;
    write_whole(&path.join(ANSWER), "part", answer.text.as_bytes())?;
    let mut files = 1;
    let old = fs::read_dir(&path).map_err(file(&path))?;
    for entry in old
        .filter_map(Result::ok)
        .filter(|e| e.path().extension().is_some_and(|x| x == "yx"))
    {
        fs::remove_file(entry.path()).map_err(file(&path))?;
    }
    for item in mail::prepare(node, id, bundle::MAX)? {
        export(node, &path, &item)?;
        files += 1;
    }
    Ok(Folder {
        name: label,
        path,
        files,
    })
}

/// What a new computer finds in the folder of its school.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The text of the invitation.
    pub invitation: Option<String>,
    /// The county's answer for this device, and the folder that it lies in with the sealed records.
    pub answer: Option<(String, PathBuf)>,
}

/// The text of the invitation in a school's folder, for a computer that holds no node yet.
pub fn invitation(folder: &Path) -> Result<Option<String>, Error> {
    text(&folder.join(INVITATION))
}

/// Looks for what a county has left for this device in its school's folder.
pub fn find(node: &Node, folder: &Path) -> Result<Found, Error> {
    let mut answer = None;
    let end = format!("-{}", node.id().short());
    for entry in fs::read_dir(folder).map_err(file(folder))?.filter_map(Result::ok) {
        let path = entry.path();
        if entry.file_name().to_string_lossy().ends_with(&end)
            && let Some(found) = text(&path.join(ANSWER))?
        {
            answer = Some((found, path));
        }
    }
    Ok(Found {
        invitation: invitation(folder)?,
        answer,
    })
}

/// Leaves this device's request in its school's folder; where.
pub fn leave_request(node: &Node, folder: &Path) -> Result<PathBuf, Error> {
    let path = folder.join(format!("{REQUEST}-{}.txt", node.id().short()));
    write_whole(&path, "part", enrol::request_file(node).as_bytes())?;
    Ok(path)
}

/// A short text file; `None` if it is not there.
fn text(path: &Path) -> Result<Option<String>, Error> {
    if !path.is_file() {
        return Ok(None);
    }
    let mut text = String::new();
    let open = fs::File::open(path).map_err(file(path))?;
    open.take(1 << 20).read_to_string(&mut text).map_err(file(path))?;
    Ok(Some(text))
}

/// Copies programs, and reads them back; one that is there already is left as it is.
fn programs(out: &Path, from: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let folder = out.join(PROGRAMS);
    let (mut all, mut sums, mut names) = (Vec::new(), String::new(), BTreeSet::new());
    for program in from {
        let name = program
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        // Windows does not tell large letters from small ones.
        if !names.insert(name.to_lowercase()) {
            return Err(Error::TwoPrograms(name));
        }
        let wanted = sum(program)?;
        let to = folder.join(&name);
        if !to.is_file() || sum(&to)? != wanted {
            fs::create_dir_all(&folder).map_err(file(&folder))?;
            let beside = folder.join(format!("{name}.part"));
            let copied = fs::copy(program, &beside)
                .and_then(|_| fs::File::open(&beside)?.sync_all())
                .map_err(file(&to))
                .and_then(|()| match sum(&beside)? == wanted {
                    true => fs::rename(&beside, &to).map_err(file(&to)),
                    false => Err(Error::NotCopied(to.clone())),
                });
            if copied.is_err() {
                // What is left of it is of no use; that it cannot be removed changes nothing about the error.
                let _ = fs::remove_file(&beside);
            }
            copied?;
        }
        sums += &format!("{wanted}  {name}\r\n");
        all.push(to);
    }
    if !all.is_empty() {
        let text = format!("# BLAKE3\r\n{sums}");
        write_whole(&folder.join(SUMS), "part", text.as_bytes())?;
    }
    Ok(all)
}

/// BLAKE3 of a file.
fn sum(path: &Path) -> Result<blake3::Hash, Error> {
    let open = fs::File::open(path).map_err(file(path))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(open).map_err(file(path))?;
    Ok(hasher.finalize())
}

/// What a clerk does, step by step.
fn for_clerk(school: &Organisation, folder: &str) -> String {
    format!(
        "\u{feff}{name}：研修入网，照着做。\r\n\r\n\
        1. 把U盘里的“程序”文件夹复制到电脑上，例如 D:\\研修。U盘不拔。\r\n\
        2. 打开命令窗口，运行（引号里写本文件夹在U盘上的位置）：\r\n\
        \x20  D:\\研修\\yanxiu enrol join \"E:\\研修入网\\{folder}\"\r\n\
        \x20  屏幕上会出现 25 位核对码，请抄下来；入网申请已写进本文件夹。\r\n\
        3. 有网：运行 D:\\研修\\yanxiu serve，打开网页，在“同步”页等县里批准，核对数字后按“加入”。\r\n\
        \x20  没有网：把U盘交回县里；县里批准后U盘再带回来，再运行一次第2步的命令，核对数字后就加入了，已有的记录也一起收下。\r\n\
        4. 和县里打电话核对：两边的 25 位数字逐位相同才加入。不同就停下，告诉县里。\r\n\
        5. 加入以后运行 yanxiu serve 打开网页；本文件夹里如有“花名册.xlsx”，在“导入”页选它，就有全校教师名单。\r\n\r\n\
        Copy the folder 程序 to this computer and run: yanxiu enrol join FOLDER (this folder). Compare the 25 digits with the\r\n\
        county by telephone. Bring the stick back to the county, and run the same command again when it returns.\r\n",
        name = school.name,
    )
}
