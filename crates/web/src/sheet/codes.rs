//! From what stands in a cell to a code of the kinds: 中学高级教师 → `senior`, √ → true.
//!
//! Labels come from the kinds themselves; here are the other wordings that offices use.

use super::text::squeeze;
use records::Kinds;

/// Wordings of one field: code, then its other names (squeezed, lower case).
type Aliases = &'static [(&'static str, &'static [&'static str])];

const SEX: Aliases = &[
    ("1", &["男性", "m", "male"]),
    ("2", &["女性", "f", "female"]),
    ("0", &["不详"]),
];

const STATUS: Aliases = &[
    (
        "serving",
        &[
            "在职",
            "在编在岗",
            "在岗在编",
            "在职在岗",
            "在编",
            "正常",
            "在校",
            "是",
            "正常在岗",
        ],
    ),
    ("posted_out", &["借调", "借出", "外派学习"]),
    ("maternity", &["产假中", "休产假"]),
    ("sick", &["长期病假", "病休", "长病假"]),
    ("off_post", &["否", "不在岗", "长期离岗", "离岗退养", "内退"]),
    ("retired", &["已退休"]),
    ("transferred", &["调离", "已调出", "已调离"]),
    ("left", &["辞职", "已离职", "解聘"]),
];

const POST: Aliases = &[
    (
        "principal",
        &[
            "园长",
            "书记",
            "党支部书记",
            "总支书记",
            "校长兼书记",
            "教学点负责人",
        ],
    ),
    (
        "vice_principal",
        &["副园长", "副书记", "教学副校长", "业务副校长"],
    ),
    ("dean", &["教务主任", "教导处主任", "教务处主任"]),
    (
        "research_dean",
        &["教科室主任", "教科研主任", "科研主任", "教研室主任", "教科处主任"],
    ),
    (
        "middle",
        &[
            "中层干部",
            "主任",
            "副主任",
            "教导副主任",
            "教务副主任",
            "德育主任",
            "政教主任",
            "政教处主任",
            "总务主任",
            "总务处主任",
            "办公室主任",
            "工会主席",
            "团委书记",
            "少先队大队辅导员",
            "大队辅导员",
        ],
    ),
    (
        "teacher",
        &[
            "教师",
            "专任",
            "任课教师",
            "科任教师",
            "学科教师",
            "一线教师",
            "普通教师",
            "班主任",
            "教研组长",
            "备课组长",
            "年级组长",
            "代课教师",
        ],
    ),
    (
        "staff",
        &[
            "职工",
            "工勤",
            "工勤人员",
            "后勤",
            "后勤人员",
            "行政人员",
            "教辅",
            "教辅人员",
            "保育员",
            "会计",
        ],
    ),
    ("trainer", &["培训教师", "师训员", "师训专干"]),
];

// Older titles by the table of the 2015 reform: 小学高级 became 一级, 中学高级 became 高级.
const TITLE: Aliases = &[
    (
        "full_senior",
        &[
            "正高级教师",
            "正高",
            "正高级讲师",
            "中小学正高级",
            "中小学正高级教师",
        ],
    ),
    (
        "senior",
        &[
            "高级教师",
            "中小学高级",
            "中小学高级教师",
            "副高",
            "副高级",
            "中学高级",
            "中学高级教师",
            "中教高级",
            "中高",
            "高级讲师",
        ],
    ),
    (
        "first",
        &[
            "一级教师",
            "中小学一级",
            "中小学一级教师",
            "中级",
            "中学一级",
            "中学一级教师",
            "中教一级",
            "中一",
            "小学高级",
            "小学高级教师",
            "小教高级",
            "小高",
            "幼教高级",
            "讲师",
        ],
    ),
    (
        "second",
        &[
            "二级教师",
            "中小学二级",
            "中小学二级教师",
            "初级",
            "助理级",
            "中学二级",
            "中学二级教师",
            "中教二级",
            "中二",
            "小学一级",
            "小学一级教师",
            "小教一级",
            "小一",
            "幼教一级",
            "助理讲师",
        ],
    ),
    (
        "third",
        &[
            "三级教师",
            "中小学三级",
            "中小学三级教师",
            "员级",
            "中学三级",
            "中学三级教师",
            "小学二级",
            "小学二级教师",
            "小学三级",
            "小学三级教师",
        ],
    ),
    (
        "none",
        &[
            "无",
            "无职称",
            "未定级",
            "未定",
            "暂无",
            "未评职称",
            "未评级",
            "没有",
            "见习",
            "见习期",
            "-",
            "/",
        ],
    ),
];

const STAGE: Aliases = &[
    ("preschool", &["幼儿园", "幼儿", "学前教育", "幼教"]),
    ("primary", &["小学段", "完小"]),
    ("junior", &["初级中学", "初中段"]),
    ("high", &["高级中学", "普高", "普通高中", "高中段"]),
];

