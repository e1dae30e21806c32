//! Messages on stderr, as `[logging]` wants them.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Logging};

/// What a line of text carries besides its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Nothing: somebody reads along.
    Plain,
    /// Time, level and target: somebody reads later.
    Dated,
}

/// Starts logging; a second call changes nothing.
pub fn start(logging: &Logging, style: Style) {
    // The level was checked when the configuration was read.
    let filter = EnvFilter::try_new(&logging.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    let _ = match (logging.format, style) {
        (LogFormat::Json, _) => base.json().flatten_event(true).try_init(),
        (LogFormat::Text, Style::Dated) => base.with_ansi(colour).try_init(),
        (LogFormat::Text, Style::Plain) => {
            base.with_ansi(colour).without_time().with_level(false).with_target(false).try_init()
        }
    };
}
