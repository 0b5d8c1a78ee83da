//! A peer with a changed program: it holds an enrolled device's key and sends whatever it likes.

use net::{Endpoint, Tuning};
use sync::admission::Offered;
use sync::tip::{Tip, sign_tip};
use sync::wire::{Frame, Hello, Piece, Refusal, RollFrame};
use sync::{ActorId, Change, DeviceKey, DocKey, NodeId, StoreId};

use crate::Place;

/// A hand-made peer that speaks the protocol and sends whatever it likes.
pub struct Villain {
    /// The key that it signs with.
    pub key: DeviceKey,
    county: NodeId,
    statements: Vec<Vec<u8>>,
    roll: [u8; 8],
}

impl Villain {
    /// Takes over an enrolled place's key and roll.
    pub fn of(place: &Place) -> Villain {
        let text = std::fs::read_to_string(place.dir.path().join("data/device.key")).expect("works");
        let seed = data_encoding::HEXLOWER
            .decode(text.trim().as_bytes())
            .expect("works");
        let roll = place.node.roll();
        Villain {
            key: DeviceKey::from_seed(seed.try_into().expect("works")),
            county: roll.county(),
            statements: roll.statements().map(|s| s.to_bytes()).collect(),
            roll: roll.digest(),
        }
    }

    /// Sends the changes to a hub; its verdicts in words, or its refusal.
    pub async fn push(&self, hub: &Place, changes: Vec<Offered>) -> Result<Vec<String>, Refusal> {
        let endpoint = Endpoint::bind(
            "127.0.0.1:0".parse().expect("works"),
            &self.key,
            Tuning::default(),
        )
        .expect("works");
        let link = endpoint
            .connect(hub.address().parse().expect("works"), None)
            .await
            .expect("works");
        let (mut out, mut inn) = link.open().await.expect("works");
        let hello = Hello {
            versions: vec![1],
            county: Some(self.county),
            county_name: String::new(),
            store: StoreId([9; 16]),
            cursor: None,
            roll: self.roll,
            announced: (0, 0),
            more: Default::default(),
        };
        out.write(&Frame::Hello(hello).encode()).await.expect("works");
        let statements = self.statements.clone();
        out.write(&Frame::Roll(RollFrame { statements }).encode())
            .await
            .expect("works");
        out.write(&Frame::Piece(Piece { upto: None, changes }).encode())
            .await
            .expect("works");
        loop {
            let Ok(Some(bytes)) = inn.read().await else {
                panic!("the hub said nothing")
            };
            match Frame::decode(&bytes).expect("works") {
                Frame::Ack(ack) if ack.pieces == 1 => {
                    return Ok(ack.verdicts.iter().map(|v| format!("{:?}", v.2)).collect());
                }
                Frame::Refuse(refuse) => return Err(refuse.code),
                _ => {}
            }
        }
    }

    /// The actor that it writes as.
    pub fn actor(&self) -> ActorId {
        ActorId {
            device: self.key.id(),
            incarnation: [1; 4],
        }
    }

    /// Offers a change for a document, signed by `signer`.
    pub fn offer(&self, document: &str, change: &Change, signer: Option<&DeviceKey>) -> Offered {
        let document = DocKey::parse(document).expect("works");
        let tip: Option<Tip> = signer.map(|k| sign_tip(k, &self.county, &document, &change.header));
        Offered {
            document,
            body: change.body.clone(),
            tip,
        }
    }
}