const ORG_KIND: Aliases = &[
    ("authority", &["教育局", "教体局", "教育行政"]),
    (
        "hub",
        &[
            "教师发展中心",
            "进修学校",
            "教师进修学校",
            "县教师发展中心",
            "县教师进修学校",
        ],
    ),
    ("area", &["学区", "片", "片区", "大学区"]),
    (
        "central_school",
        &["中心学校", "中心小学", "乡镇中心校", "乡镇中心小学"],
    ),
    (
        "secondary_school",
        &[
            "初中",
            "高中",
            "初级中学",
            "高级中学",
            "完全中学",
            "完中",
            "普通高中",
            "普通初中",
            "普通中学",
            "独立初中",
            "十二年一贯制",
        ],
    ),
    ("primary_school", &["普通小学", "村小", "村小学"]),
    (
        "nine_year_school",
        &["九年一贯制", "九年制", "九年制学校", "一贯制学校"],
    ),
    ("complete_primary", &["完小"]),
    ("teaching_point", &["小学教学点", "村教学点"]),
    ("kindergarten", &["中心幼儿园", "独立幼儿园", "公办幼儿园"]),
    ("special_school", &["特教", "特校", "特殊教育", "特教学校"]),
    (
        "vocational_school",
        &[
            "职校",
            "职高",
            "职业高中",
            "职业中学",
            "中职",
            "中等职业学校",
            "职教中心",
        ],
    ),
];

const RURAL: Aliases = &[
    (
        "county_town",
        &["城区", "县城区", "城镇", "城关", "城市", "主城区"],
    ),
    (
        "township",
        &["镇区", "镇", "乡", "乡镇中心", "镇乡结合区", "集镇"],
    ),
    ("street", &["街道"]),
    ("village", &["村", "乡村", "农村", "村级"]),
];

const ATTENDANCE: Aliases = &[
    (
        "present",
        &[
            "√",
            "✓",
            "✔",
            "v",
            "出勤",
            "出席",
            "已到",
            "实到",
            "签到",
            "已签到",
            "参加",
            "已参加",
            "到会",
            "正常",
            "是",
            "1",
            "全勤",
        ],
    ),
    ("late", &["迟", "晚到"]),
    ("left_early", &["早", "提前离开"]),
    ("on_duty", &["公", "公差", "出差", "因公请假", "公务"]),
    ("sick", &["病", "因病请假"]),
    ("personal", &["事", "请假", "因事请假"]),
    (
        "absent",
        &[
            "×",
            "✗",
            "✘",
            "x",
            "缺",
            "缺勤",
            "旷",
            "旷会",
            "未到",
            "没到",
            "未参加",
            "未出席",
            "否",
            "0",
        ],
    ),
];

const RESULT: Aliases = &[
    ("excellent", &["优", "优等"]),
    ("good", &["良", "良等"]),
    ("passed", &["及格", "通过", "达标", "中", "是", "√", "✓"]),
    (
        "failed",
        &["不及格", "未通过", "不通过", "未达标", "差", "否", "×"],
    ),
];

const FORM: Aliases = &[
    ("intensive", &["集中培训", "集中面授", "面授", "脱产培训", "集中"]),
    (
        "online",
        &["网络培训", "远程培训", "网络", "线上", "线上培训", "网上学习"],
    ),
    ("shadowing", &["跟岗", "影子培训", "跟岗研修", "跟岗培训"]),
    ("lecture", &["专题讲座", "报告会"]),
    ("on_post", &["岗位实践", "在岗研修"]),
    ("school_based", &["校本", "校本培训"]),
];

const CATEGORY: Aliases = &[
    ("ethics_literacy", &["师德", "素养", "师德素养", "师德与素养类"]),
    ("knowledge_skill", &["知识技能", "专业知识", "知识与技能类"]),
    ("practice", &["实践", "实践体验类"]),
];

const CHANNEL: Aliases = &[
    ("city", &["市", "市培", "市级培训", "地市级"]),
    (
        "district",
        &["县", "区", "县级", "区级", "县培", "县级培训", "区县级", "县区级"],
    ),
    ("school", &["校", "校级", "校本", "校本研修"]),
];

fn aliases(kind: &str, field: &str) -> Aliases {
    match field {
        "sex" => SEX,
        "status" if kind == "attendance" => ATTENDANCE,
        "status" => STATUS,
        "result" => RESULT,
        "form" => FORM,
        "category" => CATEGORY,
        "channel" => CHANNEL,
        "post" => POST,
        "title" => TITLE,
        "stage" => STAGE,
        "org_kind" => ORG_KIND,
        "rural" => RURAL,
        _ => &[],
    }
}

/// Code of `text` in a code field of a kind; `None` when no wording fits. Of a text that names
/// several things (副校长兼班主任) the first in the order of the kind counts.
pub fn code_of(kind: &str, field: &str, text: &str) -> Option<String> {
    let whole = plain(text);
    if let Some(code) = exact(kind, field, &whole) {
        return Some(code);
    }
    let codes = &Kinds::builtin().latest(kind)?.field(field)?.codes;
    let parts: Vec<String> = whole
        .split(['、', ',', '/', ';', '+', '兼', '；'])
        .filter_map(|part| exact(kind, field, part))
        .collect();
    codes.iter().map(|c| c.id.clone()).find(|id| parts.contains(id))
}

