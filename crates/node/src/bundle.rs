//! Sealed bundles: what one device has for another, as a file that anybody may carry and nobody else can read
//! (design.md §4).
//!
//! ```text
//! bundle      head | body
//! head        "YXB" | version 1 | suite 1            1: Ed25519, X25519 and BLAKE3
//!             recipient 32 | sender 32               node ids
//!             store 16 | number u64                  the sender's store, and its count of bundles
//!             part u16 | parts u16                   this is part so many of so many, from 1
//!             made i64                               unix seconds by the sender's clock, for people
//!             body length u64 | body hash 32         BLAKE3
//!             n u8 | name 32 × n                     bundles of the recipient that this one answers, at most 64
//!             signature 64                           by the sender over "yanxiu bundle 1" | head up to here
//! body        an age file, binary (<https://age-encryption.org/v1>), for the recipient's sealing key
//! inside it   version 1 | zstd( frame* )
//! frame       length u32 | type 1 | body             Roll, Piece, Ack as in `sync::wire`, and those of `inside.rs`
//! ```
//! Numbers are big-endian. A bundle's name is BLAKE3 over its head; so a carrier, who reads the head alone, knows
//! what a bundle answers and lets go of that. Each part can be taken by itself, in any order, any number of
//! times: changes whose dependencies are in another part wait in the store's own table. Nothing in a bundle moves
//! a cursor: the recipient answers with receipts, in a bundle of its own ([`crate::mail`]).

use sync::{NodeId, StoreId, limits};

pub mod fuzzing;
mod inside;
mod making;
mod seal;
mod taking;
#[cfg(test)]
mod tests;

pub use making::{LARGEST, MAX, MIN, make};
pub(crate) use making::{gather, seal_all};
pub(crate) use taking::answered_names;
pub use taking::{Taken, take};

use crate::Node;

/// The bytes of a head before the names that it answers.
const FIXED: usize = 3 + 1 + 1 + 32 + 32 + 16 + 8 + 2 + 2 + 8 + 8 + 32 + 1;

/// The longest head: what has to be read of a file to know whom it is for.
pub const HEAD_BYTES: usize = FIXED + 32 * limits::BUNDLE_ANSWERS + 64;

/// What everybody may read of a bundle. Its signature was checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// For whom.
    pub to: NodeId,
    /// By whom.
    pub from: NodeId,
    /// The sender's store.
    pub store: StoreId,
    /// By the sender's count.
    pub number: u64,
    /// From 1.
    pub part: u16,
    /// Parts of this bundle.
    pub parts: u16,
    /// Unix seconds by the sender's clock.
    pub made: i64,
    /// Bytes behind the head.
    pub body_len: u64,
    /// Their BLAKE3.
    pub body: [u8; 32],
    /// Names of the recipient's bundles that this one answers.
    pub answers: Vec<[u8; 32]>,
}

/// One part, ready to be written to a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    /// Its name: 64 hexadecimal digits.
    pub name: String,
    /// What everybody may read.
    pub head: Head,
    /// Head and body.
    pub bytes: Vec<u8>,
}

/// Why a bundle cannot be made, taken or carried.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Not our file format at all.
    #[error("this is no yanxiu bundle; look for files that end in .yx")]
    NoBundle,
    /// Of a later program.
    #[error(
        "this bundle was made by a newer version of yanxiu (format {0}); update this program, then take it again"
    )]
    Version(u8),
    /// The head is damaged, or somebody changed it.
    #[error(
        "the outside of this bundle is damaged or was changed on the way; copy it again or have it made again"
    )]
    BadHead,
    /// The body is not what the sender has signed.
    #[error(
        "the bundle of {from} is damaged ({here} of {signed} bytes); copy it again or have it made again"
    )]
    Damaged {
        /// Its maker.
        from: String,
        /// Bytes here.
        here: u64,
        /// Bytes that were signed.
        signed: u64,
    },
    /// For another device.
    #[error("this bundle is for {to}, not for this computer; keep it on the stick and plug it in there")]
    NotForUs {
        /// Its recipient.
        to: String,
    },
    /// The sender is not in the county's roll.
    #[error(
        "the sender {0} is not in the county's roll; nothing was taken; ask the county office about this device"
    )]
    Stranger(String),
    /// The sender was revoked.
    #[error("the sender {0} was revoked by the county; nothing was taken")]
    Revoked(String),
    /// The recipient is not, or no longer, in the county's roll.
    #[error("{0} is no device of the county (any more); nothing can be sealed for it")]
    NotAMember(String),
    /// Its seal does not open with this device's key.
    #[error(
        "the bundle of {0} cannot be opened with this computer's key; its sender is told with the next answer"
    )]
    NotOpened(String),
    /// What is inside cannot be read.
    #[error(
        "what is inside the bundle of {from} cannot be read ({why}); its sender is told with the next answer"
    )]
    Inside {
        /// Its maker.
        from: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Larger than any bundle.
    #[error("the file is larger than {} MB; no bundle is", limits::BUNDLE_BYTES >> 20)]
    TooLarge,
    /// Nobody here is called so.
    #[error("no device or school is called {0:?}; `yanxiu status` and the Devices page list them")]
    NoSuchDevice(String),
    /// Several are.
    #[error("several devices fit {0:?}; give the first letters of the device's id")]
    ManyDevices(String),
}

