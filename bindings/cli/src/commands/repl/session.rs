//! What a line of the repl does; prints nothing itself.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use attention::Options;

use super::words;
use crate::commands::compute::output_format;
use crate::config::{suggest, Config};
use crate::error::{Error, Result};
use crate::format::{self, Choice, Dtype, Format, Tensor, Writer};
use crate::mechanism::{Mechanism, Parameters};

/// Name, arguments and meaning of every command.
pub const COMMANDS: &[(&str, &str, &str)] = &[
    ("load", "NAME FILE", "read a tensor from a file"),
    ("set", "NAME [[1, 2], [3, 4]]", "make a tensor of these numbers"),
    ("set", "SETTING VALUE", "change a setting; show lists them"),
    ("show", "[NAME]", "list everything, or print a tensor"),
    ("compute", "[TYPE]", "attend from query to keys and values, into result"),
    ("compare", "A B", "how far two tensors, or two types' results, are apart"),
    ("time", "[TYPE] [CALLS]", "how long computing takes"),
    ("save", "NAME FILE", "write a tensor to a file"),
    ("help", "", "print this"),
    ("history", "", "print the lines so far"),
    ("quit", "", "end"),
];

const SETTINGS: [&str; 8] =
    ["type", "num_heads", "hidden_dim", "neighbors", "curvature", "causal", "use_simd", "num_threads"];

/// What a line leads to.
#[derive(Debug, PartialEq)]
pub enum Answer {
    /// This is to be printed.
    Text(String),
    /// The end.
    Quit,
}

/// Everything that lines leave behind.
pub struct Session {
    tensors: BTreeMap<String, Stored>,
    mechanism: Mechanism,
    parameters: Parameters,
    hidden_dim: Option<usize>,
    neighbors: Option<usize>,
    causal: bool,
    history: Vec<String>,
}

struct Stored {
    shape: Vec<usize>,
    data: Vec<f32>,
}

fn usage<T>(text: impl Into<String>) -> Result<T> {
    Err(Error::Usage(text.into()))
}

/// A number in a setting.
fn number<T: std::str::FromStr>(setting: &str, text: &str, needed: &str) -> Result<T> {
    text.parse().or_else(|_| usage(format!("{setting}: found '{text}', needed {needed}")))
}

fn positive(setting: &str, text: &str) -> Result<usize> {
    match number(setting, text, "a whole number of at least 1")? {
        0 => usage(format!("{setting}: found 0, needed a whole number of at least 1")),
        count => Ok(count),
    }
}

