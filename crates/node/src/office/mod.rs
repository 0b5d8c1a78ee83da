//! The office's work on records: roster, sessions, attendance, claims, decisions, credit cards.
//!
//! Each function takes the [`Node`] first, blocks, and either reads the views or
//! checks a form against its kind and commits it as one change. What is unique (one mark per
//! person and session, one claim per person and session, one decision per claim) is a natural key:
//! looked up before writing, and resolved when reading, because two devices that were apart may
//! each have made a record for it. Equal ones count once; different ones are *disputed* (待核),
//! count zero and stop nothing else (design.md §3).
//!
//! `draft` carries a form to its kind, `lookup` reads views in batches; `entries`, `entry_save` and `titles` do
//! with any kind what its file says; the other files have one subject each.

mod attendance;
mod audit;
mod behind;
mod bulletins;
mod card;
mod carry;
mod claims;
mod closing;
mod conflicts;
mod credit_statement;
mod draft;
mod entries;
mod entry_save;
mod evidence;
mod imports;
mod in_touch;
mod listening;
mod lookup;
mod names;
mod observations;
mod once;
mod opening;
mod opinions;
mod organisations;
mod outside;
mod own;
mod people;
mod per_school;
mod places;
mod profile;
mod projects;
mod publishing;
mod roster;
mod same_person;
mod schools;
mod series;
mod sessions;
mod signatures;
mod standing;
mod statistics;
#[cfg(test)]
mod tests;
mod titles;
mod undo;
mod unlisted;
mod versions;
mod visits;

use std::sync::{Mutex, MutexGuard, PoisonError};

use records::FieldError;

use crate::{Error, Node};

pub use attendance::{Mark, MarkInput, end_session, mark_attendance};
pub use audit::{audit_queue, audit_queue_of, decide};
pub use behind::{Assessed, Behind, behind};
pub use bulletins::readings::{Reach, Reading, reach, read_bulletin, readings, unread_bulletins};
pub use bulletins::schedule::{Scheduled, schedules};
pub use bulletins::{Bulletin, BulletinInput, bulletins, draft_bulletin};
pub use card::{CardView, credit_card, credit_cards};
pub(crate) use carry::follow_arrivals;
pub use claims::{ClaimRow, ClaimState, all_claims, claims, register_claims};
pub use closing::{Closing, LateRecord, Statement, close_year, closings, correct, late_records, statements};
pub use conflicts::{
    Choice, Conflict, Found, Matter, Proof, Said, conflict, conflicts, count_conflicts, open_conflicts,
    settle,
};
pub use credit_statement::{
    CheckedStatement, InLedger, IssuedStatement, StatementInput, check_statement, find_statement,
    issue_statement, issued_statement, issued_statements, statement_code, statement_file,
};
pub use entries::{
    About, Changed, Done, Entry, EntryDetail, Next, Shown, Stand, entries, entry, entry_counts,
    filled_by_program, has_own_acts, may_write_kind,
};
pub use entry_save::{EntryInput, save_entry, take_step};
pub use evidence::{
    Awaited, Here, Photo, PhotoFiles, PhotoInput, add_photo, ask_original, check_photo, photo, photos,
};
pub use imports::{
    ImportFile, OutsideInput, OutsideRow, PassRow, check_outside, import, import_attendance, import_list,
    import_outside, import_passes, import_teachers, outside_claims, taken_rows,
};
pub use in_touch::{Met, Upto, last_contact, upto};
pub use listening::{HeldBack, Listener, Listening, listening};
pub use names::name_variants;
pub use observations::{
    Observation, ObservationInput, ObservationRow, answer_observation, lesson_counts, observation,
    observations, save_observation,
};
pub use once::Waits;
pub use opening::{
    Cell, OpeningColumn, OpeningInput, OpeningRow, decide_openings, opening_queue, opening_table, openings,
    save_openings,
};
pub use opinions::{Opinion, Opinions, opinions};
pub(crate) use organisations::area_of;
pub use organisations::{
    Organisation, OrganisationInput, check_organisation, find_school, organisations, save_organisations,
};
pub use outside::{ToldHours, ToldRow, register_told, tell_outside, told_outside};
pub use own::{answer_objection, dispute, own_entries, own_entry, sign_own, withdraw_objection};
pub use per_school::Years;
pub use places::{Applicant, Places, Seat, places};
pub use profile::ProfileRow;
pub use projects::{Delivery, GroupLine, Projects, Training, projects};
pub use publishing::{Checked, Publication, check_publication, publications, publish};
pub use roster::{
    RosterRow, Teacher, TeacherInput, Whereabouts, check_teacher, roster, save_teacher, save_teachers,
    teacher,
};
pub use same_person::{EnteredPerson, SamePerson, declare_same, maybe_same, same_persons};
pub use schools::{SchoolRow, schools, schools_on};
pub use series::{InSeries, MonthHeld, SeriesPlan, enter_series, held_by_month, series_plan};
pub use sessions::{
    SessionDetail, SessionInput, SessionRow, all_sessions, save_session, session, sessions, sessions_from,
    void_session,
};
pub use signatures::{Hand, Side, Signature, Signatures, hand_of, sign, signatures, signed_content};
pub(crate) use standing::follow_standings;
pub use standing::{Pace, Standing, all_standings, standings};
pub use statistics::{Counted, LessonSet, Statistics, statistics};
pub use store::imports::Import;
pub use titles::choices;
pub use undo::{Fate, Undone, undo_import, undo_preview};
pub use unlisted::{Unlisted, add_unlisted, link_unlisted, unlisted};
pub use versions::{Difference, UnderVersion};
pub use visits::{
    Assignment, Part, TakenAlong, Visit, VisitRow, assignments, taken_along, visit, visit_rules, visits,
};

/// Who typed a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct By {
    /// The local account's label, written into the record as `_by`.
    pub account: String,
}

/// Looking up a natural key and committing must not interleave with another request that does the
/// same (a double click on 登分), so writes of this module take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A school's records are entered on that school's devices alone.
fn own_school(node: &Node, school: &str) -> Result<(), Error> {
    if node.home_school().as_deref() == Some(school) {
        return Ok(());
    }
    Err(invalid(
        "school",
        "只有本校已入网的设备才能登记本校的数据",
        "Only an enrolled device of this school may enter its records",
    ))
}

fn invalid(field: &str, zh: &str, en: &str) -> Error {
    Error::Invalid(vec![fault(field, zh, en)])
}

fn fault(field: &str, zh: &str, en: &str) -> FieldError {
    FieldError {
        field: field.into(),
        zh: zh.into(),
        en: en.into(),
    }
}

fn no_such(field: &str, zh: &str, en: &str) -> Error {
    invalid(
        field,
        &format!("本机没有这条{zh}记录"),
        &format!("There is no such {en} on this node"),
    )
}