impl BundleError {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            BundleError::NoBundle => "这不是研修的数据包；请选以 .yx 结尾的文件".into(),
            BundleError::Version(v) => {
                format!("数据包由更新版本的程序生成（格式 {v}）；请先升级本机程序再收")
            }
            BundleError::BadHead => "数据包的封面损坏，或途中被改动；请重新复制，或请对方重新生成".into(),
            BundleError::Damaged { from, here, signed } => format!(
                "“{from}”的数据包已损坏（应有 {signed} 字节，这里有 {here} 字节）；请重新复制，或请对方重新生成"
            ),
            BundleError::NotForUs { to } => {
                format!("这个数据包是给“{to}”的，不是给本机的；请留在U盘上，插到那台电脑再收")
            }
            BundleError::Stranger(from) => {
                format!("发出设备“{from}”不在全县名册上，什么也没有收；请向县级管理员核对这台设备")
            }
            BundleError::Revoked(from) => format!("发出设备“{from}”已被县里撤销，什么也没有收"),
            BundleError::NotAMember(to) => format!("“{to}”不是（或已不是）本县的设备，不能为它封包"),
            BundleError::NotOpened(from) => {
                format!("“{from}”的数据包用本机的密钥打不开；下次回执会告诉对方")
            }
            BundleError::Inside { from, why } => {
                format!("“{from}”的数据包里面无法读取（{why}）；下次回执会告诉对方")
            }
            BundleError::TooLarge => format!("文件超过 {} MB，不会是数据包", limits::BUNDLE_BYTES >> 20),
            BundleError::NoSuchDevice(text) => {
                format!("没有叫“{text}”的设备或学校；请看 yanxiu status 或“设备”页")
            }
            BundleError::ManyDevices(text) => format!("有几台设备都符合“{text}”；请写设备代码的前几位"),
        }
    }
}

/// Which refusal a sender is told; the numbers travel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    Damaged = 1,
    NotOpened = 2,
    Inside = 3,
}

impl BundleError {
    /// What the sender is told; `None` if it is not told.
    pub(crate) fn refusal(&self) -> Option<Refused> {
        match self {
            BundleError::Damaged { .. } => Some(Refused::Damaged),
            BundleError::NotOpened(_) => Some(Refused::NotOpened),
            BundleError::Inside { .. } => Some(Refused::Inside),
            _ => None,
        }
    }
}

