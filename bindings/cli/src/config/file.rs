//! The configuration file: where it is, and what it holds.

use std::path::{Path, PathBuf};

use toml::Value;

use super::keys::{self, Key, KEYS};
use crate::error::{Error, Reason, Result};

/// Larger files are none of ours.
const MOST_BYTES: u64 = 1 << 20;

/// A folder of the user's, by the variable that names it or at its place in the home folder.
fn folder(variable: &str, at_home: &str) -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = match cfg!(windows) {
        true => named("APPDATA"),
        false => named(variable).or_else(|| Some(named("HOME")?.join(at_home))),
    };
    Some(base?.join("ruvector-attention"))
}

/// The user's own file, whether it exists or not.
pub fn of_user() -> Option<PathBuf> {
    Some(folder("XDG_CONFIG_HOME", ".config")?.join("config.toml"))
}

/// Where the repl keeps its lines.
pub fn history_file() -> Option<PathBuf> {
    Some(folder("XDG_STATE_HOME", ".local/state")?.join("history"))
}

/// The keys and values of a file; what it should not hold becomes a fault.
pub fn read(path: &Path, faults: &mut Vec<String>) -> Result<Vec<(&'static Key, Value)>> {
    let failed = |reason| Error::Load { what: "configuration", from: path.display().to_string(), reason };
    let length = std::fs::metadata(path).map_err(|error| failed(Reason::Io(error)))?.len();
    if length > MOST_BYTES {
        return Err(failed(Reason::Content(format!("{length} bytes, at most {MOST_BYTES} are read"))));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(Reason::Io(error)))?;
    Ok(parse(path, &text, faults))
}

/// The same of a text, which `path` names in faults.
pub fn parse(path: &Path, text: &str, faults: &mut Vec<String>) -> Vec<(&'static Key, Value)> {
    match toml::from_str(text) {
        Ok(table) => collect(path, table, faults),
        Err(error) => {
            faults.push(format!("{}: {}", path.display(), error.to_string().trim_end()));
            Vec::new()
        }
    }
}

fn collect(path: &Path, table: toml::Table, faults: &mut Vec<String>) -> Vec<(&'static Key, Value)> {
    let mut sections: Vec<&str> = KEYS.iter().map(|key| key.parts().0).collect();
    sections.dedup();
    let mut found = Vec::new();
    for (section, content) in table {
        let Value::Table(content) = content else {
            let names: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
            let fault = match names.iter().find(|name| name.ends_with(&format!(".{section}"))) {
                Some(name) => format!("key '{section}' stands outside a section, did you mean '{name}'?"),
                None => keys::unknown("key", &section, &names),
            };
            faults.push(format!("{}: {fault}", path.display()));
            continue;
        };
        if !sections.contains(&section.as_str()) {
            faults.push(format!("{}: {}", path.display(), keys::unknown("section", &section, &sections)));
            continue;
        }
        for (name, value) in content {
            let full = format!("{section}.{name}");
            match keys::find(&full) {
                Some(key) => found.push((key, value)),
                None => {
                    let names = KEYS.iter().map(|key| key.parts()).filter(|(own, _)| *own == section);
                    let names: Vec<&str> = names.map(|(_, name)| name).collect();
                    let fault = keys::unknown("key", &name, &names);
                    faults.push(format!("{}: [{section}]: {fault}", path.display()));
                }
            }
        }
    }
    found
}
