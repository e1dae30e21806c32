//! One client's connection: what it is doing, and a socket that does not wait for ever.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{sleep_until, Instant, Sleep};

/// A client that reads at least this many bytes a second may take as long as it needs.
const LEAST_BYTES_A_SECOND: u64 = 64 << 10;

/// How long what a client still sends is read and thrown away after the last answer: closing at once would reset the
/// connection, and a reset takes an answer away that the client has not read yet.
const LINGER: Duration = Duration::from_secs(1);

/// What a connection is doing.
#[derive(Debug, Default)]
pub struct Peer {
    /// Requests whose answer is not written yet.
    busy: AtomicUsize,
    /// The client has not taken what was written.
    blocked: AtomicBool,
    /// When it became idle, in milliseconds of the server's own clock.
    since: AtomicU64,
    evicted: Notify,
}

impl Peer {
    /// An idle connection.
    pub fn new(now: u64) -> Self {
        Peer { since: AtomicU64::new(now), ..Peer::default() }
    }

    /// A request has begun; it ends when the returned value is dropped.
    pub fn begin(
        self: &Arc<Self>,
        clock: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> impl Drop + Send + Sync {
        self.busy.fetch_add(1, Ordering::SeqCst);
        Busy { peer: Arc::clone(self), clock }
    }

    /// Since when nothing but a request is awaited; `None` while there is something to do.
    pub fn idle_since(&self) -> Option<u64> {
        let idle = self.busy.load(Ordering::SeqCst) == 0 && !self.blocked.load(Ordering::SeqCst);
        idle.then(|| self.since.load(Ordering::SeqCst))
    }

    /// Asks the connection to make room for another.
    pub fn evict(&self) {
        self.evicted.notify_one();
    }

    /// Comes when the connection has to go, and never while there is something to do.
    pub async fn evicted(&self) {
        loop {
            self.evicted.notified().await;
            if self.idle_since().is_some() {
                return;
            }
        }
    }
}

struct Busy<C: Fn() -> u64> {
    peer: Arc<Peer>,
    clock: C,
}

impl<C: Fn() -> u64> Drop for Busy<C> {
    fn drop(&mut self) {
        self.peer.since.store((self.clock)(), Ordering::SeqCst);
        self.peer.busy.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A socket that gives up on clients who do not read.
pub struct Socket {
    stream: TcpStream,
    peer: Arc<Peer>,
    patience: Duration,
    waiting: Option<Waiting>,
    linger: Option<Pin<Box<Sleep>>>,
}

/// A client that has not taken everything yet.
struct Waiting {
    since: Instant,
    taken: u64,
    timer: Pin<Box<Sleep>>,
}

impl Socket {
    /// A connection whose client may stop reading for as long as `patience`.
    pub fn new(stream: TcpStream, peer: Arc<Peer>, patience: Duration) -> Self {
        Socket { stream, peer, patience, waiting: None, linger: None }
    }

    /// Passes on how a write went; turns it into an error when the client took too long.
    fn watch(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(count)) => {
                if let Some(waiting) = &mut self.waiting {
                    waiting.taken += count as u64;
                }
                Poll::Ready(Ok(count))
            }
            Poll::Pending if self.is_out_of_patience(cx) => {
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client does not read")))
            }
            other => other,
        }
    }

    fn is_out_of_patience(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        self.peer.blocked.store(true, Ordering::SeqCst);
        let waiting = self.waiting.get_or_insert_with(|| Waiting {
            since: now,
            taken: 0,
            timer: Box::pin(sleep_until(now + self.patience)),
        });
        while waiting.timer.as_mut().poll(cx).is_ready() {
            let earned = Duration::from_millis(waiting.taken.saturating_mul(1000) / LEAST_BYTES_A_SECOND);
            let end = waiting.since + self.patience + earned;
            if end <= Instant::now() {
                return true;
            }
            waiting.timer.as_mut().reset(end);
        }
        false
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.watch(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.watch(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes when it has nothing left to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.waiting = None;
        self.peer.blocked.store(false, Ordering::SeqCst);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = &mut *self;
        if socket.linger.is_none() {
            match Pin::new(&mut socket.stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => {}
                other => return other,
            }
        }
        let end = socket.linger.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + LINGER)));
        if end.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        // A few reads at a time, so that a client that never stops does not hold the thread.
        for _ in 0..8 {
            let mut space = [0; 16 << 10];
            let mut buffer = ReadBuf::new(&mut space);
            match Pin::new(&mut socket.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                // Its end, or its failure: it is gone either way.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