/// A name from the hash of a head.
pub(crate) fn name_of(hash: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

/// The hash of a name; `None` for what is no name, so that no path can be smuggled in.
pub(crate) fn hash_of(name: &str) -> Option<[u8; 32]> {
    data_encoding::HEXLOWER
        .decode(name.as_bytes())
        .ok()?
        .try_into()
        .ok()
}

fn signed(head: &[u8]) -> Vec<u8> {
    [b"yanxiu bundle 1", head].concat()
}

impl Head {
    /// The bytes of the head, signed, and the bundle's name.
    fn encode(&self, key: &sync::DeviceKey) -> (String, Vec<u8>) {
        let mut out = b"YXB".to_vec();
        out.extend([1, sync::identity::SUITE_ED25519_SHA256]);
        out.extend(self.to.0);
        out.extend(self.from.0);
        out.extend(self.store.0);
        out.extend(self.number.to_be_bytes());
        out.extend(self.part.to_be_bytes());
        out.extend(self.parts.to_be_bytes());
        out.extend(self.made.to_be_bytes());
        out.extend(self.body_len.to_be_bytes());
        out.extend(self.body);
        out.push(self.answers.len().min(limits::BUNDLE_ANSWERS) as u8);
        for name in self.answers.iter().take(limits::BUNDLE_ANSWERS) {
            out.extend(name);
        }
        let signature = key.sign(&signed(&out));
        out.extend(signature);
        (name_of(blake3::hash(&out).as_bytes()), out)
    }

    /// Reads and checks a head at the beginning of `bytes`; its name and its length.
    pub fn read(bytes: &[u8]) -> Result<(Head, String, usize), BundleError> {
        if bytes.get(..3) != Some(b"YXB") {
            return Err(BundleError::NoBundle);
        }
        match (bytes.get(3), bytes.get(4)) {
            (Some(1), Some(&sync::identity::SUITE_ED25519_SHA256)) => {}
            (Some(1), Some(suite)) => return Err(BundleError::Version(*suite)),
            (Some(version), _) => return Err(BundleError::Version(*version)),
            _ => return Err(BundleError::BadHead),
        }
        let mut rest = Rest(bytes.get(5..).unwrap_or_default());
        let head = rest.head().ok_or(BundleError::BadHead)?;
        let len = FIXED + 32 * head.answers.len();
        let (text, signature) = bytes.split_at_checked(len).ok_or(BundleError::BadHead)?;
        let signature: &[u8; 64] = signature.first_chunk().ok_or(BundleError::BadHead)?;
        let sound = head.part >= 1 && head.part <= head.parts && head.parts <= limits::BUNDLE_PARTS;
        if !sound || !head.from.verify(&signed(text), signature) {
            return Err(BundleError::BadHead);
        }
        let whole = bytes.get(..len + 64).ok_or(BundleError::BadHead)?;
        Ok((head, name_of(blake3::hash(whole).as_bytes()), len + 64))
    }
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn head(&mut self) -> Option<Head> {
        Some(Head {
            to: NodeId(self.take()?),
            from: NodeId(self.take()?),
            store: StoreId(self.take()?),
            number: u64::from_be_bytes(self.take()?),
            part: u16::from_be_bytes(self.take()?),
            parts: u16::from_be_bytes(self.take()?),
            made: i64::from_be_bytes(self.take()?),
            body_len: u64::from_be_bytes(self.take()?),
            body: self.take()?,
            answers: {
                let [n] = self.take()?;
                let n = Some(usize::from(n)).filter(|n| *n <= limits::BUNDLE_ANSWERS)?;
                (0..n).map(|_| self.take()).collect::<Option<Vec<_>>>()?
            },
        })
    }
}

/// Splits a bundle into its head, its name and its body, which is what the sender has signed.
pub(crate) fn open_outside<'a>(
    node: &Node,
    bytes: &'a [u8],
) -> Result<(Head, String, &'a [u8]), BundleError> {
    if bytes.len() > limits::BUNDLE_BYTES {
        return Err(BundleError::TooLarge);
    }
    let (head, name, len) = Head::read(bytes)?;
    let body = bytes.get(len..).unwrap_or_default();
    check_body(node, &head, body)?;
    Ok((head, name, body))
}

fn check_body(node: &Node, head: &Head, body: &[u8]) -> Result<(), BundleError> {
    if body.len() as u64 != head.body_len || *blake3::hash(body).as_bytes() != head.body {
        return Err(BundleError::Damaged {
            from: node.device_label(&head.from),
            here: body.len() as u64,
            signed: head.body_len,
        });
    }
    Ok(())
}

/// The county device that this node's bundles go to: the one met last, or else the first in the roll.
pub fn county_device(node: &Node) -> Result<Option<NodeId>, crate::Error> {
    let mut county: Vec<NodeId> = Vec::new();
    for device in node.devices() {
        if device.role == crate::Role::County && !device.revoked && !county.contains(&device.node) {
            county.push(device.node);
        }
    }
    let met = node.peers()?;
    let last = met.iter().find(|p| county.contains(&p.node)).map(|p| p.node);
    Ok(last.or(county.first().copied()).filter(|n| *n != node.id()))
}

/// The device that somebody means: `county`, a device id's first letters (eight at least), its name, or the name
/// or code of the only school that fits and has one device.
pub fn find_device(node: &Node, text: &str) -> Result<NodeId, crate::Error> {
    let text = text.trim();
    if matches!(text, "county" | "县" | "县里") {
        let none = || BundleError::NoSuchDevice("county 县".into());
        return Ok(county_device(node)?.ok_or_else(none)?);
    }
    let lower = text.to_ascii_lowercase();
    let letters = lower.len() >= 8 && lower.bytes().all(|b| b.is_ascii_alphanumeric());
    let mut found: Vec<NodeId> = Vec::new();
    let mut add = |node: NodeId| {
        if !found.contains(&node) {
            found.push(node);
        }
    };
    let devices: Vec<_> = node.devices().into_iter().filter(|d| !d.revoked).collect();
    for d in &devices {
        if d.label == text || (letters && d.node.to_string().starts_with(&lower)) {
            add(d.node);
        }
    }
    if found.is_empty()
        && let Ok(school) = crate::office::find_school(node, text)
    {
        let of = |d: &&crate::Device| d.role == crate::Role::School && d.scope == school;
        devices.iter().filter(of).for_each(|d| found.push(d.node));
    }
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(BundleError::NoSuchDevice(text.into()).into()),
        _ => Err(BundleError::ManyDevices(text.into()).into()),
    }
}
