//! Why peers do not see each other: what was looked at, what that means, and what to do.
//!
//! Looking ([`examine`], `doctor/probe.rs`) and judging ([`judge`]) are apart: a judgement is a pure function of
//! what was seen, so that every fault can be staged in a test.

mod probe;

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::Standing;

pub use probe::{Setting, examine, is_serving};

/// What one dial brought.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Answer {
    /// The expected node.
    Yes,
    /// Nothing came back.
    Silence,
    /// The computer is there, and no program listens (TCP alone tells).
    NotListening,
    /// Another node, by its short id.
    Other(String),
    /// It is at its limit.
    Busy,
    /// Something that does not speak this version of the protocol.
    Foreign(String),
    /// The system knows no way there.
    NoWay(String),
    /// It was not dialled.
    #[default]
    NotTried,
}

impl Answer {
    /// Whether anything at all came back.
    fn is_any(&self) -> bool {
        matches!(
            self,
            Answer::Yes | Answer::NotListening | Answer::Other(_) | Answer::Busy | Answer::Foreign(_)
        )
    }
}

/// An address of the hub, or one that was typed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dialled {
    /// `host:port`.
    pub address: String,
    /// What the name leads to; the words of the system if to nothing.
    pub resolved: Option<Result<SocketAddr, String>>,
    /// Over QUIC.
    pub udp: Answer,
    /// Over TCP.
    pub tcp: Answer,
}

/// A node that announces itself in the local network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Near {
    /// Its name, or the first letters of its id.
    pub label: String,
    /// The tag of its county.
    pub county: Option<String>,
    /// Where.
    pub at: SocketAddr,
    /// Over QUIC.
    pub udp: Answer,
    /// Over TCP.
    pub tcp: Answer,
}

/// The port of this node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Port {
    /// This node answers at it.
    #[default]
    Answers,
    /// The program does not run, and the port is free.
    NotRunning,
    /// Another program has it.
    Taken(String),
    /// The program runs and does not answer at its own port.
    Mute,
}

/// What was heard of neighbours.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Mdns {
    /// Not looked for, by the configuration.
    #[default]
    Off,
    /// The system does not let us listen.
    Failed(String),
    /// Listened; whether our own announcement came back.
    Heard {
        /// Ours was among them.
        own: bool,
    },
}

/// All that was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Observed {
    /// Where this device stands.
    pub standing: Standing,
    /// Whether this is a device of the county office: it dials nobody.
    pub county_office: bool,
    /// Whether its county is one to learn in.
    pub practice: bool,
    /// The tag of its county.
    pub county: Option<String>,
    /// Whether the clock can be right.
    pub clock_plausible: bool,
    /// Devices whose date differs from ours, lately.
    pub clocks_differ: Vec<String>,
    /// Devices with which no common version was found, lately.
    pub versions_differ: Vec<String>,
    /// Address and state of our own port.
    pub listen: SocketAddr,
    /// The state of our own port.
    pub port: Port,
    /// Why no calls over TCP are taken, if so.
    pub no_tcp: Option<String>,
    /// Interfaces with addresses, without loopback.
    pub interfaces: Vec<(String, IpAddr)>,
    /// The hub's and typed addresses.
    pub dialled: Vec<Dialled>,
    /// Neighbours.
    pub near: Vec<Near>,
    /// How they were looked for.
    pub mdns: Mdns,
    /// Bytes free where the data is.
    pub free: Option<u64>,
    /// Problems of the database.
    pub database: Vec<String>,
}

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do.
    Fine,
    /// Works, with a drawback.
    Warning,
    /// Keeps records from travelling, or endangers them.
    Fault,
}

/// How sure the judgement is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Sure {
    /// Nothing else explains what was seen.
    Certain,
    /// Something else is possible and rare.
    Likely,
    /// One of several causes.
    Possible,
}

