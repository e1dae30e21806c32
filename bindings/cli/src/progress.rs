//! A bar on stderr for what takes longer than a second, if stderr is a terminal.

#[cfg(not(target_family = "wasm"))]
mod bar {
    use std::time::{Duration, Instant};

    use indicatif::{ProgressBar, ProgressStyle};

    const PATIENCE: Duration = Duration::from_secs(1);

    /// How far some work has come.
    pub struct Progress {
        what: &'static str,
        total: usize,
        start: Instant,
        bar: Option<ProgressBar>,
    }

    impl Progress {
        /// Work on so many things.
        pub fn new(what: &'static str, total: usize) -> Self {
            Self { what, total, start: Instant::now(), bar: None }
        }

        /// So many are done.
        pub fn reached(&mut self, done: usize) {
            if self.bar.is_none() && self.start.elapsed() > PATIENCE {
                let bar = ProgressBar::new(self.total as u64).with_elapsed(self.start.elapsed());
                let template = "[{bar:30}] {percent:>3}% of {len} {msg}, {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style.progress_chars("=> "));
                }
                bar.set_message(self.what);
                self.bar = Some(bar);
            }
            if let Some(bar) = &self.bar {
                bar.set_position(done as u64);
            }
        }
    }

    impl Drop for Progress {
        fn drop(&mut self) {
            if let Some(bar) = &self.bar {
                bar.finish_and_clear();
            }
        }
    }
}

/// WASI has no terminal that could show a bar.
#[cfg(target_family = "wasm")]
mod bar {
    /// Nothing to show.
    pub struct Progress;

    impl Progress {
        /// Work on so many things.
        pub fn new(_: &'static str, _: usize) -> Self {
            Self
        }

        /// So many are done.
        pub fn reached(&mut self, _: usize) {}
    }
}

pub use bar::Progress;
