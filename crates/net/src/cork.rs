//! Holding a connection's first packets back until what is to be said in them is written.
//!
//! QUIC pads the first datagrams of a handshake to 1200 bytes. quinn sends them from a task of its own for each
//! connection, which begins as soon as the connection is there; what the program answers a moment later travels
//! in a datagram more. So that task gets its first turn [`SOON`] after the program has written something or has
//! nothing left to read, or after [`LONGEST`]. In a resumed handshake the answer to Hello then goes where padding was.

use std::cell::Cell;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime};
use tokio::sync::watch;
use tokio::time::timeout;

/// So long at most: an old PC that is busy answers within that, and it is below a round trip of the links that
/// this is for.
const LONGEST: Duration = Duration::from_millis(200);

/// Who has written may write once more, and who has read everything may be about to answer.
const SOON: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug)]
enum Stage {
    Held,
    Soon,
    Pulled,
}

thread_local! {
    /// For the task that is spawned next on this thread.
    static NEXT: Cell<Option<watch::Receiver<Stage>>> = const { Cell::new(None) };
}

/// Lets the packets go when it is pulled, or when the last clone is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Cork(Arc<watch::Sender<Stage>>);

impl Cork {
    /// Runs `open`, which opens a connection on an endpoint of a [`Corked`] runtime.
    pub(crate) fn around<T>(open: impl FnOnce() -> T) -> (T, Cork) {
        let (stage, stages) = watch::channel(Stage::Held);
        NEXT.set(Some(stages));
        let opened = open();
        NEXT.set(None);
        (opened, Cork(Arc::new(stage)))
    }

    pub(crate) fn pull(&self) {
        self.reach(Stage::Pulled);
    }

    /// Packets may go soon.
    pub(crate) fn loosen(&self) {
        self.reach(Stage::Soon);
    }

    fn reach(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let further = *now < stage;
            if further {
                *now = stage;
            }
            further
        });
    }
}

/// Waits until packets may go.
async fn pulled(mut stage: watch::Receiver<Stage>) {
    let loose = timeout(LONGEST, stage.wait_for(|s| *s > Stage::Held)).await;
    if matches!(loose.map(|s| s.map(|s| *s)), Ok(Ok(Stage::Soon))) {
        let _ = timeout(SOON, stage.wait_for(|s| *s == Stage::Pulled)).await;
    }
}

/// Waits for `future`; if it is not ready at once, packets must go.
pub(crate) async fn waiting<F: Future>(cork: Option<&Cork>, future: F) -> F::Output {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        if let (Poll::Pending, Some(cork)) = (&polled, cork) {
            cork.loosen();
        }
        polled
    })
    .await
}

/// A runtime under which connections can be corked.
#[derive(Debug)]
pub(crate) struct Corked(pub(crate) Arc<dyn Runtime>);

impl Runtime for Corked {
    fn new_timer(&self, at: std::time::Instant) -> Pin<Box<dyn AsyncTimer>> {
        self.0.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        match NEXT.take() {
            None => self.0.spawn(future),
            Some(stage) => self.0.spawn(Box::pin(async move {
                pulled(stage).await;
                future.await;
            })),
        }
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> std::io::Result<Arc<dyn AsyncUdpSocket>> {
        self.0.wrap_udp_socket(socket)
    }

    fn now(&self) -> std::time::Instant {
        self.0.now()
    }
}