/// A text in both languages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Both {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// One thing that was found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Stable code.
    pub code: &'static str,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub sure: Sure,
    /// What was tried.
    pub tried: Both,
    /// What that brought, and what it means.
    pub saw: Both,
    /// What to do.
    pub todo: Both,
}

fn both(zh: impl Into<String>, en: impl Into<String>) -> Both {
    Both {
        zh: zh.into(),
        en: en.into(),
    }
}

/// Below this nothing more can be written safely.
const FULL: u64 = 50 << 20;
/// Below this it is time to make room.
const NEARLY_FULL: u64 = 1 << 30;

/// Whether there is anything that keeps records from travelling.
pub fn has_fault(findings: &[Finding]) -> bool {
    findings.iter().any(|f| f.severity == Severity::Fault)
}

/// What is to be said of what was seen, the worst first; one line that all is well if there is nothing.
pub fn judge(seen: &Observed) -> Vec<Finding> {
    let mut found = Vec::new();
    computer(seen, &mut found);
    enrolment(seen, &mut found);
    own_network(seen, &mut found);
    hubs(seen, &mut found);
    neighbours(seen, &mut found);
    if !found.iter().any(|f| f.severity > Severity::Fine) {
        found.push(Finding {
            code: "well",
            severity: Severity::Fine,
            sure: Sure::Likely,
            tried: both(
                "检查了数据库、磁盘、时钟、网卡、端口、县中心地址和局域网邻居",
                "database, disk, clock, interfaces, port, hub addresses and neighbours were looked at",
            ),
            saw: both("都正常", "all is well"),
            todo: both("不需要做什么", "nothing to do"),
        });
    }
    // Stable: within one severity in the order of looking.
    found.sort_by_key(|f| std::cmp::Reverse(f.severity));
    found
}

/// A data directory that cannot even be opened.
pub fn unopened(what: &str) -> Finding {
    damaged(what)
}

fn damaged(what: &str) -> Finding {
    Finding {
        code: "database-damaged",
        severity: Severity::Fault,
        sure: Sure::Certain,
        tried: both(
            "打开并检查本机数据库",
            "the database of this computer was opened and checked",
        ),
        saw: both(
            format!("数据库损坏：{what}"),
            format!("the database is damaged: {what}"),
        ),
        todo: both(
            "先停用本机并复制整个数据目录留底；再用最近的备份恢复，或换一台电脑入网后从县中心、邻校补回",
            "stop using this computer and copy the whole data directory first; then restore the latest backup, or enrol another computer and fill it from hub or neighbours",
        ),
    }
}

fn computer(seen: &Observed, found: &mut Vec<Finding>) {
    if let Some(first) = seen.database.first() {
        found.push(damaged(first));
    }
    if let Some(free) = seen.free.filter(|f| *f < NEARLY_FULL) {
        let (full, mb) = (free < FULL, free >> 20);
        found.push(Finding {
            code: if full { "disk-full" } else { "disk-low" },
            severity: if full { Severity::Fault } else { Severity::Warning },
            sure: Sure::Certain,
            tried: both(
                "查看数据所在磁盘的剩余空间",
                "the free space where the data is was looked up",
            ),
            saw: both(format!("只剩 {mb} MB"), format!("{mb} MB are left")),
            todo: both(
                "清理这个磁盘（回收站、下载、旧视频），或换更大的磁盘；不要删除研修的数据目录",
                "make room on this disk, or get a larger one; do not delete yanxiu's data directory",
            ),
        });
    }
    if !seen.clock_plausible {
        found.push(Finding {
            code: "clock-wrong",
            severity: Severity::Fault,
            sure: Sure::Certain,
            tried: both("比较本机日期与本程序的发布日期", "this computer's date was compared with the program's own"),
            saw: both(
                "本机日期早于本程序的发布，一定不对；同步不受影响，但登记的日期都不可信",
                "the date is before this program was made, so it is wrong; sync goes on, but no date entered here can be relied on",
            ),
            todo: both("校正日期和时间；常常变回去就换主板电池", "set date and time; replace the mainboard's battery if it comes back"),
        });
    }
    if !seen.clocks_differ.is_empty() && seen.clock_plausible {
        let who = seen.clocks_differ.join("、");
        // Several others do not stand wrong by the same amount by chance.
        let ours = seen.clocks_differ.len() > 1;
        found.push(Finding {
            code: "clock-differs",
            severity: Severity::Warning,
            sure: if ours { Sure::Likely } else { Sure::Possible },
            tried: both(
                "比较本机与联系过的设备的日期",
                "dates of this computer and of devices that were met were compared",
            ),
            saw: both(
                format!(
                    "与这些设备相差一天以上：{who}{}",
                    if ours {
                        "；多半是本机不对"
                    } else {
                        "；不知哪一台不对"
                    }
                ),
                format!(
                    "they differ by more than a day from: {who}{}",
                    if ours {
                        "; this one is wrong, most likely"
                    } else {
                        "; either may be wrong"
                    }
                ),
            ),
            todo: both("核对两边的日期和时间", "check date and time of both"),
        });
    }
}

