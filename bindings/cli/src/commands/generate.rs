//! `completions` and `man`: what a shell and a manual need, made from the command line's own description.

use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli;
use crate::error::{Error, Result};
use crate::format;

/// Print the completions of a shell: bash, elvish, fish, powershell or zsh.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Example:\n  ruvector-attention completions bash > ~/.local/share/bash-completion/completions/ruvector-attention"
)]
pub struct Completions {
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

/// Print the manual page, or write it and all completions to a folder.
#[derive(clap::Args, Debug)]
pub struct Man {
    /// Write man/*.1 and completions/* here.
    #[arg(long, value_name = "FOLDER")]
    all: Option<PathBuf>,
}

const NAME: &str = "ruvector-attention";

/// Prints completions.
pub fn completions(given: &Completions) -> Result<()> {
    format::write_stdout(&completions_of(given.shell))
}

fn completions_of(shell: Shell) -> Vec<u8> {
    let mut bytes = Vec::new();
    clap_complete::generate(shell, &mut cli::Arguments::command(), NAME, &mut bytes);
    bytes
}

/// Prints or writes manual pages.
pub fn man(given: &Man) -> Result<()> {
    match &given.all {
        None => format::write_stdout(&page(&cli::Arguments::command())?),
        Some(folder) => write_all(folder),
    }
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let rendered = clap_mangen::Man::new(command.clone()).render(&mut bytes);
    let failed = |source| Error::Save { what: "manual page", to: "memory".to_owned(), source };
    rendered.map(|()| bytes).map_err(failed)
}

fn write_all(folder: &Path) -> Result<()> {
    let place = |part: &str| -> Result<PathBuf> {
        let path = folder.join(part);
        let failed = |source| Error::Save { what: "folder", to: path.display().to_string(), source };
        std::fs::create_dir_all(&path).map_err(failed)?;
        Ok(path)
    };
    let pages = place("man")?;
    let mut command = cli::Arguments::command();
    command.build();
    let save = |path: PathBuf, bytes: &[u8]| format::save(&path.display().to_string(), bytes);
    save(pages.join(format!("{NAME}.1")), &page(&command)?)?;
    for part in command.get_subcommands().filter(|part| !part.is_hide_set() && part.get_name() != "help") {
        let name = format!("{NAME}-{}", part.get_name());
        save(pages.join(format!("{name}.1")), &page(&part.clone().name(name.clone()).display_name(name))?)?;
    }
    let shells = place("completions")?;
    for (shell, file) in [
        (Shell::Bash, format!("{NAME}.bash")),
        (Shell::Elvish, format!("{NAME}.elv")),
        (Shell::Fish, format!("{NAME}.fish")),
        (Shell::PowerShell, format!("_{NAME}.ps1")),
        (Shell::Zsh, format!("_{NAME}")),
    ] {
        save(shells.join(file), &completions_of(shell))?;
    }
    Ok(())
}
