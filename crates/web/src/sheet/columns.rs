//! Meanings of columns and the headings that people give them.

use super::text::squeeze;

/// Meaning of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// 序号: not read.
    Serial,
    /// 姓名.
    Name,
    /// 教师编号.
    TeacherCode,
    /// 性别.
    Sex,
    /// 出生年.
    Birth,
    /// 学校.
    School,
    /// 学校简称.
    SchoolShort,
    /// 学校标识码.
    SchoolCode,
    /// 学校类别.
    OrgKind,
    /// 城乡类型.
    Rural,
    /// 行政区划代码.
    Division,
    /// 上级单位.
    Parent,
    /// 岗位.
    Post,
    /// 职称.
    Title,
    /// 任教学科.
    Subject,
    /// 学段.
    Stage,
    /// 班主任.
    Homeroom,
    /// 任教年份.
    TeachingFrom,
    /// 在岗情况.
    Status,
    /// 生效日期: from when the facts of the row hold.
    From,
}

impl Column {
    /// Heading in Chinese.
    pub fn zh(self) -> &'static str {
        SYNONYMS
            .iter()
            .find(|(c, _)| *c == self)
            .and_then(|(_, names)| names.first())
            .copied()
            .unwrap_or("")
    }

    /// Heading in English.
    pub fn en(self) -> &'static str {
        match self {
            Self::Serial => "no.",
            Self::Name => "name",
            Self::TeacherCode => "teacher code",
            Self::Sex => "sex",
            Self::Birth => "year of birth",
            Self::School => "school",
            Self::SchoolShort => "short name",
            Self::SchoolCode => "school code",
            Self::OrgKind => "kind of school",
            Self::Rural => "town or rural",
            Self::Division => "division code",
            Self::Parent => "parent organisation",
            Self::Post => "post",
            Self::Title => "professional title",
            Self::Subject => "subject",
            Self::Stage => "stage",
            Self::Homeroom => "homeroom teacher",
            Self::TeachingFrom => "teaching since",
            Self::Status => "status",
            Self::From => "valid from",
        }
    }
}

/// Headings as counties and schools write them; the first of each is ours.
const SYNONYMS: &[(Column, &[&str])] = &[
    (Column::Serial, &["序号", "序", "行号", "no", "no."]),
    (
        Column::Name,
        &[
            "姓名",
            "教师姓名",
            "教职工姓名",
            "教工姓名",
            "老师姓名",
            "名字",
            "name",
        ],
    ),
    (
        Column::TeacherCode,
        &[
            "教师编号",
            "编号",
            "工号",
            "教师工号",
            "教工号",
            "教职工号",
            "教职工编号",
            "职工号",
            "教师代码",
            "教师编码",
            "人员编号",
            "teachercode",
        ],
    ),
    (Column::Sex, &["性别", "性别码", "性別", "sex", "gender"]),
    (
        Column::Birth,
        &[
            "出生年",
            "出生年份",
            "出生年月",
            "出生年月日",
            "出生日期",
            "出生时间",
            "出生",
            "生日",
            "生年",
            "birthyear",
        ],
    ),
    (
        Column::School,
        &[
            "学校",
            "学校名称",
            "校名",
            "单位",
            "单位名称",
            "工作单位",
            "现工作单位",
            "所在单位",
            "所在学校",
            "任教学校",
            "所属学校",
            "机构名称",
            "学校全称",
            "单位全称",
            "school",
        ],
    ),
    (Column::SchoolShort, &["学校简称", "简称", "单位简称"]),
    (
        Column::SchoolCode,
        &[
            "学校标识码",
            "标识码",
            "学校代码",
            "机构标识码",
            "机构代码",
            "学校机构标识码",
            "单位代码",
            "schoolcode",
        ],
    ),
    (
        Column::OrgKind,
        &[
            "学校类别",
            "学校类型",
            "办学类型",
            "单位类别",
            "单位类型",
            "机构类别",
            "机构类型",
            "类别",
        ],
    ),
    (
        Column::Rural,
        &["城乡类型", "城乡类别", "城乡分类", "城乡", "所在区域", "地域类别"],
    ),
    (
        Column::Division,
        &["行政区划代码", "行政区划", "区划代码", "区划码"],
    ),
    (
        Column::Parent,
        &[
            "上级单位",
            "上级机构",
            "主管单位",
            "主管部门",
            "所属中心校",
            "中心校",
        ],
    ),
    (
        Column::Post,
        &[
            "岗位",
            "职务",
            "岗位职务",
            "岗位/职务",
            "职务/岗位",
            "现任职务",
            "行政职务",
            "岗位名称",
            "岗位类别",
        ],
    ),
    (
        Column::Title,
        &[
            "职称",
            "现任职称",
            "现职称",
            "专业技术职务",
            "专业技术职称",
            "职称等级",
            "专业职称",
        ],
    ),
    (
        Column::Subject,
        &[
            "任教学科",
            "学科",
            "所教学科",
            "任课学科",
            "主教学科",
            "任教科目",
            "科目",
            "subject",
        ],
    ),
    (
        Column::Stage,
        &["学段", "任教学段", "任教阶段", "所在学段", "stage"],
    ),
    (
        Column::Homeroom,
        &["班主任", "是否班主任", "是否担任班主任", "担任班主任"],
    ),
    (
        Column::TeachingFrom,
        &[
            "任教年份",
            "参加工作年份",
            "参加工作时间",
            "参加工作年月",
            "参加工作日期",
            "从教年份",
            "从教时间",
            "从教年月",
            "任教时间",
            "任教起始年",
            "工作时间",
            "入职年份",
            "入职时间",
        ],
    ),
    (
        Column::Status,
        &[
            "在岗情况",
            "状态",
            "在岗状态",
            "在职状态",
            "在职情况",
            "人员状态",
            "教师状态",
            "是否在岗",
        ],
    ),
    (Column::From, &["生效日期", "起始日期", "任现岗时间"]),
];

/// Parts of headings of personal data that is not needed here and therefore never read
/// (domain.md §7.1, §7.3: minimum necessity).
const PRIVATE: &[&str] = &[
    "身份证",
    "证件号",
    "证件类",
    "手机",
    "电话",
    "联系方式",
    "银行",
    "卡号",
    "账号",
    "帐号",
    "住址",
    "籍贯",
    "民族",
    "政治面貌",
    "学历",
    "学位",
    "婚姻",
    "户口",
    "户籍",
    "微信",
    "qq",
    "邮箱",
    "email",
    "健康",
    "工资",
];

/// The meaning of a heading, if it is known: spaces, full-width forms, stars and bracketed
/// remarks do not matter (“＊出生年月（如1985.09）”).
pub fn recognise(heading: &str) -> Option<Column> {
    if heading.chars().count() > 40 {
        return None;
    }
    let mut plain = String::new();
    let mut depth = 0usize;
    for c in squeeze(heading).to_lowercase().chars() {
        match c {
            '(' | '（' | '[' | '【' | '〔' => depth += 1,
            ')' | '）' | ']' | '】' | '〕' => depth = depth.saturating_sub(1),
            '*' | '★' | '※' | ':' | '：' | '"' => {}
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    SYNONYMS
        .iter()
        .find(|(_, names)| names.contains(&plain.as_str()))
        .map(|(c, _)| *c)
}

/// Whether a heading is one of [`PRIVATE`].
pub(super) fn is_private(heading: &str) -> bool {
    let heading = squeeze(heading).to_lowercase();
    PRIVATE.iter().any(|p| heading.contains(p))
}
