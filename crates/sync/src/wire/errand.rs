//! What is said on a link beside the session: asking for blobs and serving them, on streams of their own that give way
//! to it. Frames as in [`super`], with types of their own:
//!
//! ```text
//! errand  type 1 | body
//!  1 Fetch     postcard     these blobs, in this order, each from this group on
//!  2 WhoHas    postcard     the first 8 bytes of names: who has stored them?
//!  3 Blob      postcard     the next one asked for: its size, and from group 0 the hashes of its groups
//!  4 Absent    reason 1     the next one asked for does not come: 0 not here, 1 not on this link, 2 not for you
//!  5 Group     bytes        the next group of the blob
//!  6 Receipts  postcard     signed: what lies in a store (answer to WhoHas, or unasked for after a Fetch)
//!  7 MailList  postcard     which sealed bundles are there for me, or to be carried on, but those that begin so?
//!                           Behind it, since version 2 of errands: the first 8 bytes of devices that I meet
//!  8 Mail      postcard     these; each can then be fetched like a blob, on the same stream. Behind it, since version
//!                           2: an [`Along`] for each
//!  9 Wishes    postcard     originals that I, or those who have told me, ask for: all of them, whatever was said before
//! ```
//! What stands behind a body is passed over by a program that does not know it; one that does not say it is taken at its
//! word: its letters are as old as their stay here, and it meets nobody.
//! Every Fetch is answered by one Blob with its groups, or one Absent, for each name. An errand of an unknown type is
//! answered by nothing and passed over.

use serde::{Deserialize, Serialize};

use crate::blob::{BlobName, BlobReceipt};
use crate::identity::NodeId;
use crate::limits;

/// One blob that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Item {
    /// Its name.
    pub name: BlobName,
    /// The first group that is wanted; those before it are here.
    pub from: u32,
}

/// A sealed bundle that can be fetched. What it says of itself is believed by nobody: the bundle's own head is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// The hash of its bytes, by which it is fetched.
    pub blob: BlobName,
    /// Its own name: the hash of its head.
    pub name: [u8; 32],
    /// For whom.
    pub to: NodeId,
    /// By whom.
    pub from: NodeId,
    /// Its size.
    pub bytes: u64,
    /// What is said of it besides; `None` by an older program.
    #[serde(skip)]
    pub along: Option<Along>,
}

/// What travels with a letter besides its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Along {
    /// Its age in seconds (RFC 9171, Bundle Age), as far as those who carried it could tell.
    pub age: u32,
    /// Copies that its taker may hand on to whoever has no reason to be given it, itself included.
    pub copies: u8,
}

/// An original that is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Wish {
    /// Its name.
    pub name: BlobName,
    /// Links between whoever asks for it and the sender of this: 0, the sender itself.
    pub hops: u8,
}

/// Why a blob does not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reason {
    /// It is not here, or not whole.
    NotHere,
    /// Not on a link that is paid by the byte.
    Metered,
    /// The roll does not let the peer read a record that names it.
    NotForYou,
}

/// One errand frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Errand {
    /// Asks for blobs.
    Fetch(Vec<Item>),
    /// Asks who has stored blobs, by the first 8 bytes of their names.
    WhoHas(Vec<[u8; 8]>),
    /// The next blob begins.
    Blob {
        /// Its size in bytes.
        size: u64,
        /// The hashes of its groups; empty when it is gone on with.
        hashes: Vec<[u8; 32]>,
    },
    /// The next blob does not come.
    Absent(Reason),
    /// The next group.
    Group(Vec<u8>),
    /// What lies in a store.
    Receipts(Vec<BlobReceipt>),
    /// Asks for sealed bundles.
    MailList {
        /// But for those whose names begin so.
        known: Vec<[u8; 8]>,
        /// Devices whom the asker meets, by the first 8 bytes of their ids; empty where that was said before on the
        /// stream.
        meets: Vec<[u8; 8]>,
    },
    /// What there is.
    Mail(Vec<Letter>),
    /// All originals that are asked for.
    Wishes(Vec<Wish>),
    /// Of a later version.
    Unknown(u8),
}

/// A frame that cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("an errand frame is damaged or too long")]
pub struct BadErrand;

