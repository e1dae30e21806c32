//! Messages on stderr, as `[logging]` wants them.

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
    // Errors are in colour, log lines never: the subscriber's own colours want a feature that is left out, and it
    // complains at every start of one that asks for them without it.
    let base =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    let _ = match (logging.format, style) {
        (LogFormat::Json, _) => base.json().flatten_event(true).try_init(),
        (LogFormat::Text, Style::Dated) => base.try_init(),
        (LogFormat::Text, Style::Plain) => {
            base.without_time().with_level(false).with_target(false).try_init()
        }
    };
}
