//! What the operator reads of refusals, faults and waiting changes, in both languages.

use sync::NodeId;
use sync::admission::{Fault, Verdict, Wait};
use sync::wire::Refusal;

use crate::{Error, Node};

/// One line of the operator's list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventRow {
    /// Unix seconds of the last time.
    pub at: i64,
    /// Stable code.
    pub code: String,
    /// The other node.
    pub peer: Option<NodeId>,
    /// Its name, or its first letters.
    pub peer_label: String,
    /// The document.
    pub document: String,
    /// What happened and what to do.
    pub text_zh: String,
    /// The same in English.
    pub text_en: String,
    /// How often.
    pub count: u64,
}

/// Stable code of a verdict, and whether we gave it or the peer did.
pub(crate) fn verdict_code(verdict: Verdict, ours: bool) -> String {
    let side = if ours { "here" } else { "there" };
    match verdict {
        Verdict::Held(w) => format!("held-{side}-{w:?}"),
        Verdict::Dropped(f) => format!("dropped-{side}-{f:?}"),
        Verdict::Quarantined(f) => format!("quarantined-{side}-{f:?}"),
        Verdict::Stored | Verdict::Known => format!("stored-{side}"),
    }
}

/// Stable code of a refusal.
pub(crate) fn refusal_code(refusal: Refusal, ours: bool) -> String {
    format!("{}-{refusal:?}", if ours { "we-refused" } else { "they-refused" })
}

impl Node {
    /// The newest events.
    pub fn events(&self, limit: u32) -> Result<Vec<EventRow>, Error> {
        let rows = self.store().read(|c| store::events::list(c, limit))?;
        Ok(rows
            .into_iter()
            .map(|e| {
                let (text_zh, text_en) = words(&e.code);
                EventRow {
                    at: e.at,
                    peer_label: e.peer.map(|p| self.device_label(&p)).unwrap_or_default(),
                    peer: e.peer,
                    document: e.document,
                    text_zh: with_detail(text_zh, &e.detail),
                    text_en: with_detail(text_en, &e.detail),
                    code: e.code,
                    count: e.count,
                }
            })
            .collect())
    }
}

/// Text of a peer as it may stand on a page: one line, no control or invisible characters (which could turn
/// what stands around it about), not long.
pub(crate) fn plain(text: &str) -> String {
    records::text::tidy(text)
        .chars()
        .filter(|c| !c.is_control())
        .take(100)
        .collect()
}

fn with_detail(text: String, detail: &str) -> String {
    if detail.is_empty() {
        text
    } else {
        format!("{text} ({detail})")
    }
}

