//! From a port to connections: how many there may be, and what becomes of them at the end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use axum::Router;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use tracing::{debug, info, warn};

use super::connection::{Peer, Socket};
use super::shutdown::Signals;
use super::{routes, App};
use crate::error::{Error, Result};

/// Most bytes of a request's head.
const MOST_HEAD_BYTES: usize = 64 << 10;

/// How long to wait when the system has no descriptor or memory for another connection.
const PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections until the first signal, then lets them end.
pub async fn serve(app: Arc<App>, started: impl FnOnce(SocketAddr)) -> Result<()> {
    let server = &app.config.server;
    let wanted = SocketAddr::new(server.host, server.port);
    let failed = |error| Error::Server(format!("Failed to listen on {wanted}: {error}"));
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let mut signals = Signals::new().map_err(failed)?;
    let house = Arc::new(House::new(Arc::clone(&app)));
    let graceful = GracefulShutdown::new();
    started(listener.local_addr().map_err(failed)?);
    loop {
        tokio::select! {
            accepted = listener.accept() => house.welcome(accepted, &graceful).await,
            () = signals.next() => break,
        }
    }
    // Who had connected before the signal is served.
    while let Some(accepted @ Ok(_)) = listener.accept().now_or_never() {
        house.welcome(accepted, &graceful).await;
    }
    drop(listener);
    app.draining.store(true, Ordering::Relaxed);
    info!(connections = house.open().len(), "draining");
    let limit = Duration::from_millis(server.drain_timeout_ms);
    let cut = |why: &str| Error::Server(format!("{why} with {} connections open", house.open().len()));
    tokio::select! {
        () = graceful.shutdown() => {
            info!(answered = app.metrics.answered_in_all(), "drained");
            Ok(())
        }
        () = signals.next() => Err(cut("Stopped by a second signal")),
        () = tokio::time::sleep(limit) => Err(cut("Stopped after drain_timeout_ms")),
    }
}

/// The connections that are open.
struct House {
    app: Arc<App>,
    router: Router,
    open: Mutex<HashMap<u64, Arc<Peer>>>,
    start: Instant,
}

impl House {
    fn new(app: Arc<App>) -> Self {
        House { router: routes::router(&app), app, open: Mutex::default(), start: Instant::now() }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Peer>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the start.
    fn clock(&self) -> u64 {
        self.start.elapsed().as_millis() as u64
    }

    async fn welcome(
        self: &Arc<Self>,
        accepted: std::io::Result<(TcpStream, SocketAddr)>,
        graceful: &GracefulShutdown,
    ) {
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "cannot accept a connection");
                return tokio::time::sleep(PAUSE).await;
            }
        };
        match self.admit() {
            Some((id, peer)) => {
                tokio::spawn(Arc::clone(self).live(id, peer, stream, graceful.watcher()));
            }
            None => {
                self.app.metrics.turned_away.inc();
                tokio::spawn(turn_away(stream));
            }
        }
    }

    /// A place for a connection; where all are taken, that of the one that has waited longest for a request.
    fn admit(&self) -> Option<(u64, Arc<Peer>)> {
        let mut open = self.open();
        if open.len() >= self.app.config.server.max_connections {
            let idle = open.iter().filter_map(|(id, peer)| Some((peer.idle_since()?, *id)));
            let (_, oldest) = idle.min()?;
            open.remove(&oldest)?.evict();
        }
        static IDS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        let peer = Arc::new(Peer::new(self.clock()));
        open.insert(id, Arc::clone(&peer));
        self.app.metrics.connections.set(open.len() as i64);
        Some((id, peer))
    }

    /// The whole life of a connection.
    async fn live(self: Arc<Self>, id: u64, peer: Arc<Peer>, stream: TcpStream, watcher: Watcher) {
        // Only costs time if it fails.
        let _ = stream.set_nodelay(true);
        let server = &self.app.config.server;
        // A client has as long to read an answer as to send a body.
        let patience = Duration::from_millis(server.body_timeout_ms);
        let socket = TokioIo::new(Socket::new(stream, Arc::clone(&peer), patience));
        let router = self.router.clone();
        let service = hyper::service::service_fn({
            let (house, peer) = (Arc::clone(&self), Arc::clone(&peer));
            move |request: hyper::Request<Incoming>| {
                let clock = Arc::clone(&house);
                let busy = peer.begin(move || clock.clock());
                let answer = router.clone().oneshot(request.map(Body::new));
                async move { answer.await.map(|response: Response| hold(response, busy)) }
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new()).http1_only();
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(server.header_timeout_ms))
            .max_buf_size(MOST_HEAD_BYTES);
        let connection = watcher.watch(builder.serve_connection(socket, service).into_owned());
        tokio::select! {
            ended = connection => {
                if let Err(error) = ended {
                    self.note(&*error);
                }
            }
            () = peer.evicted() => debug!("closed an idle connection for a new one"),
        }
        let mut open = self.open();
        open.remove(&id);
        self.app.metrics.connections.set(open.len() as i64);
    }

    fn note(&self, error: &(dyn std::error::Error + 'static)) {
        if is_slow(error) {
            self.app.metrics.slow.inc();
        }
        debug!(error, "a connection ended early");
    }
}

/// The answer, which holds a value until its body has been handed over.
fn hold(response: Response, held: impl Send + Sync + 'static) -> Response {
    response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _ = &held;
            frame
        }))
    })
}

/// Whether the client took too long, over a head or over reading.
fn is_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let timed_out = |error: &std::io::Error| error.kind() == std::io::ErrorKind::TimedOut;
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout)
            || error.downcast_ref().is_some_and(timed_out)
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// Tells a client that there is no place for its connection.
async fn turn_away(mut stream: TcpStream) {
    use tokio::io::AsyncWriteExt;
    let body = super::errors::Refusal::busy("too_many_connections", "too many connections are open").body();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         retry-after: 1\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // The client may not wait for it.
    let _ = tokio::time::timeout(Duration::from_secs(1), async {
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.shutdown().await;
        // Closing before its request was read would take the answer away again.
        let mut space = [0; 4096];
        use tokio::io::AsyncReadExt;
        while matches!(stream.read(&mut space).await, Ok(count) if count > 0) {}
    })
    .await;
}