fn enrolment(seen: &Observed, found: &mut Vec<Finding>) {
    let tried = both(
        "查看本机在县名册中的状态",
        "this device was looked up in the county's roll",
    );
    let (code, severity, saw, todo) = match seen.standing {
        Standing::Member => (
            "practice",
            Severity::Warning,
            both(
                "本机属于练习县：与真的县互不相通",
                "this device belongs to a county to learn in: it never meets the real one",
            ),
            both(
                "正式工作请另建数据目录，向真的县申请入网",
                "for real work use another data directory and enrol it in the real county",
            ),
        ),
        Standing::NotEnrolled => (
            "not-enrolled",
            Severity::Fault,
            both(
                "本机还没有入网，别的设备不会与它交换记录",
                "this device is not enrolled; no other one exchanges records with it",
            ),
            both(
                "在“同步”页把申请码报给县里，核对数字后加入",
                "give the request code of the Sync page to the county, compare the digits, and join",
            ),
        ),
        Standing::Waiting => (
            "waiting",
            Severity::Fault,
            both(
                "已核对，县里还没有批准本机",
                "compared, and not approved by the county yet",
            ),
            both(
                "请县级管理员在“设备”页批准本机",
                "ask the county office to approve this device on its Devices page",
            ),
        ),
        Standing::Revoked => (
            "revoked",
            Severity::Fault,
            both(
                "本机已被县里撤销，别的设备不再与它交换",
                "this device was revoked; the others no longer exchange with it",
            ),
            both(
                "联系县教师进修学校；本机没有遗失的话，请重新入网",
                "ask the county centre; if it was not lost, enrol it anew",
            ),
        ),
    };
    if seen.standing != Standing::Member || seen.practice {
        found.push(Finding {
            code,
            severity,
            sure: Sure::Certain,
            tried,
            saw,
            todo,
        });
    }
    if !seen.versions_differ.is_empty() {
        let who = seen.versions_differ.join("、");
        found.push(Finding {
            code: "version",
            severity: Severity::Fault,
            sure: Sure::Certain,
            tried: both("查看最近的往来记录", "recent contacts were looked up"),
            saw: both(
                format!("与这些设备没有共同的协议版本：{who}"),
                format!("no common protocol version with: {who}"),
            ),
            todo: both(
                "升级较旧的一台（通常是本机）",
                "update the older program (usually this one)",
            ),
        });
    }
}

