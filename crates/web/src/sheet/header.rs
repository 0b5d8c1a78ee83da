//! Finds the heading row of a table and what each column means.

use super::grid::Sheet;
use super::text::squeeze;
use std::collections::BTreeMap;

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
        &["姓名", "教师姓名", "教职工姓名", "教工姓名", "老师姓名", "名字", "name"],
    ),
    (
        Column::TeacherCode,
        &[
            "教师编号", "编号", "工号", "教师工号", "教工号", "教职工号", "教职工编号", "职工号", "教师代码",
            "教师编码", "人员编号", "teachercode",
        ],
    ),
    (Column::Sex, &["性别", "性别码", "性別", "sex", "gender"]),
    (
        Column::Birth,
        &[
            "出生年", "出生年份", "出生年月", "出生年月日", "出生日期", "出生时间", "出生", "生日", "生年",
            "birthyear",
        ],
    ),
    (
        Column::School,
        &[
            "学校", "学校名称", "校名", "单位", "单位名称", "工作单位", "现工作单位", "所在单位", "所在学校",
            "任教学校", "所属学校", "机构名称", "学校全称", "单位全称", "school",
        ],
    ),
    (Column::SchoolShort, &["学校简称", "简称", "单位简称"]),
    (
        Column::SchoolCode,
        &[
            "学校标识码", "标识码", "学校代码", "机构标识码", "机构代码", "学校机构标识码", "单位代码",
            "schoolcode",
        ],
    ),
    (
        Column::OrgKind,
        &["学校类别", "学校类型", "办学类型", "单位类别", "单位类型", "机构类别", "机构类型", "类别"],
    ),
    (Column::Rural, &["城乡类型", "城乡类别", "城乡分类", "城乡", "所在区域", "地域类别"]),
    (Column::Division, &["行政区划代码", "行政区划", "区划代码", "区划码"]),
    (
        Column::Parent,
        &["上级单位", "上级机构", "主管单位", "主管部门", "所属中心校", "中心校"],
    ),
    (
        Column::Post,
        &["岗位", "职务", "岗位职务", "岗位/职务", "职务/岗位", "现任职务", "行政职务", "岗位名称", "岗位类别"],
    ),
    (
        Column::Title,
        &["职称", "现任职称", "现职称", "专业技术职务", "专业技术职称", "职称等级", "专业职称"],
    ),
    (
        Column::Subject,
        &["任教学科", "学科", "所教学科", "任课学科", "主教学科", "任教科目", "科目", "subject"],
    ),
    (Column::Stage, &["学段", "任教学段", "任教阶段", "所在学段", "stage"]),
    (Column::Homeroom, &["班主任", "是否班主任", "是否担任班主任", "担任班主任"]),
    (
        Column::TeachingFrom,
        &[
            "任教年份", "参加工作年份", "参加工作时间", "参加工作年月", "参加工作日期", "从教年份", "从教时间",
            "从教年月", "任教时间", "任教起始年", "工作时间", "入职年份", "入职时间",
        ],
    ),
    (
        Column::Status,
        &["在岗情况", "状态", "在岗状态", "在职状态", "在职情况", "人员状态", "教师状态", "是否在岗"],
    ),
    (Column::From, &["生效日期", "起始日期", "任现岗时间"]),
];

/// Parts of headings of personal data that is not needed here and therefore never read
/// (domain.md §7.1, §7.3: minimum necessity).
const PRIVATE: &[&str] = &[
    "身份证", "证件号", "证件类", "手机", "电话", "联系方式", "银行", "卡号", "账号", "帐号", "住址", "籍贯",
    "民族", "政治面貌", "学历", "学位", "婚姻", "户口", "户籍", "微信", "qq", "邮箱", "email", "健康", "工资",
];

/// What a sheet is a table of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// One row per teacher: 花名册.
    Teachers,
    /// One row per school.
    Organisations,
}

/// A sheet's heading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the rows are.
    pub table: Table,
    /// Index of the first row below the heading.
    pub first: usize,
    /// Index of the column of each meaning.
    pub columns: BTreeMap<Column, usize>,
    /// Headings of columns with personal data that is not read.
    pub private: Vec<String>,
    /// Headings of columns that were not understood, or are second ones of a meaning.
    pub unused: Vec<String>,
}

impl Header {
    /// Index of a column.
    pub fn index(&self, column: Column) -> Option<usize> {
        self.columns.get(&column).copied()
    }
}

/// How far down a heading may stand.
const SEARCHED: usize = 40;

/// Finds the heading: the row, or rows, with most known names among the first ones. Titles above it,
/// group headings (基本信息 over 姓名, 性别) and blank rows are passed over.
pub fn find(sheet: &Sheet) -> Option<Header> {
    let mut best: Option<(usize, usize, BTreeMap<Column, usize>)> = None;
    for row in 0..sheet.rows.len().min(SEARCHED) {
        let (last, columns) = joined(sheet, row);
        let more = best.as_ref().is_none_or(|(_, _, most)| columns.len() > most.len());
        if more && kind(&columns).is_some() {
            best = Some((row, last, columns));
        }
    }
    let (row, last, columns) = best?;
    let table = kind(&columns)?;
    let used: Vec<usize> = columns.values().copied().collect();
    let (mut private, mut unused) = (Vec::new(), Vec::new());
    let width = (row..=last).filter_map(|r| sheet.rows.get(r)).map(Vec::len).max().unwrap_or(0);
    for index in (0..width).filter(|i| !used.contains(i)) {
        let label = (row..=last).rev().map(|r| sheet.cell(r, index)).find(|c| !c.is_blank());
        let Some(label) = label else { continue };
        let label = super::text::shorten(&super::text::tidy(&label.text()), 20);
        let list = if is_private(&label) { &mut private } else { &mut unused };
        if !list.contains(&label) {
            list.push(label);
        }
    }
    Some(Header { table, first: last + 1, columns, private, unused })
}

