//! A peer with a changed program: it holds an enrolled device's key and sends whatever it likes.

use std::time::Duration;

use net::{Endpoint, FrameReader, FrameWriter, Link, Tuning};
use sync::admission::Offered;
use sync::tip::{Tip, sign_tip};
use sync::wire::errand::Errand;
use sync::wire::{Ack, Frame, Hello, More, Piece, Refusal, RollFrame, Speaks};
use sync::{ActorId, Change, DeviceKey, DocKey, NodeId, StoreId};
use tokio::task::JoinHandle;
use tokio::time::Instant;

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

/// A link whose session the hub believes to be live, kept so by saying what the hub says.
pub struct Lively {
    /// The link itself.
    pub link: Link,
    _endpoint: Endpoint,
    mirror: JoinHandle<()>,
}

impl Drop for Lively {
    fn drop(&mut self) {
        self.mirror.abort();
        self.link.close(0, "");
    }
}

impl Lively {
    /// Says an errand on a stream of its own, and hears one answer; `None` when there is none in time, or the hub gives
    /// the stream up.
    pub async fn ask(&self, errand: &Errand) -> Option<Errand> {
        let (mut out, mut inn) = self.link.open().await.ok()?;
        out.write(&errand.encode()).await.ok()?;
        heard(&mut inn, SOON).await
    }

    /// Answers what is asked on streams of the hub's own, one after the other: each errand by these frames, as they
    /// are. Ends when nothing more is asked for a while after a Fetch, or `at_most` has passed. Returns what was asked.
    pub async fn serve(
        &self,
        at_most: Duration,
        mut answer: impl FnMut(&Errand) -> Vec<Vec<u8>>,
    ) -> Vec<Errand> {
        let mut asked = Vec::new();
        let mut until = Instant::now() + at_most;
        while let Ok(Some((mut out, mut inn))) = tokio::time::timeout_at(until, self.link.accept()).await {
            while let Ok(Ok(Some(bytes))) = tokio::time::timeout_at(until, inn.read()).await {
                let Ok(errand) = Errand::decode(&bytes) else { break };
                if matches!(errand, Errand::Fetch(_)) {
                    until = Instant::now() + AFTER_FETCH;
                }
                let frames = answer(&errand);
                asked.push(errand);
                for frame in frames {
                    // The hub may have given the stream up meanwhile.
                    if out.write(&frame).await.is_err() {
                        break;
                    }
                }
            }
        }
        asked
    }
}

/// An answer that comes comes within so long.
pub const SOON: Duration = Duration::from_secs(10);

/// So long the hub is waited for after it has asked for a blob.
const AFTER_FETCH: Duration = Duration::from_millis(1_200);

/// The next errand on a stream; `None` when none comes within so long, or the stream has ended.
pub async fn heard(inn: &mut FrameReader, within: Duration) -> Option<Errand> {
    let read = tokio::time::timeout(within, inn.read()).await;
    let bytes = read.ok()?.ok().flatten()?;
    Some(Errand::decode(&bytes).expect("works"))
}

/// Says what the hub says: it finds both equal, and the session live.
async fn mirror(mut out: FrameWriter, mut inn: FrameReader) {
    let ack = |upto, pieces| {
        Frame::Ack(Ack {
            upto,
            pieces,
            receipts: Vec::new(),
            verdicts: Vec::new(),
            signature: Vec::new(),
        })
    };
    while let Ok(Some(bytes)) = inn.read().await {
        let said = match Frame::decode(&bytes).expect("works") {
            Frame::Piece(piece) => ack(piece.upto, 1),
            Frame::WantReceipts => ack(None, 0),
            Frame::Done => Frame::Done,
            Frame::Check(check) => Frame::Check(check),
            Frame::State(check) => Frame::State(check),
            _ => continue,
        };
        if out.write(&said.encode()).await.is_err() {
            return;
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

    /// Connects and brings the session to where errands are served; the hub takes it for a program that serves them
    /// too.
    pub async fn live(&self, hub: &Place) -> Lively {
        let mut line = self.dial(hub).await;
        let speaks = Speaks {
            features: 8 | 16,
            dictionary: 0,
        };
        let hello = Hello {
            roll: hub.node.roll().digest(),
            more: More {
                speaks,
                ..More::default()
            },
            ..self.hello()
        };
        line.say(Frame::Hello(hello)).await;
        let Line {
            out,
            inn,
            link,
            _endpoint,
        } = line;
        Lively {
            link,
            _endpoint,
            mirror: tokio::spawn(mirror(out, inn)),
        }
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