impl Errand {
    /// The frame's bytes.
    pub fn encode(&self) -> Vec<u8> {
        let body = |kind: u8, body: Result<Vec<u8>, postcard::Error>| {
            let mut out = vec![kind];
            out.extend(body.unwrap_or_default());
            out
        };
        match self {
            Errand::Fetch(items) => body(1, postcard::to_stdvec(items)),
            Errand::WhoHas(names) => body(2, postcard::to_stdvec(names)),
            Errand::Blob { size, hashes } => body(3, postcard::to_stdvec(&(size, hashes))),
            Errand::Absent(reason) => vec![
                4,
                match reason {
                    Reason::NotHere => 0,
                    Reason::Metered => 1,
                    Reason::NotForYou => 2,
                },
            ],
            Errand::Group(bytes) => body(5, Ok(bytes.clone())),
            Errand::Receipts(receipts) => body(6, postcard::to_stdvec(receipts)),
            Errand::MailList { known, meets } if meets.is_empty() => body(7, postcard::to_stdvec(known)),
            Errand::MailList { known, meets } => body(7, postcard::to_stdvec(&(known, meets))),
            Errand::Mail(letters) => {
                let along: Vec<Along> = letters.iter().map_while(|letter| letter.along).collect();
                match along.len() == letters.len() && !letters.is_empty() {
                    true => body(8, postcard::to_stdvec(&(letters, along))),
                    false => body(8, postcard::to_stdvec(letters)),
                }
            }
            Errand::Wishes(wishes) => body(9, postcard::to_stdvec(wishes)),
            Errand::Unknown(kind) => vec![*kind],
        }
    }

