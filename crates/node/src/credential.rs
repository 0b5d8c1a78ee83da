//! A credit statement (学分证明) as a file: signed by a device of the county's auditors, and checked by whoever knows
//! the county's root key, without a network and without a node. Pure; [`crate::office::issue_statement`] makes one.
//!
//! ```text
//! file       header "." payload "." signature     one line: a JWS in compact form (RFC 7515), each part base64url
//!                                                  without padding; blanks and line breaks around it do not matter
//! header     JSON: alg "EdDSA", typ "vc+jwt", jwk the issuing device's key (RFC 8037), county its root key as 52
//!            letters, roll the roll's statements that make the device an auditor (`sync/src/roll.rs`), base64url
//! payload    JSON: an Open Badges 3.0 achievement credential (domain.md §7.4); all that is checked and shown here
//!            stands in credentialSubject.statement, a [`CreditStatement`] with its version
//! signature  Ed25519 (RFC 8037, 64 bytes) of the device over the letters of header "." payload
//! ```
//! Another suite (SM2) is another `alg`; readers refuse those that they do not know. A new version of the content takes
//! the next number of [`VERSION`], and the fields of a known version never change their meaning.

use std::collections::BTreeMap;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sync::roll::{Body, Statement};
use sync::{DeviceKey, NodeId, Roll};

use crate::policy::Role;

/// Version of [`CreditStatement`] that is written.
pub const VERSION: u32 = 1;

/// Largest file in bytes: a cycle of one person with some thousand lines stays below.
pub const FILE_BYTES: usize = 1024 * 1024;

/// What `alg` and `typ` say.
const ALG: &str = "EdDSA";
const TYP: &str = "vc+jwt";

/// What the county says of one person's credit in a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditStatement {
    /// [`VERSION`].
    pub version: u32,
    /// 编号: id of the record in the ledger.
    pub id: String,
    /// Name of the county.
    pub county: String,
    /// 签发日期, `YYYY-MM-DD`.
    pub issued_on: String,
    /// Account of the auditor who issued it.
    pub issued_by: String,
    /// What it is for; empty = not said.
    pub purpose: String,
    /// Whose credit it is.
    pub holder: Holder,
    /// What it covers.
    pub period: Covered,
    /// The rules that the figures follow.
    pub rules: Rules,
    /// What counts: class-hours recognised, in hundredths.
    pub hours_c: i64,
    /// Credits recognised, in hundredths.
    pub credits_c: i64,
    /// What counts in the total of the rules, in hundredths of [`Rules::unit`].
    pub counted_c: i64,
    /// How each requirement stands; for a whole cycle alone.
    pub requirements: Vec<Requirement>,
    /// Every decision of the period, oldest first.
    pub lines: Vec<Line>,
    /// The day of the latest decision that counts and a digest over all that count.
    pub cut_off: String,
    /// Heads (64 hexadecimal digits each) of every document that the lines rest on, by document key.
    pub heads: BTreeMap<String, Vec<String>>,
}

/// Whose credit it is. No number of an identity card: none is kept in documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Record id of the person.
    pub id: String,
    /// 姓名.
    pub name: String,
    /// 教师编号; may be empty.
    pub teacher_code: String,
    /// Record id of the school.
    pub school_id: String,
    /// Name of the school.
    pub school: String,
}

/// The days that a statement covers, both included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// `YYYY-MM-DD`.
    pub from: String,
    /// `YYYY-MM-DD`.
    pub until: String,
    /// Whether it is a whole cycle of the rules.
    pub cycle: bool,
}

/// A rule set in its version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Id and version.
    pub reference: String,
    /// Chinese title.
    pub title_zh: String,
    /// English title.
    pub title_en: String,
    /// What totals are in: `credit` or `hour`.
    pub unit: String,
    /// Whether everything hard is met; for a whole cycle alone.
    pub complete: Option<bool>,
}

/// One requirement of the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// Id in the rule set.
    pub id: String,
    /// Chinese label.
    pub zh: String,
    /// English label.
    pub en: String,
    /// Earned, in hundredths.
    pub earned_c: i64,
    /// Wanted, in hundredths.
    pub min_c: i64,
    /// Whether it is met.
    pub met: bool,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Id of the claim, or of the opening balance.
    pub id: String,
    /// What was decided on: `claim`, `carried` (转入学分) or `opening` (期初学分).
    pub what: String,
    /// Day of the session, `YYYY-MM-DD`; of an opening balance the last day of its school year.
    pub date: String,
    /// 活动名称.
    pub title: String,
    /// 课程类别, in Chinese.
    pub category: String,
    /// 培训渠道, in Chinese.
    pub channel: String,
    /// Code: recognised, reduced, rejected or returned.
    pub verdict: String,
    /// 审核日期.
    pub decided_on: String,
    /// Class-hours given, in hundredths.
    pub hours_c: i64,
    /// Credits given, in hundredths.
    pub credits_c: i64,
    /// What it adds to the total of the rules.
    pub counted_c: i64,
    /// Why it counts zero, in Chinese; empty if it counts.
    pub why_not: String,
}

