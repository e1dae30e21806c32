//! The keys: names, kinds, defaults, meanings; and how a word that is none of them is answered.

use std::collections::BTreeMap;

use toml::Value;

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Section and name, as in `server.port`.
    pub name: &'static str,
    /// Of what kind its value is.
    pub kind: Kind,
    /// As it would stand in a file; `None` where there is no value.
    pub default: Option<&'static str>,
    /// An example for `config init`, where there is no default.
    pub example: &'static str,
    /// What is needed, for errors.
    pub needed: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A string that is not shown.
    Secret,
    /// A whole number.
    Count,
    /// A number.
    Number,
    /// true or false.
    Flag,
    /// Strings; in the environment with commas between them.
    List,
}

const COUNT: &str = "a whole number of at least 1";

macro_rules! keys {
    ($($name:literal $kind:ident $default:expr, $example:literal, $needed:expr, $about:literal;)*) => {
        /// Every key there is.
        pub const KEYS: &[Key] = &[$(Key {
            name: $name, kind: Kind::$kind, default: $default, example: $example, needed: $needed, about: $about,
        }),*];
    };
}

keys! {
    "attention.default_type" Text Some("\"multi-head\""), "", "the name of a mechanism",
        "Mechanism where a command or a request names none.";
    "attention.num_heads" Count Some("8"), "", COUNT, "Heads of multi-head attention.";
    "attention.hidden_dim" Count None, "128", COUNT,
        "Length of a query; unless set, the input's second dimension or the whole query.";
    "attention.dropout" Number Some("0.1"), "", "a number in [0, 1)",
        "Share of the weights that compute --training drops; nothing else ever drops any.";
    "optimization.use_simd" Flag Some("true"), "", "true or false",
        "Whether the machine's fastest kernel is used, or the portable one.";
    "optimization.num_threads" Count None, "4", COUNT,
        "Threads of one computation; unless set, one a core.";
    "optimization.batch_size" Count Some("64"), "", COUNT,
        "Queries computed at a time: progress is shown and memory is needed by that.";
    "server.host" Text Some("\"127.0.0.1\""), "", "an IP address", "Address to listen on; 0.0.0.0 is all.";
    "server.port" Count Some("8080"), "", "a port from 0 to 65535", "Port to listen on; 0 takes a free one.";
    "server.max_batch_size" Count Some("256"), "", COUNT, "Most queries of one request.";
    "server.timeout_ms" Count Some("5000"), "", COUNT, "Milliseconds that a whole request may take.";
    "server.max_connections" Count Some("1000"), "", COUNT, "Connections open at a time.";
    "server.queue_size" Count Some("256"), "", COUNT, "Computations that may wait for a thread.";
    "server.max_body_bytes" Count Some("67108864"), "", COUNT, "Most bytes of a request's body.";
    "server.header_timeout_ms" Count Some("5000"), "", COUNT, "Milliseconds for a request's headers.";
    "server.body_timeout_ms" Count Some("5000"), "", COUNT, "Milliseconds for a request's body.";
    "server.drain_timeout_ms" Count Some("10000"), "", COUNT,
        "Milliseconds that requests under way have after SIGTERM.";
    "server.token" Secret None, "\"secret\"", "a string", "Bearer token that requests must carry.";
    "server.cors_origins" List Some("[]"), "", "a list of origins", "Origins that browsers may call from.";
    "logging.level" Text Some("\"info\""), "", "a level", "Least severe messages that are shown.";
    "logging.format" Text Some("\"text\""), "", "\"text\" or \"json\"", "How messages are written.";
}

impl Key {
    /// The value where nothing sets another.
    pub fn default_value(&self) -> Option<Value> {
        let table: toml::Table = toml::from_str(&format!("v = {}", self.default?)).ok()?;
        table.get("v").cloned()
    }

    /// The variable that sets it: `RUVECTOR_SERVER_PORT`.
    pub fn variable(&self) -> String {
        format!("RUVECTOR_{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// Section, and name in it.
    pub fn parts(&self) -> (&'static str, &'static str) {
        self.name.split_once('.').unwrap_or(("", self.name))
    }

    /// A value from the environment; the error says what is needed.
    pub fn parse(&self, text: &str) -> Result<Value, &'static str> {
        match self.kind {
            Kind::Text | Kind::Secret => Ok(Value::String(text.to_owned())),
            Kind::Count => text.parse().map(Value::Integer).map_err(|_| self.needed),
            Kind::Number => text.parse().map(Value::Float).map_err(|_| self.needed),
            Kind::Flag => text.parse().map(Value::Boolean).map_err(|_| self.needed),
            Kind::List => {
                let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
                Ok(Value::Array(words.map(|word| Value::String(word.to_owned())).collect()))
            }
        }
    }
}

/// The key of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The name most like a word, if any is like it.
pub fn suggestion<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &'a str| (strsim::jaro_winkler(word, name), name);
    let best = names.into_iter().map(likeness).max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.7).then_some(best.1)
}

/// The sentence about a word that is none of these.
pub fn unknown(what: &str, word: &str, names: &[&str]) -> String {
    match suggestion(word, names.iter().copied()) {
        Some(name) => format!("unknown {what} '{word}', did you mean '{name}'?"),
        None => format!("unknown {what} '{word}', one of {}", names.join(", ")),
    }
}

/// Variables that are not keys: the file, and those of the core.
const OTHER: [&str; 3] = ["RUVECTOR_CONFIG", "RUVECTOR_ATTENTION_KERNEL", "RUVECTOR_ATTENTION_THREADS"];

/// The keys that variables set; a variable that is no key is a fault.
pub fn from_environment<'a>(
    environment: &'a BTreeMap<String, String>,
    faults: &mut Vec<String>,
) -> Vec<(&'static Key, &'a str, &'a str)> {
    let mut found = Vec::new();
    for (name, text) in environment.iter().filter(|(name, _)| !OTHER.contains(&name.as_str())) {
        match KEYS.iter().find(|key| key.variable() == *name) {
            Some(key) => found.push((key, name.as_str(), text.as_str())),
            None => {
                let names: Vec<String> = KEYS.iter().map(Key::variable).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let near = suggestion(name, names.iter().copied()).unwrap_or("RUVECTOR_SERVER_PORT");
                faults.push(format!("unknown environment variable '{name}', did you mean '{near}'?"));
            }
        }
    }
    found
}
