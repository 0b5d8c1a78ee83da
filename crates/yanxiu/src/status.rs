//! `status`: where this node stands, in a few lines.

use std::path::Path;

use node::{Filter, Node, Role, enrol, now, office};

use crate::Failure;
use crate::serve::standing_words;

pub fn status(data: &Path) -> Result<(), Failure> {
    let node = Node::open(data)?;
    println!("设备 device     {} ({})", node.label(), node.id());
    println!("数据 data       {}", data.display());
    println!("入网 enrolled   {}", standing_words(node.standing()));
    if !node.clock_is_plausible() {
        println!(
            "时钟 clock      本机时钟不对（早于本程序的发布），日期都不可信；请校正日期和时间 \
             wrong: before this program was made; set date and time"
        );
    }
    if let Some(county) = node.county_name() {
        println!("县 county       {county}");
    }
    if let Some(offer) = enrol::candidate(&node)? {
        println!(
            "等待确认 offer  {}，核对码 digits {}{}",
            offer.name,
            offer.digits,
            if offer.approved {
                "（县已批准 approved）"
            } else {
                "（县未批准 not approved yet）"
            }
        );
    }
    for role in Role::ALL {
        for scope in node.scopes(role) {
            println!("角色 role       {role} {scope}");
        }
    }
    for (label, kind) in [
        ("学校 schools    ", "organisation"),
        ("教师 teachers   ", "person"),
        ("活动 sessions   ", "session"),
        ("出勤 attendance ", "attendance"),
        ("登分 claims     ", "claim"),
        ("审核 decisions  ", "decision"),
    ] {
        println!("{label} {}", node.count(&Filter::kind(kind))?);
    }
    if node.is_county() {
        println!("待审 queue      {}", office::audit_queue(&node, 100_000)?.len());
    } else {
        println!("未到县 not at county {}", node.not_at_county()?);
    }
    for p in enrol::pending(&node)? {
        println!(
            "待批 waiting    {}  {}  核对码 digits {}",
            p.node.short(),
            p.label,
            p.digits
        );
    }
    let (good, failed) = node::backup::last(&node)?;
    match good {
        Some(last) => println!("备份 backup     {} {}", ago(Some(last.at)), last.path),
        None => println!("备份 backup     从未 never"),
    }
    if let Some(why) = failed.and_then(|last| last.failed) {
        println!("备份失败 failed {why}");
    }
    let blocked = node.udp_blocked();
    for p in node.peers()? {
        let by_tcp = p.address.as_ref().is_some_and(|a| blocked.contains(a));
        println!(
            "往来 peer       {}{}{} 最近 seen {} 待传 waiting {} 条 {} 字节",
            p.label,
            if p.county { "（县中心 hub）" } else { "" },
            if by_tcp {
                "（走 TCP，UDP 不通 over TCP）"
            } else {
                ""
            },
            ago(p.seen_at),
            p.waiting.0,
            p.waiting.1
        );
    }
    for q in node.quarantines()? {
        println!(
            "隔离 quarantine {} {} {} @{}",
            q.document,
            node.device_label(&q.actor.device),
            q.fault,
            q.actor_seq
        );
    }
    for e in node.events(10)? {
        println!(
            "问题 event      {} {} {} ×{}（{}）",
            e.text_zh,
            e.peer_label,
            e.document,
            e.count,
            ago(Some(e.at))
        );
    }
    Ok(())
}

fn ago(at: Option<i64>) -> String {
    match at.map(|at| (now() - at).max(0)) {
        None => "从未 never".into(),
        Some(s) if s < 120 => format!("{s} 秒前"),
        Some(s) if s < 7200 => format!("{} 分钟前", s / 60),
        Some(s) if s < 172_800 => format!("{} 小时前", s / 3600),
        Some(s) => format!("{} 天前", s / 86_400),
    }
}