/// Why a file is not taken for a statement of the county.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Not of this form at all.
    #[error("this is no credit statement; choose the file that the county gave out (.jwt)")]
    NotOne,
    /// Beyond [`FILE_BYTES`].
    #[error("the file is too large for a credit statement")]
    TooLarge,
    /// Of this form, and not as it was signed.
    #[error("the statement was changed or is damaged: its signature does not fit; ask for the original file")]
    Changed,
    /// Signed in a suite, or of a version, that this program does not know.
    #[error("the statement is of a newer form ({0}); check it with a newer version of yanxiu")]
    Newer(String),
    /// Of another county than the one whose key was given.
    #[error("the statement was issued in another county ({0}); check it with that county's key")]
    OtherCounty(NodeId),
    /// The county has not made the device an auditor.
    #[error("the device {0} that signed it is no auditor of this county: the statement is not valid")]
    NotAuditor(NodeId),
    /// The county has put the device out, and nothing here shows that it was issued before.
    #[error(
        "the device that signed it was revoked by the county, and the ledger on this computer does not have the \
         statement; ask the county about number {0}"
    )]
    Revoked(String),
}

impl CredentialError {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            CredentialError::NotOne => "这不是学分证明文件；请选县里给的原文件（.jwt）".into(),
            CredentialError::TooLarge => "文件太大，不是学分证明".into(),
            CredentialError::Changed => "这份证明被改动过或已损坏：签名与内容不符；请索要原文件".into(),
            CredentialError::Newer(what) => {
                format!("这份证明的格式较新（{what}）；请用新版本的程序核验")
            }
            CredentialError::OtherCounty(root) => {
                format!("这份证明是别的县签发的（县公钥 {root}）；请用那个县的公钥核验")
            }
            CredentialError::NotAuditor(device) => {
                format!("签名的设备 {device} 不是本县的审核设备，这份证明无效")
            }
            CredentialError::Revoked(id) => {
                format!("签名的设备已被县里撤销，本机的台账里也没有这份证明；请向县里核实编号 {id}")
            }
        }
    }
}

/// A file whose signature and authority were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it says.
    pub statement: CreditStatement,
    /// The device that signed it.
    pub device: NodeId,
    /// What the roll calls that device.
    pub device_label: String,
    /// The county has put that device out since, or before.
    pub revoked: bool,
    /// [`digest`] of the file.
    pub digest: String,
}

#[derive(Serialize, Deserialize)]
struct Header {
    alg: String,
    typ: String,
    jwk: Jwk,
    county: String,
    roll: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
}

/// SHA-256 of the file's one line, which the ledger keeps.
pub fn digest(file: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(file.trim().as_bytes()))
}

/// Signs a statement with the device's key. `roll` tells others that the device is an auditor of the county.
pub fn sign(statement: &CreditStatement, key: &DeviceKey, roll: &Roll) -> String {
    let letters = |bytes: &[u8]| BASE64URL_NOPAD.encode(bytes);
    let header = Header {
        alg: ALG.into(),
        typ: TYP.into(),
        jwk: Jwk {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            x: letters(&key.id().0),
        },
        county: roll.county().to_string(),
        roll: proof(roll, &key.id())
            .map(|said| letters(&said.to_bytes()))
            .collect(),
    };
    let part = |json: String| letters(json.as_bytes());
    let header = part(serde_json::to_string(&header).unwrap_or_default());
    let payload = part(payload(statement, &key.id()).to_string());
    let signed = format!("{header}.{payload}");
    let signature = letters(&key.sign(signed.as_bytes()));
    format!("{signed}.{signature}\n")
}

/// The statements of the roll that make the device an auditor: its grants, and the officers who gave them.
fn proof<'r>(roll: &'r Roll, device: &NodeId) -> impl Iterator<Item = &'r Statement> {
    let device = *device;
    let granted = move |said: &&Statement| matches!(&said.body, Body::Grant { device: of, role, .. } if *of == device && *role == Role::Auditor.code());
    let issuers: Vec<NodeId> = roll
        .statements()
        .filter(granted)
        .map(|said| said.issuer)
        .collect();
    roll.statements().filter(move |said| {
        granted(said) || matches!(&said.body, Body::Officer { key, limit: None } if issuers.contains(key))
    })
}