fn own_network(seen: &Observed, found: &mut Vec<Finding>) {
    let listen = seen.listen;
    let tried = both(
        format!("向本机端口 {listen} 发起连接"),
        format!("this computer's own port {listen} was dialled"),
    );
    let port = match &seen.port {
        Port::Answers => None,
        Port::NotRunning => Some((
            "not-running",
            both(
                "研修程序没有在运行，端口空着：不发送也不接收",
                "yanxiu does not run, the port is free: nothing is sent or received",
            ),
            both(
                "启动研修程序（yanxiu serve），并设为开机自动启动",
                "start it (yanxiu serve), and have it start with the computer",
            ),
        )),
        Port::Taken(who) => Some((
            "port-taken",
            both(
                format!("端口被别的程序占用（{who}），研修程序无法监听"),
                format!("another program has the port ({who}); yanxiu cannot listen"),
            ),
            both(
                "结束那个程序，或在 yanxiu.toml 的 [sync] listen 换一个端口",
                "end that program, or choose another port under [sync] listen in yanxiu.toml",
            ),
        )),
        Port::Mute => Some((
            "not-listening",
            both(
                "研修程序在运行，但自己的端口没有回答",
                "yanxiu runs, and its own port does not answer",
            ),
            both(
                "重新启动研修程序；仍不行就检查本机防火墙是否连本机连接也拦",
                "start yanxiu anew; if that does not help, see whether a firewall blocks even this computer's own connections",
            ),
        )),
    };
    if let Some((code, saw, todo)) = port {
        found.push(Finding {
            code,
            severity: Severity::Fault,
            sure: Sure::Certain,
            tried,
            saw,
            todo,
        });
    }
    if let Some(why) = &seen.no_tcp {
        found.push(Finding {
            code: "no-tcp",
            severity: Severity::Warning,
            sure: Sure::Certain,
            tried: both(
                format!("在 {listen} 监听 TCP"),
                format!("TCP was to be listened for on {listen}"),
            ),
            saw: both(
                format!("不成功（{why}）：不放行 UDP 的网络里，别人连不上本机"),
                format!("it failed ({why}): who is in a network without UDP cannot reach this node"),
            ),
            todo: both(
                "结束占用该 TCP 端口的程序，再重启研修",
                "end the program that has this TCP port, and start yanxiu anew",
            ),
        });
    }
    if seen.interfaces.is_empty() {
        found.push(Finding {
            code: "no-network",
            severity: Severity::Fault,
            sure: Sure::Certain,
            tried: both("查看本机的网卡和地址", "interfaces and addresses were looked up"),
            saw: both("没有任何可用的网络连接", "there is no network connection at all"),
            todo: both("插好网线、连上 Wi-Fi 或手机热点；没有网也可以照常登记，用 U 盘送县里", "plug in the cable, join a Wi-Fi or a phone's hotspot; work goes on without, and a USB stick brings records to the county"),
        });
    }
}

fn hubs(seen: &Observed, found: &mut Vec<Finding>) {
    if seen.interfaces.is_empty() && !seen.dialled.iter().any(|d| d.udp.is_any() || d.tcp.is_any()) {
        return;
    }
    if seen.dialled.is_empty() && seen.standing == Standing::Member && !seen.county_office {
        found.push(Finding {
            code: "no-address",
            severity: Severity::Warning,
            sure: Sure::Certain,
            tried: both("查找县中心的地址", "an address of the hub was looked for"),
            saw: both(
                "一个也没有：只能靠邻校、导师或 U 盘送达",
                "there is none: records travel by neighbours, mentors or sticks alone",
            ),
            todo: both(
                "向县里要地址，填在“同步”页",
                "ask the county for it, and enter it on the Sync page",
            ),
        });
    }
    let anybody = seen
        .dialled
        .iter()
        .any(|d| d.udp == Answer::Yes || d.tcp == Answer::Yes);
    for d in &seen.dialled {
        if let Some(finding) = hub(d, anybody) {
            found.push(finding);
        }
    }
}

