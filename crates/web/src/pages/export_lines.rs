//! What the exported forms say, gathered from the records: sessions, evidence, results and objections around claims,
//! marks of a session, the county's schools.

use std::collections::HashMap;

use node::office::{self, Assessed, Behind, ClaimRow, ClaimState, SchoolRow, SessionDetail};
use node::{Filter, Node, Record};
use records::{Kinds, Lang};

use crate::page;
use crate::pages::board::{self, Whose};
use crate::sheet::write::{ClaimLine, ClaimMore, SchoolLine, SchoolSummary, SignIn};

fn label(kind: &str, field: &str, code: &str) -> String {
    Kinds::builtin()
        .code_label(kind, field, code, Lang::Zh)
        .to_owned()
}

/// Lines of form F8, in the order of the claims.
pub(crate) fn claims(
    node: &Node,
    claims: Vec<ClaimRow>,
    codes: &HashMap<String, String>,
) -> Result<Vec<ClaimLine>, node::Error> {
    let behind = office::behind(node, &claims)?;
    let line = |(claim, behind): (ClaimRow, Behind)| {
        let kinds: Vec<String> = behind
            .evidence
            .iter()
            .map(|kind| label("evidence", "evidence_kind", kind))
            .collect();
        let more = ClaimMore {
            organiser: behind.organiser,
            until: behind.until,
            evidence: kinds.join("、"),
            result: behind.result.map_or_else(String::new, result),
            clerk: claim.claimed_by.clone(),
            objection: label("objection", "state", &behind.objection),
        };
        ClaimLine {
            teacher_code: codes.get(&claim.person).cloned().unwrap_or_default(),
            theme: behind.theme,
            form: behind.form,
            claim,
            more,
        }
    };
    Ok(claims.into_iter().zip(behind).map(line).collect())
}

fn result(assessed: Assessed) -> String {
    let result = label("assessment", "result", &assessed.result);
    match assessed.points {
        _ if assessed.disputed => "待核".to_owned(),
        Some(points) => format!("{result} {}", page::amount(&points)),
        None => result,
    }
}

/// What the summary (F2) says of lectures and of missing evidence.
pub(super) fn around(
    node: &Node,
    school: &str,
    claims: &[ClaimRow],
    summary: &mut SchoolSummary,
) -> Result<(), node::Error> {
    let (mut lecture, mut all) = (0, 0);
    for session in node.records(&Filter::kind("session").school(school))? {
        let held = matches!(
            session.text("state"),
            "held" | "ended" | "credited" | "audited" | "archived"
        );
        // What two devices say differently counts nothing.
        if held && !session.disputed {
            lecture += session.int("lecture_minutes");
            all += session.int("minutes");
        }
    }
    summary.lecture = Some((lecture, all));
    let behind = office::behind(node, claims)?;
    let without = behind.iter().filter(|behind| behind.evidence.is_empty());
    summary.no_evidence = Some(without.count());
    Ok(())
}

/// Lines of form F9.
pub(super) fn sign_ins(node: &Node, session: &SessionDetail) -> Result<Vec<SignIn>, node::Error> {
    let row = &session.row;
    let roster: HashMap<_, _> = office::roster(node, &row.school)?
        .into_iter()
        .map(|teacher| (teacher.id.clone(), teacher))
        .collect();
    let marks = node.records(&Filter::kind("attendance").about(&row.id).school(&row.school))?;
    let marks: HashMap<&str, &Record> = marks.iter().map(|mark| (mark.id.as_str(), mark)).collect();
    let line = |mark: &office::Mark| {
        let teacher = roster.get(&mark.person);
        let record = mark.attendance.as_deref().and_then(|id| marks.get(id));
        let text = |field: &str| record.map_or_else(String::new, |record| record.text(field).to_owned());
        SignIn {
            name: mark.name.clone(),
            teacher_code: teacher.map_or_else(String::new, |t| t.teacher_code.clone()),
            subject: teacher.map_or_else(String::new, |t| t.subject.clone()),
            status: match &mark.status {
                Some(status) if !mark.disputed => status.clone(),
                _ => String::new(),
            },
            arrived: text("arrived"),
            left: text("left"),
            remark: if mark.disputed {
                "待核".to_owned()
            } else {
                text("reason")
            },
        }
    };
    Ok(session.marks.iter().map(line).collect())
}

/// Lines of form F3.
pub(super) fn dashboard(
    node: &Node,
    schools: &[SchoolRow],
    whose: &Whose,
) -> Result<Vec<SchoolLine>, node::Error> {
    let mut people = board::by_school(node, whose)?;
    let codes: HashMap<String, String> = office::organisations(node)?
        .into_iter()
        .map(|o| (o.id, o.school_code))
        .collect();
    let mut lines = Vec::new();
    for school in schools {
        let mut line = SchoolLine {
            school: school.name.clone(),
            code: codes.get(&school.id).cloned().unwrap_or_default(),
            rural: label("organisation", "rural", &school.rural),
            contact: school
                .last_contact
                .map_or_else(String::new, |at| page::moment(&at)),
            ..SchoolLine::default()
        };
        let own = people.remove(&school.id).unwrap_or_default();
        let whole = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        (line.teachers, line.met) = (whole(own.people), whole(own.complete));
        for claim in office::all_claims(node, &school.id)?.iter() {
            match &claim.state {
                _ if claim.disputed => line.waiting += 1,
                ClaimState::Decided {
                    verdict, credits_c, ..
                } => {
                    let at = match claim.channel.as_str() {
                        "school" => 0,
                        "district" => 1,
                        _ => 2,
                    };
                    if let (true, Some(sum)) = (
                        matches!(verdict.as_str(), "recognised" | "reduced"),
                        line.credits_c.get_mut(at),
                    ) {
                        *sum += credits_c;
                    }
                }
                _ => line.waiting += 1,
            }
        }
        for observation in node.records(&Filter::kind("observation").school(&school.id))? {
            if observation.text("state") != "void" {
                // 听课之后必评课: done once the debrief was held.
                let signed = matches!(observation.text("state"), "debriefed" | "signed");
                line.observations = [line.observations[0] + 1, line.observations[1] + i64::from(signed)];
            }
        }
        let objections = node.records(&Filter::kind("objection").school(&school.id))?;
        let raised = objections.iter().filter(|o| o.text("state") == "raised").count();
        line.objections = i64::try_from(raised).unwrap_or(i64::MAX);
        lines.push(line);
    }
    Ok(lines)
}