impl Session {
    /// An empty one with the configuration's settings.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            tensors: BTreeMap::new(),
            mechanism: config.attention.default_type,
            parameters: Parameters { dropout: 0.0, ..Parameters::of(config)? },
            hidden_dim: config.attention.hidden_dim,
            neighbors: None,
            causal: false,
            history: Vec::new(),
        })
    }

    /// Does what a line says.
    pub fn answer(&mut self, line: &str) -> Result<Answer> {
        let Some(words) = words::split(line) else { return usage("a quote is not closed") };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let Some((command, rest)) = words.split_first() else { return Ok(Answer::Text(String::new())) };
        self.history.push(line.trim().to_owned());
        let text = match (*command, rest) {
            ("load", [name, file]) => self.load(name, file)?,
            ("set", [name, list @ ..]) if list.first().is_some_and(|word| word.starts_with('[')) => {
                self.numbers(name, &list.join(" "))?
            }
            ("set", [setting, value]) => self.set(setting, value)?,
            ("show", []) => self.list(),
            ("show", [name]) => self.show(name)?,
            ("compute", []) => self.compute(self.mechanism)?,
            ("compute", [kind]) => self.compute(mechanism(kind)?)?,
            ("compare", [a, b]) => self.compare(a, b)?,
            ("time", words @ ([] | [_] | [_, _])) => self.time(words)?,
            ("save", [name, file]) => self.save(name, file)?,
            ("help", []) => help(),
            ("history", []) => self.history.iter().map(|line| format!("{line}\n")).collect(),
            ("quit" | "exit", []) => return Ok(Answer::Quit),
            (command, _) => return usage(misuse(command)),
        };
        Ok(Answer::Text(text))
    }

    fn load(&mut self, name: &str, file: &str) -> Result<String> {
        let choice = Choice { names: &[name], ..Choice::default() };
        let tensor = if name == "mask" {
            let mask = format::read_mask(file, &choice)?;
            let data: Vec<f32> = mask.iter().map(|flag| f32::from(u8::from(*flag))).collect();
            Tensor::of(data, vec![mask.len()])
        } else {
            format::open(file, "tensor", &choice)?
        };
        self.keep(name, tensor, file)
    }

    fn numbers(&mut self, name: &str, list: &str) -> Result<String> {
        let tensor = format::from_bytes(list.as_bytes().to_vec(), Format::Json, &Choice::default())
            .or_else(|reason| usage(format!("{name}: {reason}")))?;
        self.keep(name, tensor, "the line")
    }

    fn keep(&mut self, name: &str, tensor: Tensor, from: &str) -> Result<String> {
        let shape = tensor.shape().to_vec();
        let data =
            tensor.load().map_err(|reason| Error::Load { what: "tensor", from: from.to_owned(), reason })?;
        let text = format!("{name}: {shape:?}\n");
        self.tensors.insert(name.to_owned(), Stored { shape, data });
        Ok(text)
    }

    fn set(&mut self, setting: &str, value: &str) -> Result<String> {
        let flag = |needed| number::<bool>(setting, value, needed);
        let none = ["none", "all", "auto"].contains(&value);
        match setting {
            "type" => self.mechanism = mechanism(value)?,
            "num_heads" => self.parameters.num_heads = positive(setting, value)?,
            "hidden_dim" => self.hidden_dim = (!none).then(|| positive(setting, value)).transpose()?,
            "neighbors" => self.neighbors = (!none).then(|| positive(setting, value)).transpose()?,
            "curvature" => self.parameters.curvature = number(setting, value, "a number")?,
            "causal" => self.causal = flag("true or false")?,
            "use_simd" => self.parameters.use_simd = flag("true or false")?,
            "num_threads" => self.parameters.threads = attention::Threads::new(positive(setting, value)?)?,
            other => return usage(suggest("setting", other, &SETTINGS)),
        }
        Ok(String::new())
    }

    fn list(&self) -> String {
        let or = |count: Option<usize>, none: &str| count.map_or(none.to_owned(), |count| count.to_string());
        let values = [
            self.mechanism.to_string(),
            self.parameters.num_heads.to_string(),
            or(self.hidden_dim, "auto"),
            or(self.neighbors, "all"),
            self.parameters.curvature.to_string(),
            self.causal.to_string(),
            self.parameters.use_simd.to_string(),
            self.parameters.threads.count().to_string(),
        ];
        let settings = SETTINGS.iter().zip(values).map(|(name, value)| format!("{name:<12} {value}\n"));
        let tensors = self.tensors.iter().map(|(name, tensor)| format!("{name:<12} {:?}\n", tensor.shape));
        settings.chain(tensors).collect()
    }

    fn find(&self, name: &str) -> Result<&Stored> {
        let names: Vec<&str> = self.tensors.keys().map(String::as_str).collect();
        match self.tensors.get(name) {
            Some(tensor) => Ok(tensor),
            None if names.is_empty() => usage(format!("no tensor '{name}': load or set it")),
            None => usage(suggest("tensor", name, &names)),
        }
    }

    fn show(&self, name: &str) -> Result<String> {
        let tensor = self.find(name)?;
        Ok(format!("{name}: {:?}\n{}", tensor.shape, rows(tensor)))
    }

    fn attend(&self, mechanism: Mechanism) -> Result<Stored> {
        let query = self.find("query")?;
        let own = match query.shape.as_slice() {
            [_, .., columns] => *columns,
            _ => query.data.len(),
        };
        let dim = self.hidden_dim.unwrap_or(own);
        let (keys, values) = match mechanism {
            Mechanism::SelfAttention => (query, query),
            _ => (self.find("keys")?, self.find("values")?),
        };
        let mask: Option<Vec<bool>> =
            self.tensors.get("mask").map(|mask| mask.data.iter().map(|number| *number != 0.0).collect());
        let options =
            Options { neighbors: self.neighbors, mask: mask.as_deref(), causal: self.causal, training: None };
        let built = mechanism.build(dim, &self.parameters)?;
        let data = built.forward_batch(&query.data, dim, &keys.data, &values.data, &options)?;
        let rows = query.data.len() / dim.max(1);
        Ok(Stored { shape: vec![rows, data.len() / rows.max(1)], data })
    }

    fn compute(&mut self, mechanism: Mechanism) -> Result<String> {
        let result = self.attend(mechanism)?;
        let text = format!("result: {:?} by {mechanism}\n{}", result.shape, rows(&result));
        self.tensors.insert("result".to_owned(), result);
        Ok(text)
    }

    /// A tensor of this name, or what the mechanism of this name computes.
    fn operand(&self, word: &str) -> Result<Vec<f32>> {
        match word.parse::<Mechanism>() {
            Ok(mechanism) if !self.tensors.contains_key(word) => Ok(self.attend(mechanism)?.data),
            _ => Ok(self.find(word)?.data.clone()),
        }
    }

    fn compare(&self, a: &str, b: &str) -> Result<String> {
        let (x, y) = (self.operand(a)?, self.operand(b)?);
        if x.len() != y.len() {
            return usage(format!("{a} has {} numbers, {b} {}", x.len(), y.len()));
        }
        let apart = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).abs();
        let far = x.iter().zip(&y).map(apart).enumerate().max_by(|p, q| p.1.total_cmp(&q.1));
        let same = x.iter().zip(&y).filter(|(x, y)| x == y).count();
        Ok(match far {
            None => "nothing to compare\n".to_owned(),
            Some((place, far)) => format!(
                "{same} of {} numbers are equal; the largest difference is {far:.2e}, of element {place}\n",
                x.len()
            ),
        })
    }

    fn time(&self, words: &[&str]) -> Result<String> {
        let (kind, calls) = match words {
            [] => (None, None),
            [word] if word.parse::<usize>().is_ok() => (None, Some(*word)),
            [kind, calls @ ..] => (Some(*kind), calls.first().copied()),
        };
        let kind = kind.map_or(Ok(self.mechanism), mechanism)?;
        let calls = calls.map_or(Ok(100), |calls| positive("calls", calls))?;
        let mut times = Vec::new();
        for _ in 0..calls {
            let start = Instant::now();
            black_box(self.attend(kind)?);
            times.push(start.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((calls - 1) as f64 * share).round() as usize];
        Ok(format!(
            "{kind}: median {:.4} ms, from {:.4} to {:.4}, {calls} calls\n",
            at(0.5),
            at(0.0),
            at(1.0)
        ))
    }

    fn save(&self, name: &str, file: &str) -> Result<String> {
        let tensor = self.find(name)?;
        let format = output_format(file, None)?;
        if tensor.shape.len() > 2 && format == Format::Csv {
            return usage(format!("a .csv file has one or two dimensions, not {:?}", tensor.shape));
        }
        let mut writer = Writer::create(file, format, Dtype::F32, &tensor.shape, name)?;
        writer.push(&tensor.data)?;
        writer.finish()?;
        Ok(format!("{name}: {:?} saved to {file}\n", tensor.shape))
    }
}