fn hub(d: &Dialled, anybody: bool) -> Option<Finding> {
    let a = &d.address;
    let at = match &d.resolved {
        Some(Err(why)) => {
            return Some(Finding {
                code: "name-unresolved",
                severity: if anybody {
                    Severity::Warning
                } else {
                    Severity::Fault
                },
                sure: Sure::Certain,
                tried: both(format!("查询 {a} 的地址"), format!("the name {a} was looked up")),
                saw: both(format!("查不到（{why}）"), format!("it leads nowhere ({why})")),
                todo: both(
                    "核对有没有写错；没有外网时请县里给 IP 地址",
                    "check its spelling; without the Internet ask the county for the IP address",
                ),
            });
        }
        Some(Ok(at)) => at,
        None => return None,
    };
    let (code, severity, sure, saw, todo) = match (&d.udp, &d.tcp) {
        (Answer::Yes, _) | (Answer::NotTried, Answer::NotTried) => return None,
        (_, Answer::Yes) => (
            "udp-blocked",
            Severity::Warning,
            Sure::Likely,
            both(
                "TCP 有回答，UDP 没有：这个网络不放行 UDP；已可改走 TCP，记录照常同步",
                "TCP answers and UDP does not: this network lets no UDP through; records travel over TCP",
            ),
            both(
                format!("请网络管理员放行到 {at} 的 UDP，更省流量、断线后恢复更快"),
                format!(
                    "ask the network's administrator to let UDP to {at} through: fewer bytes, quicker after an outage"
                ),
            ),
        ),
        (Answer::Other(who), _) | (_, Answer::Other(who)) => (
            "wrong-node",
            Severity::Fault,
            Sure::Certain,
            both(
                format!("回答的是另一台设备（{who}），不是要找的那一台"),
                format!("another node ({who}) answered, not the expected one"),
            ),
            both(
                "核对地址；县中心换了电脑的话，请县里重新公布地址",
                "check the address; if the hub has a new computer, the county must publish it anew",
            ),
        ),
        (Answer::Foreign(why), _) | (Answer::Silence, Answer::Foreign(why)) => (
            "version",
            Severity::Fault,
            Sure::Likely,
            both(
                format!("有回答，但不是这个版本的研修协议（{why}）"),
                format!("something answers that does not speak this version of the protocol ({why})"),
            ),
            both(
                "核对地址和端口；两边都升级到最新版本",
                "check address and port; update both programs",
            ),
        ),
        (Answer::Busy, _) | (_, Answer::Busy) => (
            "busy",
            Severity::Warning,
            Sure::Likely,
            both("对方暂时不接受新的连接", "it takes no new connections just now"),
            both("会自动再试，不用管", "it is tried again by itself"),
        ),
        (_, Answer::NotListening) => (
            "hub-not-running",
            Severity::Fault,
            Sure::Likely,
            both(
                "那台电脑在，但没有程序在这个端口监听",
                "that computer is there, and no program listens at the port",
            ),
            both(
                "请县里启动研修程序，并核对端口",
                "ask the county to start yanxiu, and check the port",
            ),
        ),
        _ => (
            "unreachable",
            Severity::Fault,
            Sure::Likely,
            both(
                "UDP 和 TCP 都没有回答：本机不在能到县里的网络，或县中心没有开机",
                "neither UDP nor TCP is answered: this computer is in a network that does not lead there, or the hub is down",
            ),
            both(
                "换一个能上县里的网络再试；打电话问县中心是否开机；先用邻校、导师或 U 盘送",
                "try another network; ask by telephone whether the hub is up; meanwhile use a neighbour, a mentor or a stick",
            ),
        ),
    };
    // With another way to the county nothing is held up.
    let severity = if anybody {
        severity.min(Severity::Warning)
    } else {
        severity
    };
    Some(Finding {
        code,
        severity,
        sure,
        tried: both(
            format!("用 UDP 和 TCP 连接 {a}（{at}）"),
            format!("{a} ({at}) was dialled over UDP and TCP"),
        ),
        saw,
        todo,
    })
}

