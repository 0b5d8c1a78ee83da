//! A county's invitation of a school, as a file on a stick: whom the school is to ask, and as whom. It grants nothing:
//! the county approves the device as ever, and both compare the digits.
//!
//! ```text
//! invitation   "YXI" base32( version 1 | postcard(county root, county name, school, school code, statements) | checksum 4 )
//! statements   the county's officers and addresses, as any stranger is told them
//! ```

use sync::NodeId;
use sync::roll::Statement;
use sync::{Roll, identity::comparison_digits};

use super::{INVITATION, cut_text, decode, encode, keep_candidate, keep_school, line, officer, school_lines};
use crate::office::Organisation;
use crate::{Error, Node};

type Body = (NodeId, String, String, String, Vec<Vec<u8>>);

/// What an invitation says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invitation {
    /// The county's root key.
    pub root: NodeId,
    /// Its name.
    pub county: String,
    /// The school that is invited.
    pub school: String,
    /// Its code (学校标识码), or empty.
    pub school_code: String,
    /// Where the county's hubs listen, `host:port`.
    pub addresses: Vec<String>,
    /// What both sides will compare.
    pub digits: String,
}

/// The text of a school's invitation.
pub fn invite(node: &Node, school: &Organisation) -> Result<String, Error> {
    let root = officer(node)?;
    let state = node.roll_state();
    let statements = state.roll.for_stranger(&NodeId([0; 32]));
    let body: Body = (
        root,
        state.county_name.clone(),
        school.name.clone(),
        school.school_code.clone(),
        statements.iter().map(Statement::to_bytes).collect(),
    );
    let code = postcard::to_stdvec(&body).map_err(|_| Error::BadCode("invitation"))?;
    let mut text = format!(
        "研修 入网邀请 (yanxiu invitation)\n县 county: {}\n{}",
        state.county_name,
        school_lines(&school.name, &school.school_code)
    );
    for (_, address) in state.roll.hubs() {
        text += &format!("地址 address: {address}\n");
    }
    text += &format!("code: {}\n", encode(INVITATION, &code));
    Ok(text)
}

/// The name of the school in an invitation's text, for a computer that has no name yet.
pub fn school_named(text: &str) -> String {
    line(text, "school:")
}

/// Takes an invitation: its county becomes the candidate, its addresses are dialled, and the request will name the school.
pub fn invited(node: &Node, text: &str) -> Result<Invitation, Error> {
    let body = decode(INVITATION, text).ok_or(Error::BadCode("invitation"))?;
    let (root, county, school, school_code, statements): Body =
        postcard::from_bytes(&body).map_err(|_| Error::BadCode("invitation"))?;
    if node.county_root().is_some_and(|pinned| pinned != root) {
        return Err(Error::WrongAnswer("it is another county's"));
    }
    let statements: Vec<Statement> = statements
        .iter()
        .filter_map(|s| Statement::from_bytes(s).ok())
        .collect();
    let mut roll = Roll::new(root);
    roll.add_all(statements.iter().cloned());
    let addresses: Vec<String> = roll.hubs().map(|(_, address)| address.to_string()).collect();
    if node.county_root().is_none() {
        keep_candidate(node, root, &county, &statements, true)?;
        keep_school(node, &school, &school_code)?;
    }
    for address in &addresses {
        node.add_address(address)?;
    }
    Ok(Invitation {
        digits: comparison_digits(&root, &node.id()),
        root,
        county: cut_text(&county, 200),
        school: cut_text(&school, 200),
        school_code: cut_text(&school_code, 40),
        addresses,
    })
}