/// Squeezed, lower case, without bracketed remarks.
fn plain(text: &str) -> String {
    let mut depth = 0usize;
    let mut out = String::new();
    for c in squeeze(text).to_lowercase().chars() {
        match c {
            '(' | '【' | '[' => depth += 1,
            ')' | '】' | ']' => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

fn exact(kind: &str, field: &str, text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let codes = &Kinds::builtin().latest(kind)?.field(field)?.codes;
    let own = codes
        .iter()
        .find(|c| c.id == text || plain(&c.zh) == text)
        .map(|c| c.id.clone());
    own.or_else(|| {
        let found = aliases(kind, field)
            .iter()
            .find(|(_, names)| names.contains(&text));
        found.map(|(id, _)| (*id).to_owned())
    })
}

/// Kind of a school from its name alone: 云岭县河口镇中心小学 → `central_school`.
pub fn kind_from_name(name: &str) -> Option<&'static str> {
    let name = squeeze(name);
    [
        ("幼儿园", "kindergarten"),
        ("特殊教育", "special_school"),
        ("职业", "vocational_school"),
        ("职教", "vocational_school"),
        ("教师进修", "hub"),
        ("教师发展中心", "hub"),
        ("教研室", "research_office"),
        ("电教", "media_station"),
        ("教学点", "teaching_point"),
        ("九年", "nine_year_school"),
        ("一贯制", "nine_year_school"),
        ("完全小学", "complete_primary"),
        ("完小", "complete_primary"),
        ("中心校", "central_school"),
        ("中心学校", "central_school"),
        ("中心小学", "central_school"),
        ("小学", "primary_school"),
        ("中学", "secondary_school"),
        ("初中", "secondary_school"),
        ("高中", "secondary_school"),
        ("教育局", "authority"),
        ("教体局", "authority"),
        ("教育体育局", "authority"),
    ]
    .into_iter()
    .find(|(part, _)| name.contains(part))
    .map(|(_, kind)| kind)
}

/// 是/否 as people tick it; a class (三年级2班, 三（2）班) in a 班主任 column means yes.
pub fn truth(text: &str) -> Option<bool> {
    let text = squeeze(text).to_lowercase();
    match text.as_str() {
        "是" | "有" | "√" | "✓" | "✔" | "y" | "yes" | "1" | "true" | "担任" | "班主任" | "任" => {
            Some(true)
        }
        "否" | "无" | "×" | "✗" | "✘" | "x" | "n" | "no" | "0" | "false" | "不是" | "非" | "不" | "未"
        | "-" | "—" | "/" | "不担任" | "未担任" => Some(false),
        other => (other.ends_with('班') || other.ends_with("班班主任")).then_some(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_names_a_code_of_the_kind() {
        for (kind, fields) in [
            ("person", &["sex", "status"][..]),
            ("staff_fact", &["post", "title", "stage"]),
            ("organisation", &["org_kind", "rural"]),
            ("attendance", &["status"]),
            ("assessment", &["result"]),
            ("session", &["form", "category", "channel"]),
        ] {
            for field in fields {
                let known = Kinds::builtin().latest(kind).unwrap().field(field).unwrap();
                for (code, names) in aliases(kind, field) {
                    assert!(known.code(code).is_some(), "{field} {code}");
                    for name in *names {
                        assert_eq!(
                            code_of(kind, field, name).as_deref(),
                            Some(*code),
                            "{field} {name}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn wordings_of_rosters() {
        let staff = |field, text| code_of("staff_fact", field, text);
        assert_eq!(staff("title", "中学高级教师").as_deref(), Some("senior"));
        assert_eq!(
            staff("title", "小学高级（２０１２年评）").as_deref(),
            Some("first")
        );
        assert_eq!(staff("title", "特级").as_deref(), None);
        assert_eq!(staff("post", "教师兼班主任").as_deref(), Some("teacher"));
        assert_eq!(staff("post", "党支部书记、校长").as_deref(), Some("principal"));
        assert_eq!(staff("post", "教师/副校长").as_deref(), Some("vice_principal"));
        assert_eq!(code_of("person", "sex", " 男 ").as_deref(), Some("1"));
        assert_eq!(code_of("person", "sex", "２").as_deref(), Some("2"));
        assert_eq!(code_of("person", "sex", "里").as_deref(), None);
        assert_eq!(truth("三（２）班"), Some(true));
        assert_eq!(truth("√"), Some(true));
        assert_eq!(truth("否"), Some(false));
        assert_eq!(truth("待定"), None);
        assert_eq!(kind_from_name("云岭县河口镇中心小学"), Some("central_school"));
        assert_eq!(kind_from_name("云岭县第一中学"), Some("secondary_school"));
        assert_eq!(kind_from_name("某单位"), None);
    }
}