    /// Reads one; what is too long is refused before memory is asked for it.
    pub fn decode(bytes: &[u8]) -> Result<Errand, BadErrand> {
        fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BadErrand> {
            postcard::from_bytes(body).map_err(|_| BadErrand)
        }
        /// The body of the first version, and what stands behind it: nothing, if an older program wrote it.
        fn behind<'a, T: Deserialize<'a>, M: Deserialize<'a>>(
            body: &'a [u8],
        ) -> Result<(T, Option<M>), BadErrand> {
            let (first, rest) = postcard::take_from_bytes(body).map_err(|_| BadErrand)?;
            let more = match rest {
                [] => None,
                rest => Some(read(rest)?),
            };
            Ok((first, more))
        }
        fn few<T>(list: Vec<T>, most: usize) -> Result<Vec<T>, BadErrand> {
            if list.len() <= most {
                Ok(list)
            } else {
                Err(BadErrand)
            }
        }
        let (kind, body) = bytes.split_first().ok_or(BadErrand)?;
        if body.len() > limits::ERRAND_BYTES {
            return Err(BadErrand);
        }
        Ok(match kind {
            1 => Errand::Fetch(few(read(body)?, limits::ERRAND_ITEMS)?),
            2 => Errand::WhoHas(few(read(body)?, limits::ERRAND_NAMES)?),
            3 => {
                let (size, hashes): (u64, Vec<[u8; 32]>) = read(body)?;
                Errand::Blob { size, hashes }
            }
            4 => Errand::Absent(match body.first() {
                Some(1) => Reason::Metered,
                Some(2) => Reason::NotForYou,
                _ => Reason::NotHere,
            }),
            5 => Errand::Group(body.to_vec()),
            6 => Errand::Receipts(few(read(body)?, limits::ERRAND_NAMES)?),
            7 => {
                let (known, meets) = behind(body)?;
                Errand::MailList {
                    known: few(known, limits::ERRAND_NAMES)?,
                    meets: few::<[u8; 8]>(meets.unwrap_or_default(), limits::ERRAND_NAMES)?,
                }
            }
            8 => {
                let (letters, along) = behind(body)?;
                let mut letters: Vec<Letter> = few(letters, limits::ERRAND_ITEMS)?;
                let along: Option<Vec<Along>> = along;
                if let Some(along) = along {
                    // For every letter or, as an older program writes it, for none.
                    if along.len() != letters.len() {
                        return Err(BadErrand);
                    }
                    for (letter, along) in letters.iter_mut().zip(along) {
                        letter.along = Some(along);
                    }
                }
                Errand::Mail(letters)
            }
            9 => Errand::Wishes(few(read(body)?, limits::ERRAND_ITEMS)?),
            other => Errand::Unknown(*other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{DeviceKey, StoreId};
    use proptest::prelude::*;

    fn letter(along: Option<Along>) -> Letter {
        Letter {
            blob: BlobName::of("现场照片".as_bytes()),
            name: [3; 32],
            to: DeviceKey::from_seed([1; 32]).id(),
            from: DeviceKey::from_seed([2; 32]).id(),
            bytes: 70_000,
            along,
        }
    }

    /// As the program before this one read and wrote them: the list alone, whatever stands behind it passed over.
    #[test]
    fn an_older_program_reads_the_lists_and_is_read() {
        let said = letter(Some(Along { age: 9, copies: 2 }));
        let bytes = Errand::Mail(vec![said]).encode();
        let old: Vec<Letter> = postcard::from_bytes(&bytes[1..]).unwrap();
        assert_eq!(old, [letter(None)]);
        let of_old = [vec![8], postcard::to_stdvec(&old).unwrap()].concat();
        assert_eq!(Errand::decode(&of_old), Ok(Errand::Mail(vec![letter(None)])));

        let (known, meets) = (vec![[5; 8]], vec![[6; 8]]);
        let asks = Errand::MailList {
            known: known.clone(),
            meets,
        };
        let bytes = asks.encode();
        assert_eq!(
            postcard::from_bytes::<Vec<[u8; 8]>>(&bytes[1..]),
            Ok(known.clone())
        );
        let of_old = [vec![7], postcard::to_stdvec(&known).unwrap()].concat();
        let meets = Vec::new();
        assert_eq!(Errand::decode(&of_old), Ok(Errand::MailList { known, meets }));
        // Cut off in what stands behind: damaged, and not older.
        assert_eq!(Errand::decode(&bytes[..bytes.len() - 1]), Err(BadErrand));
    }

    #[test]
    fn every_errand_comes_back_as_it_was() {
        let name = BlobName::of("现场照片".as_bytes());
        let receipt = BlobReceipt::sign(&DeviceKey::from_seed([1; 32]), StoreId([7; 16]), name);
        for errand in [
            Errand::Fetch(vec![Item { name, from: 3 }]),
            Errand::WhoHas(vec![[9; 8], [1; 8]]),
            Errand::Blob {
                size: 300_000,
                hashes: vec![[4; 32]; 19],
            },
            Errand::Absent(Reason::NotHere),
            Errand::Absent(Reason::Metered),
            Errand::Absent(Reason::NotForYou),
            Errand::Group(vec![0; 16_384]),
            Errand::Receipts(vec![receipt]),
            Errand::MailList {
                known: vec![[5; 8]],
                meets: Vec::new(),
            },
            Errand::MailList {
                known: Vec::new(),
                meets: vec![[6; 8], [7; 8]],
            },
            Errand::Mail(vec![letter(None); 2]),
            Errand::Mail(vec![
                letter(Some(Along {
                    age: 86_400 * 59,
                    copies: 4
                }));
                2
            ]),
            Errand::Mail(Vec::new()),
            Errand::Wishes(vec![Wish { name, hops: 2 }]),
        ] {
            assert_eq!(Errand::decode(&errand.encode()), Ok(errand));
        }
        assert_eq!(Errand::decode(&[200, 1, 2]), Ok(Errand::Unknown(200)));
        assert_eq!(Errand::decode(&[]), Err(BadErrand));
    }

    #[test]
    fn too_many_at_once_are_refused() {
        let name = BlobName([1; 32]);
        let many = vec![Item { name, from: 0 }; limits::ERRAND_ITEMS + 1];
        assert_eq!(Errand::decode(&Errand::Fetch(many).encode()), Err(BadErrand));
        let names = vec![[0; 8]; limits::ERRAND_NAMES + 1];
        assert_eq!(Errand::decode(&Errand::WhoHas(names).encode()), Err(BadErrand));
        let long = vec![0; limits::ERRAND_BYTES + 1];
        assert_eq!(Errand::decode(&Errand::Group(long).encode()), Err(BadErrand));
    }

    #[test]
    fn ages_for_some_of_the_letters_are_damage() {
        let along = Along { age: 9, copies: 2 };
        for (letters, ages) in [(3, 1), (1, 3), (1, 0), (0, 1)] {
            let told = (vec![letter(None); letters], vec![along; ages]);
            let bytes = [vec![8], postcard::to_stdvec(&told).unwrap()].concat();
            assert_eq!(
                Errand::decode(&bytes),
                Err(BadErrand),
                "{letters} letters, {ages} ages"
            );
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Errand::decode(&bytes);
        }
    }
}