fn words(code: &str) -> (String, String) {
    let pair = |zh: &str, en: &str| (zh.to_string(), en.to_string());
    let same = |value: &str, name: String| value == name;
    for (refusal, ours) in [
        Refusal::NotEnrolled,
        Refusal::Revoked,
        Refusal::OtherCounty,
        Refusal::Version,
        Refusal::Protocol,
        Refusal::Unavailable,
    ]
    .into_iter()
    .flat_map(|r| [(r, true), (r, false)])
    {
        if same(code, refusal_code(refusal, ours)) {
            return refusal_words(refusal, ours);
        }
    }
    let waits = [
        Wait::Dependency,
        Wait::UnknownAuthor,
        Wait::NotTheWriter,
        Wait::Quarantine,
    ];
    let faults = [
        Fault::Malformed,
        Fault::NoTip,
        Fault::Equivocation,
        Fault::SequenceGap,
        Fault::MissingPredecessor,
        Fault::BadStartOp,
        Fault::Unreadable,
        Fault::NoSuchDocument,
        Fault::OverCap,
    ];
    let verdicts = waits
        .into_iter()
        .map(Verdict::Held)
        .chain(faults.into_iter().map(Verdict::Dropped))
        .chain(faults.into_iter().map(Verdict::Quarantined));
    for verdict in verdicts {
        for ours in [true, false] {
            if same(code, verdict_code(verdict, ours)) {
                return verdict_words(verdict, ours);
            }
        }
    }
    match code {
        "says-nothing" => pair(
            "对方连上后不再说话，已断开",
            "The peer was connected and said nothing more; disconnected",
        ),
        "reads-nothing" => pair(
            "对方只问不收，已断开；请核对对方设备",
            "The peer asked and read none of the answers; disconnected; check that device",
        ),
        "udp-blocked" => pair(
            "这个网络不放行 UDP：已自动改走 TCP，记录照常同步；请网络管理员放行到该地址的 UDP，更省流量",
            "This network lets no UDP through: TCP is used instead and records travel as before; ask the network's administrator to let UDP to that address through, it costs fewer bytes",
        ),
        "udp-works" => pair("UDP 又通了：已换回 QUIC", "UDP works again: back to QUIC"),
        "foreign-receipt" => pair(
            "对方为它无权查阅的文档开了回执，不予采信；请核对对方设备",
            "The peer gave receipts for a document that it may not read; they count for nothing; check that device",
        ),
        "clock-differs" => pair(
            "对方电脑的日期与本机相差一天以上，请核对两台电脑的日期；已收的内容不受影响",
            "The date of the peer's computer and of this one differ by more than a day; check both; nothing received is affected",
        ),
        "bad-receipt" => pair(
            "对方的回执签名不对，已断开；请核对对方设备",
            "The peer's receipt had a wrong signature; check that device",
        ),
        "copied" => pair(
            "本机数据是从备份恢复或复制来的：已换用新的编号，缺的内容会在联系上以后补回",
            "This data was restored or copied: it goes on under a new number, and what is missing comes back with the next contact",
        ),
        "rolled-back" => pair(
            "本机曾被还原到较早的状态：丢失的改动已从对方取回，今后换用新的编号登记",
            "This computer was set back to an earlier state: what it had lost came back from the peer, and it goes on under a new number",
        ),
        "own-branch" => pair(
            "本机（或它的副本）用同一序号写过两份内容：本机的一份已留作证据，其中的登记用新的编号重新写入，没有丢失",
            "This computer, or a copy of it, wrote two contents under one number: ours is kept as evidence and its records were written again under a new number; nothing is lost",
        ),
        "said-again" => pair(
            "县里截断了另一份内容，或本机换了编号：受影响的本机登记已重新写入",
            "Records of this computer that a cut or a change of number had touched were written again",
        ),
        "own-cut" => pair(
            "县里截断了本机在这份文档中的内容；之后的登记不再计入，请与县级管理员核对后重新登记",
            "The county cut what this computer wrote in this document; what came after no longer counts: check with the county office and enter it again",
        ),
        "set-back" => pair(
            "对方有过本机更新的数据：本机（或对方）的数据被退回过旧状态；缺的内容会在联系上以后补回",
            "The peer has had later data of this computer: one of the two was set back to an earlier state; what is missing comes back with the next contact",
        ),
        "bundle-refused" => pair(
            "对方打不开本机的数据包，内容没有收下；下次插U盘会重新封一份，仍打不开请两边核对程序版本和设备",
            "The recipient could not open a bundle of this computer and took nothing of it; it is sealed anew with the next stick. If that does not open either, compare versions and devices",
        ),
        "old-store" => pair(
            "收到对方较早一次数据的数据包：内容已收，但其中的回执已不作数",
            "A bundle came from an earlier life of the peer's data: its changes were taken, its receipts count no more",
        ),
        "still-different" => pair(
            "同步后两边仍不一致；请导出本页发给县级管理员",
            "Both sides still differ after a repair; send this page to the county office",
        ),
        "backup-failed" => pair(
            "备份没有做成，原有的备份都还在；请看原因，处理后再备份一次",
            "A backup failed; those made before are untouched: see why, and make another",
        ),
        "unreadable" => pair(
            "有一份文档暂时无法读取，其余数据不受影响；请联系县级管理员",
            "One document cannot be read; all other data is unaffected; tell the county office",
        ),
        other => pair(other, other),
    }
}

