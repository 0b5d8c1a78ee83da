//! What the county's projects have come to: trainer team and workshops, delivery (送教下乡), and who took part in the
//! trainings outside the schools (F3: 工作坊进度, 送教场次; domain.md §5.1). Counted by SQL over all schools.

use std::collections::BTreeMap;

use records::rules::r5;

use super::attendance::{PRESENT, VOID};
use super::claims::in_force;
use super::series::HELD;
use crate::{Error, Node};

/// A workshop, station, studio or the trainer team in one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupLine {
    /// Record id.
    pub id: String,
    /// 名称.
    pub name: String,
    /// Code of the kind of group.
    pub group_kind: String,
    /// Code of the stage, or empty.
    pub stage: String,
    /// 学科, or empty.
    pub subject: String,
    /// 名额.
    pub seats: i64,
    /// Members: who applied and has not left.
    pub members: i64,
    /// Of these, who have the class-hours online that R5 asks for.
    pub online: i64,
    /// Face-to-face sessions: days on which somebody took part in a training that is named as the group is.
    pub meetings: i64,
    /// 人次 of these.
    pub attended: i64,
}

/// A training outside the schools, over all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Training {
    /// 项目名称.
    pub project: String,
    /// How often it was held: different first days.
    pub held: i64,
    /// Who took part, once for each time (人次).
    pub attended: i64,
}

/// Delivery to the countryside in one school year.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The calendar year in which the school year begins.
    pub year: i32,
    /// Sheets that are not void: one subject in one round at one school.
    pub sessions: i64,
    /// Different rounds.
    pub rounds: i64,
    /// Days of all rounds, in hundredths.
    pub days_c: i64,
    /// Local members of the teams, once for each sheet (人次).
    pub lectures: i64,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Projects {
    /// Groups by kind and name.
    pub groups: Vec<GroupLine>,
    /// Delivery by school year.
    pub delivery: Vec<Delivery>,
    /// 人次 of the trainings that a delivery sheet names as its project.
    pub delivered: i64,
    /// Trainings outside the schools by project.
    pub trainings: Vec<Training>,
}