fn mechanism(name: &str) -> Result<Mechanism> {
    name.parse().or_else(usage)
}

fn help() -> String {
    let line = |(name, words, meaning): &(&str, &str, &str)| {
        format!("{:<26} {meaning}\n", format!("{name} {words}").trim_end())
    };
    COMMANDS.iter().map(line).collect()
}

fn misuse(command: &str) -> String {
    let forms: Vec<String> = COMMANDS
        .iter()
        .filter(|(name, _, _)| *name == command)
        .map(|(name, words, _)| format!("'{}'", format!("{name} {words}").trim_end()))
        .collect();
    if forms.is_empty() {
        let mut names: Vec<&str> = COMMANDS.iter().map(|(name, _, _)| *name).collect();
        names.dedup();
        return suggest("command", command, &names);
    }
    format!("{command}: use it as {}", forms.join(" or "))
}

/// The first rows, as much of each as fits a line.
fn rows(tensor: &Stored) -> String {
    const ROWS: usize = 4;
    const COLUMNS: usize = 5;
    let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
    let mut text = String::new();
    for row in tensor.data.chunks(columns).take(ROWS) {
        let numbers: Vec<String> =
            row.iter().take(COLUMNS).map(|number| format!("{number:>12.6e}")).collect();
        let more = if columns > COLUMNS { "  ..." } else { "" };
        text += &format!("  {}{more}\n", numbers.join("  "));
    }
    if tensor.data.len() / columns > ROWS {
        text += "  ...\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn session() -> Session {
        let mut session = Session::new(&Sources::default().load().unwrap()).unwrap();
        for line in [
            "set type scaled-dot-product",
            "set query [1, 0]",
            "set keys [[1, 0], [0, 1], [1, 1]]",
            "set values [[1], [2], [3]]",
        ] {
            session.answer(line).unwrap();
        }
        session
    }

    fn text(session: &mut Session, line: &str) -> String {
        match session.answer(line) {
            Ok(Answer::Text(text)) => text,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn refused(session: &mut Session, line: &str) -> String {
        session.answer(line).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_conversation() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.npy").display().to_string();
        let mut session = session();
        assert!(text(&mut session, "compute").starts_with("result: [1, 1] by scaled-dot-product"));
        assert!(text(&mut session, "show").contains("keys         [3, 2]"));
        assert!(text(&mut session, "compare result cross").starts_with("1 of 1 numbers are equal"));
        assert!(text(&mut session, "compare result linear").contains("largest difference"));
        assert!(text(&mut session, &format!("save result '{file}'")).contains("saved"));
        assert!(text(&mut session, &format!("load again '{file}'")).contains("again: [1, 1]"));
        assert!(text(&mut session, "compare again result").starts_with("1 of 1"));
        assert!(text(&mut session, "time 3").contains("3 calls"));
        assert!(text(&mut session, "history").contains("set query [1, 0]\n"));
        assert_eq!(session.answer("quit").unwrap(), Answer::Quit);
    }

    #[test]
    fn settings_count() {
        let mut session = session();
        let all = text(&mut session, "compute");
        text(&mut session, "set neighbors 1");
        let best = text(&mut session, "compute");
        assert_ne!(all, best);
        text(&mut session, "set neighbors all");
        assert_eq!(text(&mut session, "compute"), all);
        text(&mut session, "set mask [1, 0, 0]");
        assert!(text(&mut session, "compute").contains("1.000000e0"));
        assert!(refused(&mut session, "set num_heads 0").contains("at least 1"));
        assert!(refused(&mut session, "set num_haeds 1").contains("did you mean 'num_heads'?"));
    }

    #[test]
    fn mistakes_say_what_to_do() {
        let mut session = session();
        assert!(refused(&mut session, "shwo").contains("did you mean 'show'?"));
        assert!(refused(&mut session, "load keys").contains("use it as 'load NAME FILE'"));
        assert!(refused(&mut session, "show kyes").contains("did you mean 'keys'?"));
        assert!(refused(&mut session, "set query [1, x]").starts_with("query: not an array"));
        assert!(refused(&mut session, "load a 'b").contains("quote"));
        text(&mut session, "set values [1, 2]");
        assert!(refused(&mut session, "compute").starts_with("values: length 2"));
        let folder = "/nowhere/k.npy";
        assert!(refused(&mut session, &format!("load keys {folder}")).contains("/nowhere/k.npy"));
        assert!(help().lines().all(|line| line.len() <= 80));
    }
}
