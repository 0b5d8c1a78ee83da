//! The walk over all sheets of a file.

use super::organisations::Organisations;
use super::teachers::Teachers;
use super::{RosterContext, RosterPlan};
use crate::sheet::grid::{Sheet, Workbook};
use crate::sheet::header::{self, Column, Header, Table, Vocabulary};
use crate::sheet::row::{Row, RowKind, classify};
use crate::sheet::text::squeeze;
use std::collections::HashSet;

/// Compares a file with what is known and says what importing it would do. Writes nothing.
///
/// At the county (`is_county`) organisations are planned, at a school (`home_school`) its own
/// teachers; everything else of the file is counted in `skipped`.
pub fn plan_roster(book: &Workbook, context: &RosterContext) -> RosterPlan {
    let mut plan = RosterPlan {
        school: context.home_school.as_ref().map(|s| s.id.clone()),
        ..RosterPlan::default()
    };
    if context.home_school.is_none() && !context.is_county {
        plan.found.note(
            "本机尚未加入县网，不能导入；请先完成入网".into(),
            "This node has not been enrolled; nothing can be imported before".into(),
        );
        return plan;
    }
    let tables: Vec<(&Sheet, Header)> = book
        .sheets
        .iter()
        .filter_map(|sheet| {
            let found = header::find(Vocabulary::Roster, sheet);
            if found.is_none() && sheet.rows.iter().flatten().any(|c| !c.is_blank()) {
                plan.found.note(
                    format!(
                        "工作表“{}”没有认出表头（需要“姓名”或“学校名称”等列），未读取",
                        sheet.name
                    ),
                    format!(
                        "Sheet “{}” has no heading row that is known; it was not read",
                        sheet.name
                    ),
                );
            }
            Some((sheet, found?))
        })
        .collect();
    for (sheet, header) in &tables {
        plan.found.columns(sheet, header);
    }
    let rows = |plan: &mut RosterPlan, table: Table, each: &mut dyn FnMut(Row<'_>)| {
        for (sheet, header) in tables.iter().filter(|(_, h)| h.table == table) {
            for row in header.first..sheet.rows.len() {
                match classify(sheet, header, row) {
                    RowKind::Data => each(Row {
                        sheet,
                        header,
                        row,
                        found: &mut plan.found,
                        failed: false,
                    }),
                    RowKind::Blank => plan.found.skipped.blank += 1,
                    RowKind::Total => plan.found.skipped.totals += 1,
                    RowKind::Remark => plan.found.skipped.remarks += 1,
                }
            }
        }
    };

    if context.is_county {
        let mut organisations = Organisations::new(&context.organisations, codes(&tables));
        rows(&mut plan, Table::Organisations, &mut |row| {
            organisations.read(row)
        });
        let mut people = 0;
        let counts_people = context.home_school.is_none();
        // A roster without a sheet of schools still names the schools.
        let before = plan.found.skipped.clone();
        rows(&mut plan, Table::Teachers, &mut |row| {
            people += 1;
            organisations.read_mention(row);
        });
        organisations.finish(&mut plan);
        if counts_people {
            plan.found.skipped.teachers_at_county = people;
            if people > 0 {
                plan.found.note(
                    format!("教师姓名只存各校，共 {people} 人未导入；请各校导入本校花名册"),
                    format!("Names of teachers are kept at their schools only: {people} were not imported; each school imports its own"),
                );
            }
        } else {
            // The same rows are counted again below.
            plan.found.skipped = before;
        }
    } else if tables.iter().any(|(_, h)| h.table == Table::Organisations) {
        plan.found.note(
            "学校信息由县里登记，文件中的学校表未导入".into(),
            "Schools are registered by the county; the file's table of schools was not imported".into(),
        );
    }

    if let Some(home) = &context.home_school {
        let mut teachers = Teachers::new(
            home,
            &context.teachers,
            &context.organisations,
            context.school_year,
        );
        rows(&mut plan, Table::Teachers, &mut |row| teachers.read(row));
        teachers.finish(&mut plan);
    }
    plan
}

/// School codes in all tables of schools.
fn codes(tables: &[(&Sheet, Header)]) -> HashSet<String> {
    tables
        .iter()
        .filter(|(_, header)| header.table == Table::Organisations)
        .filter_map(|(sheet, header)| Some((sheet, header.first, header.index(Column::SchoolCode)?)))
        .flat_map(|(sheet, first, column)| {
            (first..sheet.rows.len()).map(move |row| squeeze(&sheet.cell(row, column).text()))
        })
        .filter(|code| !code.is_empty())
        .collect()
}