/// Whether a row repeats the heading, as printed rosters do on every page.
pub fn is_repeat(header: &Header, sheet: &Sheet, row: usize) -> bool {
    let key = match header.table {
        Table::Teachers => Column::Name,
        Table::Organisations => Column::School,
    };
    header
        .index(key)
        .is_some_and(|index| recognise(&sheet.cell(row, index).text()) == Some(key))
}

fn kind(columns: &BTreeMap<Column, usize>) -> Option<Table> {
    let has = |c| columns.contains_key(&c);
    let facts = columns.keys().filter(|c| **c != Column::Serial).count();
    if facts < 2 {
        None
    } else if has(Column::Name) {
        Some(Table::Teachers)
    } else if has(Column::School) {
        Some(Table::Organisations)
    } else {
        None
    }
}

/// Known headings of a row and of up to two rows below that carry the heading on.
fn joined(sheet: &Sheet, row: usize) -> (usize, BTreeMap<Column, usize>) {
    let mut columns = known(sheet, row);
    let mut last = row;
    while !columns.is_empty() && last < row + 2 {
        let below = known(sheet, last + 1);
        let taken: Vec<usize> = columns.values().copied().collect();
        // Under a heading stands the same one again (merged over both rows) or nothing; in a row of
        // data there is a name under 姓名.
        let free = taken.iter().all(|index| {
            let cell = sheet.cell(last + 1, *index);
            cell.is_blank() || recognise(&cell.text()).is_some_and(|c| columns.get(&c) == Some(index))
        });
        if below.is_empty() || !free {
            break;
        }
        for (column, index) in below {
            columns.entry(column).or_insert(index);
        }
        last += 1;
    }
    (last, columns)
}

/// Known headings of a row; of two columns with one meaning the first counts.
fn known(sheet: &Sheet, row: usize) -> BTreeMap<Column, usize> {
    let mut columns = BTreeMap::new();
    let cells = sheet.rows.get(row).map_or(&[][..], Vec::as_slice);
    for (index, cell) in cells.iter().enumerate() {
        if let Some(column) = recognise(&cell.text()) {
            columns.entry(column).or_insert(index);
        }
    }
    columns
}

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
    SYNONYMS.iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(c, _)| *c)
}

fn is_private(heading: &str) -> bool {
    let heading = squeeze(heading).to_lowercase();
    PRIVATE.iter().any(|p| heading.contains(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet::grid::Cell;

    fn sheet(rows: &[&[&str]]) -> Sheet {
        Sheet {
            name: "表".into(),
            rows: rows
                .iter()
                .map(|r| r.iter().map(|t| Cell::from_text((*t).to_owned())).collect())
                .collect(),
        }
    }

    #[test]
    fn headings_are_known_in_many_spellings() {
        for (heading, column) in [
            ("姓　名", Column::Name),
            ("*教师姓名", Column::Name),
            ("工号", Column::TeacherCode),
            ("出生年月（如１９８５．０９）", Column::Birth),
            ("单位名称", Column::School),
            ("学校(机构)标识码", Column::SchoolCode),
            ("岗位／职务", Column::Post),
            ("参加工作\n时间", Column::TeachingFrom),
            ("在岗情况：", Column::Status),
        ] {
            assert_eq!(recognise(heading), Some(column), "{heading}");
        }
        for heading in ["", "联系电话", "张三", "校长姓名"] {
            assert_eq!(recognise(heading), None, "{heading}");
        }
    }

    #[test]
    fn titles_and_blank_rows_above() {
        let found = find(&sheet(&[
            &["青禾县2025学年教师花名册", "青禾县2025学年教师花名册"],
            &[],
            &["填表单位：示例小学", "", "2025.9.1"],
            &["序号", "姓名", "性别", "身份证号", "联系电话", "爱好"],
            &["1", "张三", "男"],
        ]))
        .unwrap();
        assert_eq!((found.table, found.first), (Table::Teachers, 4));
        assert_eq!(found.index(Column::Name), Some(1));
        assert_eq!(found.private, ["身份证号", "联系电话"]);
        assert_eq!(found.unused, ["爱好"]);
    }

    #[test]
    fn headings_over_two_rows() {
        let found = find(&sheet(&[
            &["序号", "基本信息", "基本信息", "任教情况", "任教情况", "职称"],
            &["序号", "姓名", "性别", "学科", "学段", "职称"],
            &["1", "张三", "男", "语文", "小学", "一级"],
        ]))
        .unwrap();
        assert_eq!(found.first, 2);
        assert_eq!(found.columns.len(), 6);
        // Unmerged corners stand only in the upper row.
        let found = find(&sheet(&[
            &["姓名", "任教情况", "", "", "职称"],
            &["", "学科", "学段", "班主任", ""],
            &["张三", "语文", "小学", "是", "一级"],
        ]))
        .unwrap();
        assert_eq!(found.first, 2);
        assert_eq!((found.index(Column::Name), found.index(Column::Title)), (Some(0), Some(4)));
    }

    #[test]
    fn tables_of_schools() {
        let found = find(&sheet(&[&["学校名称", "学校标识码", "教师数"]])).unwrap();
        assert_eq!(found.table, Table::Organisations);
        assert_eq!(find(&sheet(&[&["项目", "金额"], &["书", "20"]])), None);
    }
}
