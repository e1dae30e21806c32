//! Settings from flags, the environment, a file and defaults, in that order (D19), each with where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::Deserialize;
use toml::Value;

use crate::error::{Error, Result};
use crate::mechanism::Mechanism;

mod file;
mod keys;

pub use file::{history_file, of_user as user_file};
pub use keys::{unknown as suggest, Key, Kind, KEYS};

/// Every setting, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// `[attention]`.
    pub attention: Attention,
    /// `[optimization]`.
    pub optimization: Optimization,
    /// `[server]`.
    pub server: Server,
    /// `[logging]`.
    pub logging: Logging,
}

/// What is computed where a command or request does not say.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Mechanism of `compute`, the repl and requests that name none.
    pub default_type: Mechanism,
    /// Heads of multi-head attention.
    pub num_heads: usize,
    /// Length of a query; `None` takes it from the input (D33).
    pub hidden_dim: Option<usize>,
    /// Share of the weights that a training pass drops.
    pub dropout: f64,
}

/// How it is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimization {
    /// Whether the machine's fastest kernel is used, or the portable one.
    pub use_simd: bool,
    /// Threads of one computation; `None` is one a core.
    pub num_threads: Option<usize>,
    /// Queries computed at a time.
    pub batch_size: usize,
}

/// The HTTP server.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on; 0 takes a free one.
    pub port: u16,
    /// Most queries of one request.
    pub max_batch_size: usize,
    /// Milliseconds that a whole request may take.
    pub timeout_ms: u64,
    /// Connections open at a time.
    pub max_connections: usize,
    /// Computations that may wait for a thread.
    pub queue_size: usize,
    /// Most bytes of a request's body.
    pub max_body_bytes: usize,
    /// Milliseconds for the headers of a request to arrive.
    pub header_timeout_ms: u64,
    /// Milliseconds for the body of a request to arrive.
    pub body_timeout_ms: u64,
    /// Milliseconds that requests under way have after SIGTERM.
    pub drain_timeout_ms: u64,
    /// Bearer token that requests must carry.
    pub token: Option<String>,
    /// Origins that browsers may call from.
    pub cors_origins: Vec<String>,
}

/// Messages on stderr.
#[derive(Clone, Debug, PartialEq)]
pub struct Logging {
    /// Least severe messages that are shown: a level, or directives such as `info,hyper=warn`.
    pub level: String,
    /// How they are written.
    pub format: LogFormat,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object a line.
    Json,
}

/// Where a value came from, the strongest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The command line.
    Flag,
    /// This environment variable.
    Environment(String),
    /// This file.
    File(PathBuf),
    /// Nobody set it.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Flag => f.write_str("flag"),
            Origin::Environment(name) => write!(f, "environment {name}"),
            Origin::File(path) => write!(f, "file {}", path.display()),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// The layers as they are found.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, if there is one.
    pub file: Option<PathBuf>,
    /// `RUVECTOR_` variables.
    pub environment: BTreeMap<String, String>,
    /// Keys such as `attention.num_heads` that the command line sets.
    pub flags: BTreeMap<&'static str, Value>,
}

impl Sources {
    /// The file named on the command line or by `RUVECTOR_CONFIG`, else the user's own if it exists; and this
    /// process's environment.
    pub fn of_process(file: Option<&Path>) -> Self {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| {
                Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
            })
            .filter(|(name, _)| name.starts_with("RUVECTOR_"))
            .collect();
        let named =
            file.map(Path::to_owned).or_else(|| environment.get("RUVECTOR_CONFIG").map(PathBuf::from));
        let file = named.or_else(|| file::of_user().filter(|path| path.exists()));
        Self { file, environment, flags: BTreeMap::new() }
    }

    /// Sets a key where the command line gives a value.
    pub fn flag<V: Into<Value>>(&mut self, key: &'static str, value: Option<V>) {
        if let Some(value) = value {
            self.flags.insert(key, value.into());
        }
    }

    /// Every key that has a value, the strongest layer's, with its origin; all faults at once.
    pub fn merge(&self) -> Result<Effective> {
        let mut faults = Vec::new();
        let mut values = BTreeMap::new();
        for key in KEYS {
            if let Some(value) = key.default_value() {
                values.insert(key.name, (value, Origin::Default));
            }
        }
        if let Some(path) = &self.file {
            for (key, value) in file::read(path, &mut faults)? {
                values.insert(key.name, (value, Origin::File(path.clone())));
            }
        }
        for (key, name, text) in keys::from_environment(&self.environment, &mut faults) {
            match key.parse(text) {
                Ok(value) => drop(values.insert(key.name, (value, Origin::Environment(name.to_owned())))),
                Err(needed) => faults.push(format!("{name}: found '{text}', needed {needed}")),
            }
        }
        for (key, value) in &self.flags {
            values.insert(key, (value.clone(), Origin::Flag));
        }
        if faults.is_empty() {
            return Ok(Effective { values });
        }
        Err(Error::Config(faults))
    }

    /// The settings, or every fault found.
    pub fn load(&self) -> Result<Config> {
        self.merge()?.check()
    }
}