/// The county's projects with what took place on days from `first` to `last` (`YYYY-MM-DD`, both included).
///
/// # Errors
/// When the store cannot be read.
pub fn projects(node: &Node, first: &str, last: &str) -> Result<Projects, Error> {
    let online = in_force(node, r5())
        .requirement("workshop.online")
        .and_then(|asked| asked.min);
    // Without such a rule nobody has reached it.
    let online = online.map_or(i64::MAX, |least| least.0);
    let list = |codes: &[&str]| {
        codes
            .iter()
            .map(|code| format!("'{code}'"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    // Equal marks of one person in a session are one; different ones, or one in dispute, are none.
    let trainings = format!(
        "SELECT project, COUNT(DISTINCT date), COUNT(*) FROM (
           SELECT s.fields ->> 'project' AS project, s.date AS date
           FROM record s JOIN record a ON a.kind = 'attendance' AND a.about = s.id AND a.school = s.school
           WHERE s.kind = 'session' AND s.disputed = 0 AND s.date BETWEEN ?1 AND ?2
             AND COALESCE(s.fields ->> 'organiser', '') <> '' AND s.fields ->> 'state' IN ({})
             AND (a.fields ->> 'status' <> '{VOID}' OR a.disputed = 1)
           GROUP BY s.doc, s.id, a.person
           HAVING COUNT(DISTINCT a.fields ->> 'status') = 1 AND MAX(a.disputed) = 0
             AND MAX(a.fields ->> 'status') IN ({}))
         GROUP BY project ORDER BY project",
        list(&HELD),
        list(&PRESENT),
    );
    node.read(|conn| {
        let mut of = Projects::default();
        let mut query = conn.prepare_cached(&trainings)?;
        let found = query.query_map((first, last), |row| {
            Ok(Training {
                project: row.get::<_, Option<String>>(0)?.unwrap_or_default(),
                held: row.get(1)?,
                attended: row.get(2)?,
            })
        })?;
        of.trainings = found.collect::<Result<_, _>>()?;
        let by_project: BTreeMap<&str, &Training> =
            of.trainings.iter().map(|each| (each.project.as_str(), each)).collect();

        let mut query = conn.prepare_cached(
            "SELECT g.id, g.fields ->> 'name', g.fields ->> 'group_kind', g.fields ->> 'stage', g.fields ->> 'subject',
               COALESCE(g.fields ->> 'seats', 0), COUNT(DISTINCT m.who),
               COUNT(DISTINCT iif(m.online_c >= ?1, m.who, NULL))
             FROM record g LEFT JOIN (
               SELECT doc, about, fields ->> 'school' || '/' || (fields ->> 'teacher_code') AS who,
                 COALESCE(fields ->> 'online_c', 0) AS online_c
               FROM record WHERE kind = 'enrolment' AND disputed = 0
                 AND fields ->> 'state' IN ('enrolled', 'confirmed', 'completed')
             ) m ON m.about = g.id AND m.doc = g.doc
             WHERE g.kind = 'training_group' AND g.disputed = 0
             GROUP BY g.doc, g.id ORDER BY 3, 2",
        )?;
        let text = |row: &store::rusqlite::Row<'_>, at: usize| {
            Ok::<_, store::rusqlite::Error>(row.get::<_, Option<String>>(at)?.unwrap_or_default())
        };
        let found = query.query_map([online], |row| {
            let name = text(row, 1)?;
            let held = by_project.get(name.as_str());
            Ok(GroupLine {
                id: row.get(0)?,
                group_kind: text(row, 2)?,
                stage: text(row, 3)?,
                subject: text(row, 4)?,
                seats: row.get(5)?,
                members: row.get(6)?,
                online: row.get(7)?,
                meetings: held.map_or(0, |training| training.held),
                attended: held.map_or(0, |training| training.attended),
                name,
            })
        })?;
        of.groups = found.collect::<Result<_, _>>()?;

        let mut query = conn.prepare_cached(
            "SELECT v.year, COUNT(*), SUM((SELECT COUNT(*) FROM record m WHERE m.kind = 'visit_member'
                 AND m.about = v.id AND m.doc = v.doc AND m.disputed = 0 AND m.fields ->> 'origin' = 'local')),
               json_group_array(DISTINCT v.fields ->> 'project'),
               json_group_array(json_array(v.fields ->> 'round', v.fields ->> 'days_c'))
             FROM record v
             WHERE v.kind = 'visit' AND v.disputed = 0 AND v.fields ->> 'visit_kind' = 'delivery'
               AND v.fields ->> 'state' <> 'void' AND v.date BETWEEN ?1 AND ?2
             GROUP BY v.year ORDER BY v.year",
        )?;
        let mut found = query.query((first, last))?;
        let mut named = std::collections::BTreeSet::new();
        while let Some(row) = found.next()? {
            named.extend(parsed::<Vec<Option<String>>>(&text(row, 3)?).into_iter().flatten());
            // Subjects are taught in parallel: a round lasts as long as its longest sheet.
            let mut rounds: BTreeMap<i64, i64> = BTreeMap::new();
            for (round, days_c) in parsed::<Vec<(Option<i64>, Option<i64>)>>(&text(row, 4)?) {
                let longest = rounds.entry(round.unwrap_or_default()).or_default();
                *longest = (*longest).max(days_c.unwrap_or_default());
            }
            of.delivery.push(Delivery {
                year: row.get::<_, Option<i32>>(0)?.unwrap_or_default(),
                sessions: row.get(1)?,
                lectures: row.get::<_, Option<i64>>(2)?.unwrap_or_default(),
                rounds: i64::try_from(rounds.len()).unwrap_or(i64::MAX),
                days_c: rounds.values().sum(),
            });
        }
        of.delivered = named
            .iter()
            .filter_map(|project| by_project.get(project.as_str()))
            .map(|training| training.attended)
            .sum();
        Ok(of)
    })
}

fn parsed<T: serde::de::DeserializeOwned + Default>(json: &str) -> T {
    serde_json::from_str(json).unwrap_or_default()
}
