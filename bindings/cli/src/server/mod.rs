//! The HTTP server.
//!
//! A request goes listener → [`routes`] → [`handlers`] → [`bodies`] → the compute threads of [`pool`], where it is read
//! ([`requests`]), computed ([`call`]) and written down ([`forms`]). Refusals of every stage are [`errors`].

mod auth;
pub mod bodies;
pub mod call;
mod connection;
mod errors;
pub mod forms;
mod handlers;
mod listener;
mod metrics;
mod numbers;
mod observe;
pub mod openapi;
mod pool;
pub mod requests;
mod routes;
mod shutdown;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use attention::{Kernel, Threads};
use tokio::runtime::Builder;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::mechanism::Parameters;
use bodies::{Bounds, Room};
use call::Limits;
use metrics::Metrics;
use pool::Pool;
use requests::Defaults;

/// Bodies of this many times the largest one fit into the memory that waiting requests share.
const ROOM: usize = 8;

/// What every request needs.
pub struct App {
    config: Config,
    pool: Pool,
    metrics: Metrics,
    defaults: Arc<Defaults>,
    limits: Limits,
    bounds: Bounds,
    draining: AtomicBool,
}

impl App {
    /// The state of a server of this configuration; starts the compute threads.
    pub fn new(config: &Config) -> Result<Arc<Self>> {
        let server = &config.server;
        let cores = || std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let threads = config.optimization.num_threads.unwrap_or_else(cores);
        let failed = |error| Error::Server(format!("Failed to start the compute threads: {error}"));
        // Each computation has one thread: requests share the cores, not the parts of one request.
        let parameters = Parameters { threads: Threads::new(1)?, ..Parameters::of(config)? };
        let kernel = if config.optimization.use_simd { Kernel::detect() } else { Kernel::scalar() };
        Ok(Arc::new(App {
            pool: Pool::new(threads, server.queue_size).map_err(failed)?,
            metrics: Metrics::new(kernel.name()),
            defaults: Arc::new(Defaults {
                mechanism: config.attention.default_type,
                hidden_dim: config.attention.hidden_dim,
                parameters,
            }),
            limits: Limits { queries: server.max_batch_size, bytes: server.max_body_bytes },
            bounds: Bounds {
                bytes: server.max_body_bytes,
                time: Duration::from_millis(server.body_timeout_ms),
                room: Room::new(server.max_body_bytes.saturating_mul(ROOM)),
            },
            draining: AtomicBool::new(false),
            config: config.clone(),
        }))
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

/// Serves until told to stop; says where on `started`.
pub fn run(config: &Config, started: impl FnOnce(std::net::SocketAddr)) -> Result<()> {
    let failed = |error| Error::Server(format!("Failed to start the server: {error}"));
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(failed)?;
    let app = App::new(config)?;
    let served = runtime.block_on(listener::serve(app, started));
    // Whatever is left has been given its time.
    runtime.shutdown_background();
    served
}