/// The settings of a file with this text, and of nothing else.
pub fn from_text(text: &str) -> Result<Config> {
    let mut faults = Vec::new();
    let found = file::parse(Path::new("text"), text, &mut faults);
    let mut effective = Sources::default().merge()?;
    for (key, value) in found {
        effective.values.insert(key.name, (value, Origin::File("text".into())));
    }
    if faults.is_empty() {
        effective.check()
    } else {
        Err(Error::Config(faults))
    }
}

/// The values that count.
#[derive(Clone, Debug)]
pub struct Effective {
    values: BTreeMap<&'static str, (Value, Origin)>,
}

impl Effective {
    /// The value of a key and where it came from; `None` where nothing sets it.
    pub fn get(&self, key: &str) -> Option<&(Value, Origin)> {
        self.values.get(key)
    }

    /// The settings, or every fault found.
    pub fn check(&self) -> Result<Config> {
        let mut read = Reader { values: &self.values, faults: Vec::new() };
        let config = Config {
            attention: Attention {
                default_type: read.parsed("attention.default_type", Mechanism::default()),
                num_heads: read.count("attention.num_heads"),
                hidden_dim: read.optional("attention.hidden_dim", at_least_one),
                dropout: read.number("attention.dropout"),
            },
            optimization: Optimization {
                use_simd: read.typed("optimization.use_simd", |_| None).unwrap_or(true),
                num_threads: read.optional("optimization.num_threads", at_least_one),
                batch_size: read.count("optimization.batch_size"),
            },
            server: Server {
                host: read.parsed("server.host", IpAddr::from([127, 0, 0, 1])),
                port: read.typed("server.port", |_| None).unwrap_or(8080),
                max_batch_size: read.count("server.max_batch_size"),
                timeout_ms: read.count("server.timeout_ms") as u64,
                max_connections: read.count("server.max_connections"),
                queue_size: read.count("server.queue_size"),
                max_body_bytes: read.count("server.max_body_bytes"),
                header_timeout_ms: read.count("server.header_timeout_ms") as u64,
                body_timeout_ms: read.count("server.body_timeout_ms") as u64,
                drain_timeout_ms: read.count("server.drain_timeout_ms") as u64,
                token: read.typed("server.token", |token: &String| {
                    token.is_empty().then_some("a token that is not empty")
                }),
                cors_origins: read.typed("server.cors_origins", |_| None).unwrap_or_default(),
            },
            logging: Logging {
                level: read.typed("logging.level", is_filter).unwrap_or_default(),
                format: read.typed("logging.format", |_| None).unwrap_or(LogFormat::Text),
            },
        };
        match read.faults.is_empty() {
            true => Ok(config),
            false => Err(Error::Config(read.faults)),
        }
    }
}

fn at_least_one(count: &usize) -> Option<&'static str> {
    (*count == 0).then_some("a whole number of at least 1")
}

fn is_filter(level: &String) -> Option<&'static str> {
    let filter = tracing_subscriber::EnvFilter::builder().parse(level);
    (level.is_empty() || filter.is_err())
        .then_some("error, warn, info, debug, trace or directives such as info,hyper=warn")
}

/// Turns values into types and collects what does not fit.
struct Reader<'a> {
    values: &'a BTreeMap<&'static str, (Value, Origin)>,
    faults: Vec<String>,
}

impl Reader<'_> {
    /// A value of this type that passes `check`, which says what is needed instead.
    fn typed<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
        check: impl Fn(&T) -> Option<&'static str>,
    ) -> Option<T> {
        let (value, origin) = self.values.get(key)?;
        let needed = match value.clone().try_into::<T>() {
            Ok(value) => match check(&value) {
                None => return Some(value),
                Some(needed) => needed.to_owned(),
            },
            Err(_) => keys::find(key).map_or(String::new(), |key| key.needed.to_owned()),
        };
        self.faults.push(format!("{key} ({origin}): found {value}, needed {needed}"));
        None
    }

    fn optional(&mut self, key: &'static str, check: fn(&usize) -> Option<&'static str>) -> Option<usize> {
        self.typed(key, check)
    }

    fn count(&mut self, key: &'static str) -> usize {
        self.typed(key, at_least_one).unwrap_or(1)
    }

    fn number(&mut self, key: &'static str) -> f64 {
        let share = |number: &f64| (!(0.0..1.0).contains(number)).then_some("a number in [0, 1)");
        self.typed(key, share).unwrap_or(0.0)
    }

    /// A string that reads as something else.
    fn parsed<T: std::str::FromStr>(&mut self, key: &'static str, otherwise: T) -> T
    where
        T::Err: fmt::Display,
    {
        let Some(text) = self.typed::<String>(key, |_| None) else { return otherwise };
        text.parse().unwrap_or_else(|error| {
            let origin = self.values.get(key).map_or(&Origin::Default, |(_, origin)| origin);
            self.faults.push(format!("{key} ({origin}): {error}"));
            otherwise
        })
    }
}

#[cfg(test)]
mod tests;
