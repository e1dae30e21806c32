//! Calls that compute on a thread of Node's pool. Their inputs were copied on the JavaScript thread before.

use std::panic::{catch_unwind, AssertUnwindSafe};

use napi::bindgen_prelude::{AsyncTask, Either, Float32Array, Task};
use napi::{Env, Status};

use crate::error::Failure;
use crate::types::Answer;

type Work = Box<dyn FnMut() -> Result<Answer, Failure> + Send>;

/// One call in flight.
pub struct Forward(Result<Work, Failure>);

impl Forward {
    /// A promise of what `work` computes; inputs that could not be read make it reject.
    pub fn promise(
        work: Result<impl FnMut() -> Result<Answer, Failure> + Send + 'static, Failure>,
    ) -> AsyncTask<Self> {
        AsyncTask::new(Forward(work.map(|work| Box::new(work) as Work)))
    }
}

impl Task for Forward {
    type Output = Answer;
    type JsValue = Either<Float32Array, Vec<Float32Array>>;

    fn compute(&mut self) -> napi::Result<Answer> {
        let run = || match &mut self.0 {
            Ok(work) => work(),
            Err(failure) => Err(failure.clone()),
        };
        let result = catch_unwind(AssertUnwindSafe(run));
        result.unwrap_or_else(|panic| Err(Failure::panic(&*panic))).map_err(|failure| {
            // Only the JavaScript thread can build the error: see `reject`.
            self.0 = Err(failure);
            napi::Error::from_status(Status::GenericFailure)
        })
    }

    fn resolve(&mut self, _env: Env, answer: Answer) -> napi::Result<Self::JsValue> {
        Ok(answer.into_js())
    }

    fn reject(&mut self, env: Env, error: napi::Error) -> napi::Result<Self::JsValue> {
        Err(match &self.0 {
            Err(failure) => failure.clone().into_js(&env),
            Ok(_) => error,
        })
    }
}
