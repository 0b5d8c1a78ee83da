//! The running thing: joins `records` (meaning), `sync` (travel), `store` (rest) and `net` (transport).
//!
//! [`Node`] is an opened data directory: it commits records ([`Node::commit`]), reads them back from the
//! views ([`Node::records`]) and knows the roll. [`office`] is what people do with records; [`accounts`]
//! are the local people; [`enrol`] brings devices in and puts them out. [`network::Network`] listens, dials
//! and holds one `conversation` per peer, which runs a [`Talk`] over its link. `policy` is the one place where roles and documents meet.

pub mod accounts;
mod admit;
pub mod backup;
pub mod blobs;
pub mod bundle;
mod care;
mod cases;
mod clocks;
mod conversation;
pub mod credential;
mod directory;
pub mod doctor;
mod documents;
pub mod enrol;
mod errands;
mod error;
mod events;
mod exchange;
mod figures;
#[doc(hidden)]
pub mod fuzzing;
pub mod held;
mod history;
pub mod kit;
mod life;
pub mod mail;
mod mend;
pub mod network;
mod node;
pub mod office;
mod outward;
mod peers;
mod policy;
mod practice;
mod published;
mod record;
mod roads;
mod roll;
mod schedule;
pub mod stick;
mod surroundings;
mod talk;
pub mod tokens;
pub mod verify;

pub use care::Patience;
pub use cases::{Case, Cases, Exhibit, KeptRow, Point, Proposal, fault_words};
pub use clocks::MADE;
pub use directory::SERVE_LOCK;
pub use documents::Edit;
pub use error::{Error, trouble_words};
pub use events::EventRow;
pub use exchange::Exchange;
pub use figures::Figures;
pub use history::Act;
pub use net::Road;
pub use network::{Network, NetworkConfig};
pub use node::{Device, Node, Standing, now};
pub use outward::Running;
pub use peers::PeerRow;
pub use policy::{Role, document_policy};
pub use published::{Rules, Unusable};
pub use record::{Filter, Record, Way};
pub use records::{FieldError, Fields, Value};
pub use roads::RoadTimes;
pub use schedule::{NoHours, Quiet};
pub use store::{Trouble, in_front};
pub use surroundings::{Disk, Surroundings};
pub use sync::NodeId;
pub use talk::{LINGER, Manner, Step, Talk};
