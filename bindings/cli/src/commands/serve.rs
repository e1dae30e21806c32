//! `serve`: the HTTP server.

use crate::config::{Config, Sources};
use crate::error::Result;

/// Answer requests over HTTP.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Address to listen on [default: 127.0.0.1].
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Port to listen on [default: 8080].
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,
    /// Most queries of one request [default: 256].
    #[arg(long, value_name = "N")]
    max_batch_size: Option<u32>,
}

impl Arguments {
    /// Hands the flags to the configuration.
    pub fn set(&self, sources: &mut Sources) {
        sources.flag("server.host", self.host.clone());
        sources.flag("server.port", self.port.map(i64::from));
        sources.flag("server.max_batch_size", self.max_batch_size);
    }
}

/// Serves until told to stop.
#[cfg(not(target_family = "wasm"))]
pub fn run(_: &Arguments, config: &Config) -> Result<()> {
    crate::server::run(config, |address| anstream::println!("Listening on http://{address}"))
}

/// WASI has no sockets to listen on (D02).
#[cfg(target_family = "wasm")]
pub fn run(_: &Arguments, _: &Config) -> Result<()> {
    Err(crate::error::Error::Unavailable("serve: WASI has no server; use a native build of this program"))
}
