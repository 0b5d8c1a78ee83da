//! A peer with a changed program: it holds an enrolled device's key and sends whatever it likes.

use std::time::Duration;

use net::{Endpoint, FrameReader, FrameWriter, Link, Tuning};
use sync::admission::Offered;
use sync::tip::{Tip, sign_tip};
use sync::wire::{Frame, Hello, Piece, Refusal, RollFrame};
use sync::{ActorId, Change, DeviceKey, DocKey, NodeId, StoreId};

use crate::Place;

/// A link to a hub, by hand.
pub struct Line {
    /// What goes to the hub.
    pub out: FrameWriter,
    /// What comes from it.
    pub inn: FrameReader,
    /// The link itself.
    pub link: Link,
    _endpoint: Endpoint,
}

impl Line {
    /// Sends a frame; that the hub has hung up shows in [`Line::hear`].
    pub async fn say(&mut self, frame: Frame) {
        let _ = self.out.write(&frame.encode()).await;
    }

    /// The next frame; `None` when the hub has hung up.
    pub async fn hear(&mut self) -> Option<Frame> {
        let read = tokio::time::timeout(Duration::from_secs(60), self.inn.read()).await;
        let bytes = read.expect("within a minute").ok().flatten()?;
        Some(Frame::decode(&bytes).expect("works"))
    }

    /// Reads on until the hub answers with receipts; fails when it hangs up.
    pub async fn ack(&mut self) -> sync::wire::Ack {
        loop {
            match self.hear().await {
                Some(Frame::Ack(ack)) => return ack,
                Some(Frame::Refuse(refuse)) => panic!("refused: {refuse:?}"),
                Some(_) => {}
                None => panic!("hung up: {:?}", self.link.closed().await),
            }
        }
    }

    /// Sends a byte now and then, whatever it may mean, until the hub refuses.
    pub async fn trickle(&mut self, every: Duration, byte: u8) -> (Refusal, String) {
        loop {
            tokio::select! {
                read = self.inn.read() => match read.ok().flatten().map(|b| Frame::decode(&b)) {
                    Some(Ok(Frame::Refuse(refuse))) => return (refuse.code, refuse.text),
                    Some(_) => {}
                    None => panic!("hung up without a reason: {:?}", self.link.closed().await),
                },
                () = tokio::time::sleep(every) => {
                    let _ = self.out.write_raw(&[byte]).await;
                }
            }
        }
    }

    /// Reads on until the hub refuses: the code and the words. Fails when it hangs up without a reason.
    pub async fn refusal(&mut self) -> (Refusal, String) {
        loop {
            match self.hear().await {
                Some(Frame::Refuse(refuse)) => return (refuse.code, refuse.text),
                Some(_) => {}
                None => panic!("hung up without a reason: {:?}", self.link.closed().await),
            }
        }
    }
}

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
        Villain::holding(DeviceKey::from_seed(seed.try_into().expect("works")), place)
    }

    /// Holds this key, and the roll of a place.
    pub fn holding(key: DeviceKey, place: &Place) -> Villain {
        let roll = place.node.roll();
        Villain {
            key,
            county: roll.county(),
            statements: roll.statements().map(|s| s.to_bytes()).collect(),
            roll: roll.digest(),
        }
    }

    /// What it says first: who it is, and all that the county has said of devices.
    pub fn greeting(&self) -> [Frame; 2] {
        let statements = self.statements.clone();
        [Frame::Hello(self.hello()), Frame::Roll(RollFrame { statements })]
    }

    /// Sends the changes to a hub; its verdicts in words, or its refusal.
    pub async fn push(&self, hub: &Place, changes: Vec<Offered>) -> Result<Vec<String>, Refusal> {
        let mut line = self.dial(hub).await;
        for frame in self.greeting() {
            line.say(frame).await;
        }
        line.say(Frame::Piece(Piece { upto: None, changes })).await;
        loop {
            match line.hear().await.expect("the hub says something") {
                Frame::Ack(ack) if ack.pieces == 1 => {
                    return Ok(ack.verdicts.iter().map(|v| format!("{:?}", v.2)).collect());
                }
                Frame::Refuse(refuse) => return Err(refuse.code),
                _ => {}
            }
        }
    }

    /// A device that the county has never heard of, with a key of its own.
    pub fn stranger(county: &Place, seed: [u8; 32]) -> Villain {
        let roll = county.node.roll();
        Villain {
            key: DeviceKey::from_seed(seed),
            county: roll.county(),
            statements: Vec::new(),
            roll: roll.digest(),
        }
    }

    /// Connects, and says nothing yet.
    pub async fn dial(&self, hub: &Place) -> Line {
        let listen = "127.0.0.1:0".parse().expect("works");
        let endpoint = Endpoint::bind(listen, &self.key, Tuning::default()).expect("works");
        let address = hub.address().parse().expect("works");
        let link = endpoint.connect(address, None).await.expect("works");
        let (out, inn) = link.open().await.expect("works");
        Line {
            out,
            inn,
            link,
            _endpoint: endpoint,
        }
    }

    /// Connects, and is told at once why not.
    pub async fn turned_away(&self, hub: &Place) -> String {
        let listen = "127.0.0.1:0".parse().expect("works");
        let endpoint = Endpoint::bind(listen, &self.key, Tuning::default()).expect("works");
        let address = hub.address().parse().expect("works");
        let link = endpoint.connect(address, None).await.expect("works");
        let closed = tokio::time::timeout(Duration::from_secs(10), link.closed()).await;
        closed.expect("turned away").text
    }

    /// Connects and is let in: as a member with the hub's own roll.
    pub async fn enter(&self, hub: &Place) -> Line {
        let mut line = self.dial(hub).await;
        let hello = Hello {
            roll: hub.node.roll().digest(),
            ..self.hello()
        };
        line.say(Frame::Hello(hello)).await;
        line
    }

    /// How it introduces itself.
    pub fn hello(&self) -> Hello {
        Hello {
            versions: vec![1],
            county: Some(self.county),
            county_name: String::new(),
            store: StoreId([9; 16]),
            cursor: None,
            roll: self.roll,
            announced: (0, 0),
            more: Default::default(),
        }
    }

    /// The county whose roll it holds.
    pub fn county(&self) -> NodeId {
        self.county
    }

    /// An actor of its device.
    pub fn incarnation(&self, n: u32) -> ActorId {
        ActorId {
            device: self.key.id(),
            incarnation: n.to_be_bytes(),
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