/// The achievement credential around a statement. Amounts in hundredths stand in the statement; `creditsEarned` is for
/// readers that know Open Badges alone.
fn payload(statement: &CreditStatement, device: &NodeId) -> Value {
    let id = format!("urn:uuid:{}", statement.id);
    let moment = |day: &str| format!("{day}T00:00:00+08:00");
    json!({
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
            { "@vocab": "urn:yanxiu:credit-statement:" }
        ],
        "id": id,
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "name": "学分证明",
        "issuer": { "id": format!("urn:yanxiu:device:{device}"), "type": ["Profile"], "name": statement.county },
        "validFrom": moment(&statement.issued_on),
        "credentialSubject": {
            "id": format!("urn:uuid:{}", statement.holder.id),
            "type": ["AchievementSubject"],
            "activityStartDate": moment(&statement.period.from),
            "activityEndDate": moment(&statement.period.until),
            "creditsEarned": statement.credits_c as f64 / 100.0,
            "achievement": {
                "id": format!("urn:yanxiu:rules:{}", statement.rules.reference),
                "type": ["Achievement"],
                "achievementType": "Certificate",
                "name": statement.rules.title_zh,
                "description": statement.rules.title_en,
                "criteria": { "narrative": statement.rules.title_zh }
            },
            "statement": statement
        },
        // The claims of RFC 7519 that the credential format asks for beside it.
        "iss": format!("urn:yanxiu:device:{device}"),
        "sub": format!("urn:uuid:{}", statement.holder.id),
        "jti": id
    })
}

/// Checks a file against the county's root key: the signature, and that the county has made the device that signed an
/// auditor. `known` is a roll of that county that may know more than the file does; without one, a revocation that came
/// after the file was made cannot be seen. A revoked device is told in the answer and refused by the caller.
pub fn verify(file: &str, county: &NodeId, known: Option<&Roll>) -> Result<Verified, CredentialError> {
    let read = read(file)?;
    if read.county != *county {
        return Err(CredentialError::OtherCounty(read.county));
    }
    let mut roll = match known {
        Some(known) if known.county() == *county => known.clone(),
        _ => Roll::new(*county),
    };
    roll.add_all(read.roll);
    let grants = || {
        roll.grants(&read.device)
            .filter(|g| g.role == Role::Auditor.code())
    };
    if grants().next().is_none() {
        return Err(CredentialError::NotAuditor(read.device));
    }
    let label = grants().map(|g| g.label.clone()).find(|label| !label.is_empty());
    Ok(Verified {
        statement: read.statement,
        device: read.device,
        device_label: label.unwrap_or_else(|| read.device.short()),
        revoked: roll.is_revoked(&read.device),
        digest: digest(file),
    })
}

/// The county whose key a file has to be checked with, as the file itself says: to name it, never to trust it.
pub fn county_of(file: &str) -> Result<NodeId, CredentialError> {
    Ok(read(file)?.county)
}

struct Read {
    statement: CreditStatement,
    device: NodeId,
    county: NodeId,
    roll: Vec<Statement>,
}

/// Reads a file whose signature is the one of the key that it names. Nothing is known yet of that key.
fn read(file: &str) -> Result<Read, CredentialError> {
    use CredentialError::{Changed, Newer, NotOne, TooLarge};
    if file.len() > FILE_BYTES {
        return Err(TooLarge);
    }
    let file = file.trim();
    let mut parts = file.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NotOne);
    };
    // Whatever begins like one was one: `{"` in base64url.
    if !header.starts_with("eyJ") {
        return Err(NotOne);
    }
    let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| Changed);
    let (header_json, payload_json) = (bytes(header)?, bytes(payload)?);
    let head: Value = serde_json::from_slice(&header_json).map_err(|_| Changed)?;
    match (head["alg"].as_str(), head["typ"].as_str()) {
        (Some(ALG), Some(TYP)) => {}
        (Some(ALG), _) | (None, _) => return Err(Changed),
        (Some(alg), _) => return Err(Newer(alg.chars().take(20).collect())),
    }
    let head: Header = serde_json::from_value(head).map_err(|_| Changed)?;
    let key = <[u8; 32]>::try_from(bytes(&head.jwk.x)?).map_err(|_| Changed)?;
    let signature = <[u8; 64]>::try_from(bytes(signature)?).map_err(|_| Changed)?;
    let (device, end) = (NodeId(key), header.len() + 1 + payload.len());
    let signed = file.get(..end).unwrap_or_default();
    if !device.verify(signed.as_bytes(), &signature) {
        return Err(Changed);
    }
    let payload: Value = serde_json::from_slice(&payload_json).map_err(|_| Changed)?;
    let statement = &payload["credentialSubject"]["statement"];
    match statement["version"].as_u64() {
        Some(version) if version == u64::from(VERSION) => {}
        Some(version) => return Err(Newer(version.to_string())),
        None => return Err(NotOne),
    }
    let roll = head.roll.iter().map(|said| {
        let said = BASE64URL_NOPAD.decode(said.as_bytes()).ok()?;
        Statement::from_bytes(&said).ok()
    });
    Ok(Read {
        statement: serde_json::from_value(statement.clone()).map_err(|_| Changed)?,
        device,
        county: NodeId::parse(&head.county).ok_or(Changed)?,
        // One that cannot be read proves nothing, and harms nothing.
        roll: roll.flatten().collect(),
    })
}

#[cfg(test)]
mod tests;
