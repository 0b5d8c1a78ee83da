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
    /// 出勤.
    Attendance,
    /// 到达.
    Arrived,
    /// 离开.
    Left,
    /// 签名.
    Signature,
    /// 备注.
    Remark,
    /// 考核结果.
    Result,
    /// 成绩.
    Points,
    /// 证书编号.
    Certificate,
    /// 培训项目名称.
    Project,
    /// 培训机构名称.
    Organiser,
    /// 培训方式.
    Form,
    /// 课程类别.
    Category,
    /// 课程小类.
    Sub,
    /// 培训渠道.
    Channel,
    /// 学时.
    Hours,
    /// 学分: not read, it follows from the class-hours.
    Credits,
    /// 起止时间.
    Span,
    /// 开始日期.
    Begin,
    /// 结束日期.
    Until,
    /// 培训年度: not read, it follows from the dates.
    TrainingYear,
}

/// Which headings are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// Of rosters and lists of schools.
    Roster,
    /// Of lists of people with what they did: attendance, outside hours, pass lists.
    List,
}

impl Column {
    /// Heading in Chinese.
    pub fn zh(self) -> &'static str {
        SYNONYMS
            .iter()
            .chain(LIST_SYNONYMS)
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
            Self::Attendance => "attendance",
            Self::Arrived => "arrived",
            Self::Left => "left",
            Self::Signature => "signature",
            Self::Remark => "remark",
            Self::Result => "result",
            Self::Points => "points",
            Self::Certificate => "certificate number",
            Self::Project => "training",
            Self::Organiser => "organiser",
            Self::Form => "form",
            Self::Category => "category",
            Self::Sub => "sub-category",
            Self::Channel => "channel",
            Self::Hours => "class-hours",
            Self::Credits => "credits",
            Self::Span => "from and until",
            Self::Begin => "first day",
            Self::Until => "last day",
            Self::TrainingYear => "year of training",
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

/// Headings of lists of people; the first of each is ours.
const LIST_SYNONYMS: &[(Column, &[&str])] = &[
    (
        Column::Attendance,
        &[
            "出勤",
            "考勤",
            "签到",
            "签到情况",
            "出勤情况",
            "考勤情况",
            "到会情况",
            "是否到会",
            "是否参加",
            "出席情况",
            "attendance",
        ],
    ),
    (
        Column::Arrived,
        &["到达", "到达时间", "签到时间", "签入时间", "到会时间"],
    ),
    (
        Column::Left,
        &["离开", "离开时间", "签退", "签退时间", "离会时间"],
    ),
    (Column::Signature, &["签名", "本人签名", "教师签名", "签字"]),
    (Column::Remark, &["备注", "事由", "说明", "请假事由"]),
    (
        Column::Result,
        &[
            "考核结果",
            "考核等级",
            "等级",
            "结果",
            "考核结论",
            "结业等次",
            "等次",
            "是否合格",
            "考核情况",
            "考核",
        ],
    ),
    (Column::Points, &["成绩", "得分", "分数", "考核成绩", "考试成绩"]),
    (
        Column::Certificate,
        &[
            "证书编号",
            "证书号",
            "合格证号",
            "结业证号",
            "合格证编号",
            "结业证书编号",
        ],
    ),
    (
        Column::Project,
        &[
            "培训项目名称",
            "培训项目",
            "项目名称",
            "项目/活动名称",
            "培训名称",
            "培训班名称",
            "活动名称",
            "培训内容",
            "项目",
            "课程名称",
        ],
    ),
    (
        Column::Organiser,
        &[
            "培训机构名称",
            "培训机构",
            "主办单位",
            "承办单位",
            "组织单位",
            "举办单位",
            "培训单位",
            "主办",
        ],
    ),
    (
        Column::Form,
        &["培训方式", "培训形式", "形式", "方式", "研修形式"],
    ),
    (Column::Category, &["课程类别", "类别", "学分类别"]),
    (Column::Sub, &["课程小类", "小类"]),
    (
        Column::Channel,
        &["培训渠道", "渠道", "培训级别", "级别", "层级", "培训层级"],
    ),
    (
        Column::Hours,
        &[
            "学时",
            "培训获得学时",
            "获得学时",
            "学时数",
            "培训学时",
            "课时",
            "认定学时",
            "登记学时",
        ],
    ),
    (
        Column::Credits,
        &[
            "学分",
            "培训获得学分",
            "获得学分",
            "折算学分",
            "登记学分",
            "认定学分",
        ],
    ),
    (
        Column::Span,
        &[
            "起止",
            "起止时间",
            "起止日期",
            "培训时间",
            "培训起止时间",
            "时间",
            "培训日期",
            "日期",
        ],
    ),
    (
        Column::Begin,
        &["开始日期", "开始时间", "起始日期", "培训开始日期", "开始"],
    ),
    (
        Column::Until,
        &["结束日期", "结束时间", "终止日期", "培训结束日期", "结束"],
    ),
    (Column::TrainingYear, &["培训年度", "年度", "培训类别"]),
];

/// Columns of a roster that lists of people have too.
const SHARED: [Column; 6] = [
    Column::Serial,
    Column::Name,
    Column::TeacherCode,
    Column::School,
    Column::SchoolCode,
    Column::Subject,
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
pub fn recognise(vocabulary: Vocabulary, heading: &str) -> Option<Column> {
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
    let named = |(_, names): &&(Column, &[&str])| names.contains(&plain.as_str());
    let found = match vocabulary {
        Vocabulary::Roster => SYNONYMS.iter().find(named),
        Vocabulary::List => {
            let shared = SYNONYMS.iter().filter(|(column, _)| SHARED.contains(column));
            LIST_SYNONYMS.iter().chain(shared).find(named)
        }
    };
    found.map(|(column, _)| *column)
}

/// Whether a heading is one of [`PRIVATE`].
pub(super) fn is_private(heading: &str) -> bool {
    let heading = squeeze(heading).to_lowercase();
    PRIVATE.iter().any(|p| heading.contains(p))
}
