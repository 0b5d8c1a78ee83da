//! Form F9: 签到表.

use super::{Heads, label};
use crate::sheet::table::{Out, Table};
use node::office::SessionDetail;

/// One line of form F9.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignIn {
    /// 姓名.
    pub name: String,
    /// 教师编号.
    pub teacher_code: String,
    /// 学科.
    pub subject: String,
    /// Code of the status; empty while nobody has marked the person, or two marks differ.
    pub status: String,
    /// 到达.
    pub arrived: String,
    /// 离开.
    pub left: String,
    /// 备注.
    pub remark: String,
}

const SIGN_IN_HEADS: [(&str, f64); 10] = [
    ("序号", 6.0),
    ("姓名", 12.0),
    ("教师编号", 14.0),
    ("单位", 24.0),
    ("学科", 10.0),
    ("出勤", 8.0),
    ("签名", 14.0),
    ("到达", 8.0),
    ("离开", 8.0),
    ("备注", 16.0),
];

/// 签到表 (F9) of a session: before it, to be signed; afterwards with what was marked. It can be imported again.
pub fn sign_in(session: &SessionDetail, lines: &[SignIn], heads: &Heads) -> Table {
    let rows = (1usize..).zip(lines).map(|(number, line)| {
        vec![
            number.into(),
            line.name.as_str().into(),
            line.teacher_code.as_str().into(),
            heads.school_name.as_str().into(),
            line.subject.as_str().into(),
            label("attendance", "status", &line.status),
            Out::Blank,
            line.arrived.as_str().into(),
            line.left.as_str().into(),
            line.remark.as_str().into(),
        ]
    });
    let mut about = heads.lines();
    let row = &session.row;
    about.push(format!("活动名称：{}　　时间：{}", row.title, row.date));
    about.push(format!("地点：{}　　主讲人：{}", row.place, session.lecturers));
    about.push(match row.marked {
        0 => format!("应到：{}　　实到：　　　", lines.len()),
        _ => format!("应到：{}　　实到：{}", lines.len(), row.present),
    });
    Table {
        sheet: "签到表".into(),
        title: format!("{}签到表", heads.school_name),
        lines: about,
        heads: SIGN_IN_HEADS.to_vec(),
        rows: rows.collect(),
        signatures: "记录人：　　　　　　　　填表人：　　　　　　　　审核人：　　　　　　　　（公章）".into(),
        // Room to sign.
        row_height: 24.0,
        upright: true,
        ..Table::default()
    }
}
