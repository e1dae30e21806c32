//! `repl`: a conversation over tensors in memory, at a terminal or from a pipe.

mod session;
mod words;

use crate::config::Config;
use crate::error::Result;

pub use session::{Answer, Session, COMMANDS};

/// Load tensors, compute, compare and save, line by line.
///
/// At a terminal lines can be edited, Tab completes commands and file names, and
/// a mistake is told. From a pipe the first mistake ends the program, with the
/// number of its line. Type help to see the commands.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {}

const EXAMPLES: &str = "\
Example:
  printf 'load keys k.npy\\nshow\\n' | ruvector-attention repl";

/// Talks until there is no more to say.
#[cfg(not(target_family = "wasm"))]
pub fn run(_: &Arguments, config: &Config) -> Result<()> {
    use std::io::IsTerminal;
    let session = Session::new(config)?;
    match std::io::stdin().is_terminal() {
        true => terminal::talk(session),
        false => script(session, std::io::stdin().lock()),
    }
}

/// WASI has no terminal to edit lines at (D02).
#[cfg(target_family = "wasm")]
pub fn run(_: &Arguments, _: &Config) -> Result<()> {
    let text = "repl: WASI has no terminal to edit lines at; use a native build of this program";
    Err(crate::error::Error::Unavailable(text))
}

/// Runs lines until one fails, which is named by its number.
#[cfg(not(target_family = "wasm"))]
fn script(mut session: Session, lines: impl std::io::BufRead) -> Result<()> {
    use crate::error::{Error, Reason};
    for (index, line) in lines.lines().enumerate() {
        let number = index + 1;
        let at = |source| Error::Line { number, source: Box::new(source) };
        let line = line.map_err(|error| {
            at(Error::Load { what: "line", from: "stdin".to_owned(), reason: Reason::Io(error) })
        })?;
        match session.answer(&line).map_err(at)? {
            Answer::Text(text) => crate::format::write_stdout(text.as_bytes())?,
            Answer::Quit => break,
        }
    }
    Ok(())
}

#[cfg(not(target_family = "wasm"))]
mod terminal {
    use rustyline::completion::{Completer, FilenameCompleter, Pair};
    use rustyline::error::ReadlineError;
    use rustyline::history::FileHistory;
    use rustyline::{Context, Editor};

    use super::{Answer, Session, COMMANDS};
    use crate::error::{Error, Reason, Result};

    /// Completes the command, then names of files.
    struct Words(FilenameCompleter);

    impl Completer for Words {
        type Candidate = Pair;

        fn complete(
            &self,
            line: &str,
            place: usize,
            context: &Context<'_>,
        ) -> rustyline::Result<(usize, Vec<Pair>)> {
            let before = &line[..place];
            if before.trim_start().contains(char::is_whitespace) {
                return self.0.complete(line, place, context);
            }
            let start = before.len() - before.trim_start().len();
            let named = COMMANDS.iter().filter(|(name, _, _)| name.starts_with(&before[start..]));
            let pair = |(name, _, _): &(&str, &str, &str)| Pair {
                display: (*name).to_owned(),
                replacement: format!("{name} "),
            };
            Ok((start, named.map(pair).collect()))
        }
    }

    impl rustyline::Helper for Words {}
    impl rustyline::hint::Hinter for Words {
        type Hint = String;
    }
    impl rustyline::highlight::Highlighter for Words {}
    impl rustyline::validate::Validator for Words {}

    fn failed(error: ReadlineError) -> Error {
        let reason = Reason::Content(error.to_string());
        Error::Load { what: "line", from: "the terminal".to_owned(), reason }
    }

    /// Reads lines, answers, and goes on after a mistake.
    pub fn talk(mut session: Session) -> Result<()> {
        let mut editor: Editor<Words, FileHistory> = Editor::new().map_err(failed)?;
        editor.set_helper(Some(Words(FilenameCompleter::new())));
        let history = crate::config::history_file();
        if let Some(path) = history.as_deref().filter(|path| path.exists()) {
            // An old history is a comfort, not a need.
            let _ = editor.load_history(path);
        }
        anstream::println!("ruvector-attention {}; help lists the commands, quit ends", attention::version());
        loop {
            let line = match editor.readline("> ") {
                Ok(line) => line,
                Err(ReadlineError::Interrupted) => continue,
                Err(ReadlineError::Eof) => break,
                Err(error) => return Err(failed(error)),
            };
            // A line that cannot be kept can still be answered.
            let _ = editor.add_history_entry(&line);
            match session.answer(&line) {
                Ok(Answer::Text(text)) => crate::format::write_stdout(text.as_bytes())?,
                Ok(Answer::Quit) => break,
                Err(error) => crate::report(&error),
            }
        }
        if let Some(path) = history {
            let _ = path.parent().map(std::fs::create_dir_all);
            let _ = editor.save_history(&path);
        }
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn commands_and_files_are_completed() {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("keys.npy");
            std::fs::write(&file, b"").unwrap();
            let words = Words(FilenameCompleter::new());
            let history = FileHistory::new();
            let context = Context::new(&history);
            let of = |line: &str| {
                let (start, pairs) = words.complete(line, line.len(), &context).unwrap();
                (start, pairs.into_iter().map(|pair| pair.replacement).collect::<Vec<_>>())
            };
            assert_eq!(of("  comp"), (2, vec!["compute ".to_owned(), "compare ".to_owned()]));
            assert!(of("zz").1.is_empty());
            let line = format!("load keys {}/ke", folder.path().display());
            assert!(of(&line).1.iter().any(|path| path.ends_with("keys.npy")));
        }
    }
}

#[cfg(all(test, not(target_family = "wasm")))]
mod tests {
    use super::*;
    use crate::config::Sources;
    use crate::error::Error;

    #[test]
    fn a_script_stops_at_its_first_mistake() {
        let session = || Session::new(&Sources::default().load().unwrap()).unwrap();
        assert!(script(session(), "# nothing\n\nquit\nnonsense\n".as_bytes()).is_ok());
        let failed = script(session(), "set num_heads 2\n\nlod keys k.npy\nquit\n".as_bytes());
        let Err(Error::Line { number: 3, source }) = failed else { panic!("{failed:?}") };
        assert_eq!(source.to_string(), "unknown command 'lod', did you mean 'load'?");
    }
}