fn refusal_words(refusal: Refusal, ours: bool) -> (String, String) {
    let (zh, en) = match (refusal, ours) {
        (Refusal::NotEnrolled, true) => (
            "拒绝了一台未入网的设备；如是本县学校，请在“设备”页核对并批准",
            "Refused a device that is not enrolled; if it is one of ours, approve it on the Devices page",
        ),
        (Refusal::NotEnrolled, false) => (
            "对方说本机尚未入网；请完成入网申请并等县里批准",
            "The peer says that this device is not enrolled; finish enrolment and wait for the county's approval",
        ),
        (Refusal::Revoked, true) => ("拒绝了一台已撤销的设备", "Refused a device that was revoked"),
        (Refusal::Revoked, false) => (
            "本机已被县里撤销，撤销后登记的内容不再计入；请联系县级管理员",
            "This device was revoked by the county; what it writes no longer counts; ask the county office",
        ),
        (Refusal::OtherCounty, true) => ("拒绝了别县的设备", "Refused a device of another county"),
        (Refusal::OtherCounty, false) => (
            "对方属于别的县；请核对地址",
            "The peer belongs to another county; check the address",
        ),
        (Refusal::Version, _) => (
            "两边程序版本不能互通；请升级较旧的一台",
            "The two programs have no common protocol version; update the older one",
        ),
        (Refusal::Protocol, true) => (
            "对方发来不合规的数据，已断开",
            "The peer sent data against the protocol; disconnected",
        ),
        (Refusal::Protocol, false) => (
            "对方认为本机发来的数据不合规；请升级本机程序",
            "The peer found our data against the protocol; update this program",
        ),
        (Refusal::Unavailable, _) => (
            "对方暂时不能工作，稍后会自动再试",
            "The peer cannot work just now; it will be tried again",
        ),
    };
    (zh.to_string(), en.to_string())
}

fn verdict_words(verdict: Verdict, ours: bool) -> (String, String) {
    let (zh, en) = match verdict {
        Verdict::Held(Wait::NotTheWriter) => (
            "改动的作者无权写这份文档，不入账、不计数",
            "The author of a change may not write this document; it is not taken and counts nowhere",
        ),
        Verdict::Held(Wait::UnknownAuthor) => (
            "改动的作者不在名册上，待核实后才收",
            "The author of a change is not in the roll; it waits",
        ),
        Verdict::Held(Wait::Dependency) => ("改动还缺前面的内容，待同步", "A change waits for earlier ones"),
        Verdict::Held(Wait::Quarantine) => (
            "作者在这份文档中已被隔离、截断或撤销，等县里处理",
            "The author is quarantined, cut or revoked in this document: what it wrote waits for the county",
        ),
        Verdict::Dropped(Fault::NoTip) => (
            "改动没有作者本人的签名，已丢弃",
            "A change without its author's signature was dropped",
        ),
        Verdict::Dropped(Fault::NoSuchDocument) => (
            "改动要写的文档名不合规（如年份不对），已丢弃",
            "A change for a document that cannot exist (a year out of range) was dropped",
        ),
        Verdict::Dropped(Fault::OverCap) => (
            "这台设备写得远超正常数量，超出部分未收；请核对这台设备",
            "That device has written far more than any honest one; the rest was not taken; check that device",
        ),
        Verdict::Dropped(_) => ("收到损坏的改动，已丢弃", "A damaged change was dropped"),
        Verdict::Quarantined(Fault::Equivocation) => (
            "同一设备用同一序号写了两份不同内容（可能被复制或还原过），已隔离并保留证据",
            "One device wrote two changes under one number (copied or restored?); quarantined, evidence kept",
        ),
        Verdict::Quarantined(_) => (
            "设备签名的改动前后不连贯，已隔离并保留证据",
            "A device signed a change that does not continue its own; quarantined, evidence kept",
        ),
        Verdict::Stored | Verdict::Known => ("已保存", "Stored"),
    };
    let (side_zh, side_en) = if ours {
        ("本机：", "Here: ")
    } else {
        ("对方：", "At the peer: ")
    };
    (format!("{side_zh}{zh}"), format!("{side_en}{en}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_words() {
        for code in [
            refusal_code(Refusal::Revoked, false),
            verdict_code(Verdict::Held(Wait::NotTheWriter), true),
            verdict_code(Verdict::Quarantined(Fault::Equivocation), false),
            verdict_code(Verdict::Dropped(Fault::NoTip), true),
            "bad-receipt".to_string(),
            "rolled-back".to_string(),
            "own-branch".to_string(),
            "said-again".to_string(),
            "own-cut".to_string(),
            "udp-blocked".to_string(),
            "udp-works".to_string(),
        ] {
            let (zh, en) = words(&code);
            assert!(zh != code && en != code, "{code}");
        }
    }
}
