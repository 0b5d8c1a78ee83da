//! `verify` and `rebuild`.

use std::path::Path;

use node::Node;
use node::verify::Report;

use crate::Failure;
use crate::failure::Code;

pub fn verify(data: &Path) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let report = node.verify()?;
    show(&report);
    match report.is_sound() {
        true => {
            println!("核验通过，全部一致 / all is as it must be");
            Ok(())
        }
        false => Err(Failure::with(
            Code::Unsound,
            format!(
                "核验发现 {0} 处问题，见上 / {0} findings, see above",
                report.found
            ),
        )),
    }
}

fn show(r: &Report) {
    println!("文档 documents  {}", r.documents);
    println!(
        "改动 changes    {}（哈希与准入重新核验 hashed and admitted anew）",
        r.changes
    );
    println!("签名 signatures {}", r.signatures);
    println!("视图 records    {}（重新计算并比对 computed anew）", r.records);
    println!("回执 receipts   {}", r.receipts);
    println!("照片 photos     {}", r.photos);
    if r.behind > 0 {
        println!(
            "未比对 behind   {}（刚收到，视图还没更新 just received）",
            r.behind
        );
    }
    for f in &r.faults {
        let (zh, en) = f.what.words();
        println!("问题 finding    {} {}：{zh} / {en}", f.place, f.detail);
    }
    if r.found > r.faults.len() as u64 {
        println!("……还有 {0} 处 / {0} more", r.found - r.faults.len() as u64);
    }
}

pub fn rebuild(data: &Path) -> Result<(), Failure> {
    let node = Node::open(data)?;
    let documents = node.rebuild_views()?;
    println!(
        "已重建 {documents} 份文档的视图和全部索引 / rebuilt the views of {documents} documents and all indexes"
    );
    Ok(())
}
