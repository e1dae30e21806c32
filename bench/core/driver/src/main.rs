//! The native half of `rva bench core`: it holds tensors, calls, and tells how long each call took.

mod buffer;
mod lanes;
mod limits;
mod ours;
mod protocol;
mod roofline;

use buffer::Buffer;
use limits::Limit;
use ours::Ours;
use protocol::{Answer, Prepare, Request};
use ruvector_attention::Kernel;
use std::collections::HashMap;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Instant;

fn main() -> io::Result<()> {
    let mut session = Session::default();
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let answer = serde_json::from_str(&line?)
            .map_err(|error| error.to_string())
            .and_then(|request| session.answer(request))
            .unwrap_or_else(|error| Answer { error: Some(error), ..Answer::default() });
        serde_json::to_writer(&mut out, &answer)?;
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}

enum Work {
    Ours(Box<Ours>),
    Limit(Limit),
}

/// The measurements that are set up. Those on the same file read the same memory.
#[derive(Default)]
struct Session {
    work: HashMap<String, Work>,
    buffers: HashMap<PathBuf, Weak<Buffer>>,
}

impl Session {
    fn answer(&mut self, request: Request) -> Result<Answer, String> {
        match request {
            Request::Describe => {
                let (reads, multiplies) = roofline::names();
                let kernels = Kernel::available().map(|kernel| kernel.name()).collect();
                Ok(Answer { kernels, reads, multiplies, ..Answer::default() })
            }
            Request::Prepare(ask) => self.prepare(&ask),
            Request::Run { id, seconds, most } => {
                let start = Instant::now();
                let go_on = |calls| calls == 0 || calls < most && start.elapsed().as_secs_f64() < seconds;
                let ns = run(self.find(&id)?, go_on)?;
                Ok(Answer { ns, ..Answer::default() })
            }
            Request::Result { id, path } => {
                let Work::Ours(ours) = self.find(&id)? else {
                    return Err("a roofline loop has no result".into());
                };
                let bytes: Vec<u8> = ours.result().iter().flat_map(|x| x.to_le_bytes()).collect();
                std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
                Ok(Answer::default())
            }
            Request::Drop { id } => {
                self.work.remove(&id);
                self.buffers.retain(|_, buffer| buffer.strong_count() > 0);
                Ok(Answer::default())
            }
        }
    }

    fn prepare(&mut self, ask: &Prepare) -> Result<Answer, String> {
        let tensors = [self.buffer(&ask.queries)?, self.buffer(&ask.keys)?, self.buffer(&ask.values)?];
        let mut answer = Answer::default();
        let work = if matches!(ask.mechanism.as_str(), "read" | "multiply") {
            let limit = Limit::new(ask, tensors)?;
            answer.operations = limit.operations;
            answer.with = ask.way.clone();
            Work::Limit(limit)
        } else {
            let ours = Ours::new(ask, tensors)?;
            answer.with = ours.kernel().into();
            Work::Ours(Box::new(ours))
        };
        self.work.insert(ask.id.clone(), work);
        Ok(answer)
    }

    fn find(&mut self, id: &str) -> Result<&mut Work, String> {
        self.work.get_mut(id).ok_or_else(|| format!("nothing is prepared as {id:?}"))
    }

    fn buffer(&mut self, path: &Path) -> Result<Arc<Buffer>, String> {
        if let Some(buffer) = self.buffers.get(path).and_then(Weak::upgrade) {
            return Ok(buffer);
        }
        let read = Buffer::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let buffer = Arc::new(read);
        self.buffers.insert(path.into(), Arc::downgrade(&buffer));
        Ok(buffer)
    }
}

/// Nanoseconds of each call, for as long as `go_on` says.
fn run(work: &mut Work, go_on: impl Fn(usize) -> bool) -> Result<Vec<u64>, String> {
    match work {
        Work::Limit(limit) => Ok(limit.run(go_on)),
        Work::Ours(ours) => {
            let mut times = Vec::new();
            while go_on(times.len()) {
                let start = Instant::now();
                ours.run()?;
                times.push(start.elapsed().as_nanos() as u64);
            }
            Ok(times)
        }
    }
}
