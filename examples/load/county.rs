//! Makes the county: directories of the hub and of every school, and what the schools write.

use std::path::{Path, PathBuf};

use node::accounts::{self, NewAccount};
use node::office::{self, By, OrganisationInput, SessionInput};
use node::{Node, Role, enrol};
use yanxiu_examples::teacher;

use crate::reader::{NAME, SECRET};
use crate::{Result, Shape};

/// Teachers of a school, as in the generated county (1,640 in 45 schools).
const TEACHERS: usize = 36;
/// Of them come to a session.
const MARKS: usize = 30;
/// Of a school of the many. Each is two records, the person and the post.
const FEW_TEACHERS: usize = 4;

/// Where it lies.
pub struct County {
    /// The hub's directory.
    pub hub: PathBuf,
    /// The schools'.
    pub schools: Vec<PathBuf>,
}

fn by() -> By {
    By {
        account: "李专管员".into(),
    }
}

/// Founds it under `dir`. Schools of the storm have a roster, and claims for one session.
pub fn make(dir: &Path, shape: Shape, listen: &str) -> Result<County> {
    let county = County {
        hub: dir.join("hub"),
        schools: (0..shape.schools)
            .map(|i| dir.join(format!("school-{i}")))
            .collect(),
    };
    let hub = Node::init_county(&county.hub, "云岭县")?;
    let organisation = |i: usize| OrganisationInput {
        name: format!("第{}小学", i + 1),
        org_kind: "primary_school".into(),
        rural: "township".into(),
        ..OrganisationInput::default()
    };
    let all = (0..shape.schools).map(|i| (None, organisation(i)));
    office::save_organisations(&hub, &by(), all.collect())?;
    enrol::publish_address(&hub, listen)?;
    let account = NewAccount {
        name: NAME.into(),
        role: accounts::Role::Auditor,
        secret: SECRET.into(),
        person: None,
    };
    accounts::create(&hub, account, node::now())?;
    for (at, organisation) in county.schools.iter().zip(office::organisations(&hub)?) {
        let label = format!("{} 电脑", organisation.name);
        let school = Node::init_member(at, &label)?;
        let answer = enrol::approve(&hub, &school.id(), &label, &[(Role::School, organisation.id)])?;
        enrol::accept(&school, &answer.text)?;
        enrol::confirm(&school)?;
        if shape.storm {
            let home = home(&school)?;
            teachers(&school, &home, TEACHERS)?;
            let held = session(&school, &home, 0)?;
            mark(&school, &home, &held, TEACHERS)?;
            office::register_claims(&school, &by(), &held, "2025-12-31")?;
        }
    }
    Ok(county)
}

/// What every school writes while it has no network; how many records in all.
pub fn offline(county: &County, shape: Shape) -> Result<usize> {
    let mut written = 0;
    for dir in &county.schools {
        let school = Node::open(dir)?;
        let home = home(&school)?;
        if shape.storm {
            for n in 0..shape.each {
                let held = session(&school, &home, n + 1)?;
                written += 1 + mark(&school, &home, &held, MARKS)?;
            }
        } else {
            teachers(&school, &home, FEW_TEACHERS)?;
            let sessions = shape.each.saturating_sub(2 * FEW_TEACHERS);
            for n in 0..sessions {
                session(&school, &home, n)?;
            }
            written += 2 * FEW_TEACHERS + sessions;
        }
    }
    Ok(written)
}

fn home(school: &Node) -> Result<String> {
    Ok(school.home_school().ok_or("no school")?)
}

/// A change of two records each.
fn teachers(school: &Node, home: &str, count: usize) -> Result<()> {
    for i in 0..count {
        office::save_teacher(school, &by(), home, None, teacher(i))?;
    }
    Ok(())
}

fn session(school: &Node, home: &str, n: usize) -> Result<String> {
    let session = SessionInput {
        title: format!("校本研修第{}次：读懂学生的错误", n + 1),
        theme: "分数的意义：从平均分到单位一，先学后教，当堂训练".into(),
        // The school year 2025: September to December, four a week at most.
        date: format!("2025-{:02}-{:02}", 9 + n % 4, 1 + n / 4 % 28),
        begins: "08:30".into(),
        ends: "10:00".into(),
        place: "多媒体教室".into(),
        form: "school_based".into(),
        category: "practice".into(),
        channel: "school".into(),
        hours_c: 200,
        lecturers: "教研组".into(),
        ..SessionInput::default()
    };
    Ok(office::save_session(school, &by(), home, None, session)?)
}

/// So many of the school were there, and the session is over. How many records that makes.
fn mark(school: &Node, home: &str, held: &str, count: usize) -> Result<usize> {
    let there = office::roster(school, home)?.into_iter().take(count);
    let marks: Vec<(String, String)> = there.map(|t| (t.id, "present".into())).collect();
    let written = office::mark_attendance(school, &by(), held, &marks)?;
    office::end_session(school, &by(), held)?;
    Ok(written)
}
