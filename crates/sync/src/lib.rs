//! How documents move safely between nodes. Sans-IO: bytes and time come in, bytes and actions go out.
//!
//! A device has a key ([`identity`]). The county's signed statements ([`roll`]) say which device may
//! write and read which document ([`authority`]). Every change carries its author's signature ([`tip`]);
//! a change that arrives is judged on its head alone ([`change`], [`admission`]) before it is stored,
//! and whether it *counts* is computed from what is stored and the roll ([`authority::counted`]).
//! Two nodes talk in frames ([`wire`]) through one state machine ([`session`]); files travel beside it ([`blob`]). Every cap stands in
//! [`limits`].
//!
//! This crate knows documents and changes, no teachers. It has no clock, no randomness, no files.

pub mod admission;
pub mod authority;
pub mod blob;
pub mod branch;
pub mod change;
pub mod document;
pub mod identity;
pub mod limits;
pub mod roll;
pub mod session;
pub mod tip;
pub mod wire;

pub use blob::BlobName;
pub use change::{Change, Header};
pub use document::{ChangeHash, DocKey};
pub use identity::{ActorId, DeviceKey, NodeId, StoreId};
pub use roll::{Roll, Statement};