fn neighbours(seen: &Observed, found: &mut Vec<Finding>) {
    let tried = both(
        "用 mDNS 听局域网里的研修设备，再逐台连接",
        "nodes in the local network were listened for by mDNS, then dialled one by one",
    );
    let mut push = |code, severity, sure, saw, todo| {
        found.push(Finding {
            code,
            severity,
            sure,
            tried: tried.clone(),
            saw,
            todo,
        });
    };
    match &seen.mdns {
        Mdns::Failed(why) => push(
            "mdns-failed",
            Severity::Warning,
            Sure::Certain,
            both(
                format!("系统不让监听（{why}）：邻居找不到本机"),
                format!("the system does not let us listen ({why}): neighbours do not find this node"),
            ),
            both(
                "放行 UDP 5353，或在“同步”页填邻校的地址",
                "let UDP 5353 through, or enter the neighbour's address on the Sync page",
            ),
        ),
        // A node that runs hears its own announcement, unless something filters multicast on this very computer.
        Mdns::Heard { own: false }
            if seen.near.is_empty() && seen.port == Port::Answers && !seen.interfaces.is_empty() =>
        {
            push(
                "mdns-filtered",
                Severity::Warning,
                Sure::Likely,
                both(
                    "连自己的广播也听不到：本机防火墙拦了 mDNS（UDP 5353），或网卡不收组播",
                    "not even our own announcement was heard: a firewall of this computer blocks mDNS (UDP 5353), or the interface takes no multicast",
                ),
                both(
                    "在防火墙里放行 yanxiu（UDP 5353 和同步端口）；或在“同步”页填地址",
                    "let yanxiu through the firewall (UDP 5353 and the sync port); or enter addresses by hand",
                ),
            );
        }
        _ => {}
    }
    let (ours, others): (Vec<&Near>, Vec<&Near>) = seen
        .near
        .iter()
        .partition(|n| n.county.is_some() && n.county == seen.county);
    let names = |all: &[&Near]| {
        all.iter()
            .map(|n| n.label.as_str())
            .collect::<Vec<_>>()
            .join("、")
    };
    let (mute, answering): (Vec<&Near>, Vec<&Near>) = ours
        .iter()
        .copied()
        .partition(|n| !n.udp.is_any() && !n.tcp.is_any());
    if !mute.is_empty() && answering.is_empty() {
        let who = names(&mute);
        push(
            "isolation",
            Severity::Fault,
            // Several firewalls at once are rarer than one access point.
            if mute.len() > 1 {
                Sure::Likely
            } else {
                Sure::Possible
            },
            both(
                format!(
                    "听得到邻居的广播（{who}），却一台也连不上：多半是 Wi-Fi 开了“客户端隔离”；也可能是对方的防火墙"
                ),
                format!(
                    "neighbours are heard ({who}), and none can be reached: client isolation of the Wi-Fi, most likely; or their firewalls"
                ),
            ),
            both(
                "用网线或手机热点把两台电脑连起来；或请管理员关掉“AP 隔离／客户端隔离”；或在对方电脑上放行 yanxiu",
                "join both computers by cable or a phone's hotspot; or have “AP isolation” switched off; or let yanxiu through the firewall there",
            ),
        );
    } else if !mute.is_empty() {
        let who = names(&mute);
        push(
            "neighbour-firewall",
            Severity::Warning,
            Sure::Likely,
            both(
                format!("别的邻居连得上，只有这些连不上：{who}；多半是那台电脑的防火墙"),
                format!("other neighbours answer, and these do not: {who}; a firewall there, most likely"),
            ),
            both(
                "在那台电脑的防火墙里放行 yanxiu",
                "let yanxiu through the firewall of that computer",
            ),
        );
    }
    if !others.is_empty() && seen.county.is_some() {
        let who = names(&others);
        push(
            "other-county",
            Severity::Warning,
            Sure::Certain,
            both(
                format!("附近有未入网或别县（包括练习县）的设备：{who}；本机不与它们交换"),
                format!(
                    "nodes nearby that are not enrolled or of another county (or one to learn in): {who}; nothing is exchanged with them"
                ),
            ),
            both(
                "是本县学校的话，请它向本县申请入网",
                "if it is a school of this county, it must enrol here",
            ),
        );
    }
}

#[cfg(test)]
mod tests;
