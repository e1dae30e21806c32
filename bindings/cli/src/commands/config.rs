//! `config`: what the settings are, and a file to begin with.

use std::path::PathBuf;

use serde_json::{json, Map};
use toml::Value;

use crate::config::{user_file, Effective, Kind, Sources, KEYS};
use crate::error::{Error, Result};
use crate::format;

/// Show the settings and where they come from, or write a file of them.
///
/// A setting comes from a flag, else from the environment (server.port is
/// RUVECTOR_SERVER_PORT), else from the file (--config, RUVECTOR_CONFIG or the
/// user's own), else it has its default.
#[derive(clap::Args, Debug)]
pub struct Arguments {
    /// Show or write.
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand, Debug)]
enum Action {
    /// Print every setting, its value and where that came from.
    Show {
        /// Print a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Write a configuration file with every key, its default and its meaning.
    Init {
        /// Where to [default: the user's own file].
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// Replace a file that is there.
        #[arg(long)]
        force: bool,
    },
}

impl Arguments {
    /// Whether the settings are to be read, or only written.
    pub fn reads(&self) -> bool {
        matches!(self.action, Action::Show { .. })
    }
}

/// Shows or writes.
pub fn run(given: &Arguments, sources: &Sources) -> Result<()> {
    match &given.action {
        Action::Show { json } => {
            let effective = sources.merge()?;
            effective.check()?;
            let text = if *json { as_json(&effective) } else { as_text(&effective) };
            format::write_stdout(text.as_bytes())
        }
        Action::Init { file, force } => {
            let file = match file.clone().or_else(user_file) {
                Some(file) => file,
                None => {
                    return Err(Error::Usage("config init: name a file, there is no home folder".to_owned()))
                }
            };
            init(&file, *force)
        }
    }
}

fn as_text(effective: &Effective) -> String {
    let mut text = String::new();
    for key in KEYS {
        let (value, origin) = match effective.get(key.name) {
            Some((_, origin)) if key.kind == Kind::Secret => ("(not shown)".to_owned(), origin.to_string()),
            Some((value, origin)) => (value.to_string(), origin.to_string()),
            None => ("(not set)".to_owned(), "default".to_owned()),
        };
        text += &format!("{} = {value}  ({origin})\n", key.name);
    }
    text
}

fn as_json(effective: &Effective) -> String {
    let mut object = Map::new();
    for key in KEYS {
        let entry = match effective.get(key.name) {
            Some((_, origin)) if key.kind == Kind::Secret => {
                json!({"value": "(not shown)", "origin": origin.to_string()})
            }
            Some((value, origin)) => json!({"value": plain(value), "origin": origin.to_string()}),
            None => json!({"value": null, "origin": "default"}),
        };
        object.insert(key.name.to_owned(), entry);
    }
    format!("{:#}\n", serde_json::Value::Object(object))
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::String(text) => json!(text),
        Value::Integer(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::Boolean(flag) => json!(flag),
        Value::Array(items) => items.iter().map(plain).collect(),
        other => json!(other.to_string()),
    }
}

/// A file in which everything is as it is without one.
pub fn template() -> String {
    let mut text =
        "# Settings of ruvector-attention. Flags and RUVECTOR_ variables are stronger.\n".to_owned();
    let mut section = "";
    for key in KEYS {
        let (own, name) = key.parts();
        if own != section {
            text += &format!("\n[{own}]\n");
            section = own;
        }
        text += &format!("# {}\n", key.about);
        text += &match key.default {
            Some(default) => format!("{name} = {default}\n"),
            None => format!("# {name} = {}\n", key.example),
        };
    }
    text
}

fn init(file: &std::path::Path, force: bool) -> Result<()> {
    let path = file.display().to_string();
    if file.exists() && !force {
        return Err(Error::Usage(format!("{path} is there already; --force replaces it")));
    }
    if let Some(folder) = file.parent() {
        let failed = |source| Error::Save { what: "configuration", to: path.clone(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    format::save(&path, template().as_bytes())?;
    tracing::info!("Configuration saved to {path}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_it_writes_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        init(&path, false).unwrap();
        let sources = Sources { file: Some(path.clone()), ..Sources::default() };
        assert_eq!(sources.load().unwrap(), Sources::default().load().unwrap());
        assert!(matches!(init(&path, false), Err(Error::Usage(_))));
        init(&path, true).unwrap();
        assert!(template().lines().all(|line| line.len() <= 100));
    }

    #[test]
    fn secrets_are_not_shown() {
        let mut sources = Sources::default();
        sources.flag("server.token", Some("hunter2"));
        let effective = sources.merge().unwrap();
        let shown = as_text(&effective) + &as_json(&effective);
        assert!(!shown.contains("hunter2") && shown.contains("server.token = (not shown)  (flag)"));
    }
}
