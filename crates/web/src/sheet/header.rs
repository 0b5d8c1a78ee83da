//! Finds the heading row of a table and what each column means.

use super::columns::is_private;
use super::grid::Sheet;
use std::collections::BTreeMap;

pub use super::columns::{Column, Vocabulary, recognise};

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
    /// Which headings were looked for.
    pub vocabulary: Vocabulary,
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
pub fn find(vocabulary: Vocabulary, sheet: &Sheet) -> Option<Header> {
    let mut best: Option<(usize, usize, BTreeMap<Column, usize>)> = None;
    for row in 0..sheet.rows.len().min(SEARCHED) {
        let (last, columns) = joined(sheet, row, vocabulary);
        let more = best
            .as_ref()
            .is_none_or(|(_, _, most)| columns.len() > most.len());
        if more && kind(&columns, vocabulary).is_some() {
            best = Some((row, last, columns));
        }
    }
    let (row, last, columns) = best?;
    let table = kind(&columns, vocabulary)?;
    let used: Vec<usize> = columns.values().copied().collect();
    let (mut private, mut unused) = (Vec::new(), Vec::new());
    let width = (row..=last)
        .filter_map(|r| sheet.rows.get(r))
        .map(Vec::len)
        .max()
        .unwrap_or(0);
    for index in (0..width).filter(|i| !used.contains(i)) {
        let label = (row..=last)
            .rev()
            .map(|r| sheet.cell(r, index))
            .find(|c| !c.is_blank());
        let Some(label) = label else { continue };
        let label = super::text::shorten(&super::text::tidy(&label.text()), 20);
        let list = if is_private(&label) {
            &mut private
        } else {
            &mut unused
        };
        if !list.contains(&label) {
            list.push(label);
        }
    }
    Some(Header {
        vocabulary,
        table,
        first: last + 1,
        columns,
        private,
        unused,
    })
}

/// Whether a row repeats the heading, as printed rosters do on every page.
pub fn is_repeat(header: &Header, sheet: &Sheet, row: usize) -> bool {
    let key = match header.table {
        Table::Teachers => Column::Name,
        Table::Organisations => Column::School,
    };
    header
        .index(key)
        .is_some_and(|index| recognise(header.vocabulary, &sheet.cell(row, index).text()) == Some(key))
}

fn kind(columns: &BTreeMap<Column, usize>, vocabulary: Vocabulary) -> Option<Table> {
    let has = |c| columns.contains_key(&c);
    let facts = columns.keys().filter(|c| **c != Column::Serial).count();
    // A list of those who came may hold nothing but their names.
    let enough = if vocabulary == Vocabulary::List { 1 } else { 2 };
    if facts < enough {
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
fn joined(sheet: &Sheet, row: usize, vocabulary: Vocabulary) -> (usize, BTreeMap<Column, usize>) {
    let mut columns = known(sheet, row, vocabulary);
    let mut last = row;
    while !columns.is_empty() && last < row + 2 {
        let below = known(sheet, last + 1, vocabulary);
        let taken: Vec<usize> = columns.values().copied().collect();
        // Under a heading stands the same one again (merged over both rows) or nothing; in a row of
        // data there is a name under 姓名.
        let free = taken.iter().all(|index| {
            let cell = sheet.cell(last + 1, *index);
            cell.is_blank()
                || recognise(vocabulary, &cell.text()).is_some_and(|c| columns.get(&c) == Some(index))
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
fn known(sheet: &Sheet, row: usize, vocabulary: Vocabulary) -> BTreeMap<Column, usize> {
    let mut columns = BTreeMap::new();
    let cells = sheet.rows.get(row).map_or(&[][..], Vec::as_slice);
    for (index, cell) in cells.iter().enumerate() {
        if let Some(column) = recognise(vocabulary, &cell.text()) {
            columns.entry(column).or_insert(index);
        }
    }
    columns
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
            assert_eq!(recognise(Vocabulary::Roster, heading), Some(column), "{heading}");
        }
        for heading in ["", "联系电话", "张三", "校长姓名"] {
            assert_eq!(recognise(Vocabulary::Roster, heading), None, "{heading}");
        }
    }

    #[test]
    fn titles_and_blank_rows_above() {
        let found = find(
            Vocabulary::Roster,
            &sheet(&[
                &["青禾县2025学年教师花名册", "青禾县2025学年教师花名册"],
                &[],
                &["填表单位：示例小学", "", "2025.9.1"],
                &["序号", "姓名", "性别", "身份证号", "联系电话", "爱好"],
                &["1", "张三", "男"],
            ]),
        )
        .unwrap();
        assert_eq!((found.table, found.first), (Table::Teachers, 4));
        assert_eq!(found.index(Column::Name), Some(1));
        assert_eq!(found.private, ["身份证号", "联系电话"]);
        assert_eq!(found.unused, ["爱好"]);
    }

    #[test]
    fn headings_over_two_rows() {
        let found = find(
            Vocabulary::Roster,
            &sheet(&[
                &["序号", "基本信息", "基本信息", "任教情况", "任教情况", "职称"],
                &["序号", "姓名", "性别", "学科", "学段", "职称"],
                &["1", "张三", "男", "语文", "小学", "一级"],
            ]),
        )
        .unwrap();
        assert_eq!(found.first, 2);
        assert_eq!(found.columns.len(), 6);
        // Unmerged corners stand only in the upper row.
        let found = find(
            Vocabulary::Roster,
            &sheet(&[
                &["姓名", "任教情况", "", "", "职称"],
                &["", "学科", "学段", "班主任", ""],
                &["张三", "语文", "小学", "是", "一级"],
            ]),
        )
        .unwrap();
        assert_eq!(found.first, 2);
        assert_eq!(
            (found.index(Column::Name), found.index(Column::Title)),
            (Some(0), Some(4))
        );
    }

    #[test]
    fn tables_of_schools() {
        let found = find(
            Vocabulary::Roster,
            &sheet(&[&["学校名称", "学校标识码", "教师数"]]),
        )
        .unwrap();
        assert_eq!(found.table, Table::Organisations);
        assert_eq!(
            find(Vocabulary::Roster, &sheet(&[&["项目", "金额"], &["书", "20"]])),
            None
        );
    }
}
