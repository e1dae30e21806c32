//! Runs the program in a folder of its own, with no settings but those a test gives.
#![allow(dead_code, reason = "each test file uses a part")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program that cargo built for this test: newer versions tell when it runs, older ones when it is compiled.
pub fn program() -> PathBuf {
    const NAME: &str = "CARGO_BIN_EXE_ruvector-attention";
    let told = std::env::var_os(NAME).or(option_env!("CARGO_BIN_EXE_ruvector-attention").map(Into::into));
    told.map(PathBuf::from).expect(NAME)
}

/// A folder and the runs in it.
pub struct Place {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// What a run left.
pub struct Run {
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Self {
        Place { folder: tempfile::tempdir().expect("a temporary folder"), environment: Vec::new() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets a variable for all runs.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    pub fn write_floats(&self, name: &str, numbers: &[f32]) {
        self.write(name, numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path().join(name)).expect("the file that was written")
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(program());
        command.current_dir(self.path()).env_clear().env("XDG_CONFIG_HOME", self.path());
        command.env("HOME", self.path()).env("APPDATA", self.path());
        for name in ["PATH", "SYSTEMROOT", "TMP", "TEMP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, b"")
    }

    pub fn run_with(&self, arguments: &[&str], stdin: &[u8]) -> Run {
        let mut child = self
            .command()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program");
        let mut pipe = child.stdin.take().expect("a pipe");
        // The program may end before it reads everything.
        let _ = pipe.write_all(stdin);
        drop(pipe);
        let Output { status, stdout, stderr } = child.wait_with_output().expect("the end");
        let stderr = String::from_utf8(stderr).expect("messages in UTF-8");
        Run { code: status.code().expect("an exit code"), stdout, stderr }
    }

    /// A run that has to succeed.
    pub fn done(&self, arguments: &[&str]) -> Run {
        let run = self.run(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}", run.stderr);
        run
    }

    /// A run that has to fail with this code; its message.
    pub fn refused(&self, code: i32, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{arguments:?}: nothing but results goes to stdout");
        run.stderr
    }
}

impl Run {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("text in UTF-8")
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.stdout).expect("JSON")
    }

    pub fn floats(&self) -> Vec<f32> {
        floats(&self.stdout)
    }
}

pub fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
