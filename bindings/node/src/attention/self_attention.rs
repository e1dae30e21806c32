//! Self attention: one sequence is queries, keys and values.

use super::*;

/// Softmax attention of a sequence over itself.
#[napi]
pub struct SelfAttention {
    attention: Arc<attention::SelfAttention>,
}

impl SelfAttention {
    fn attend(&self, x: &Unknown<'_>, options: Option<&Unknown<'_>>) -> Result<Float32Array, Failure> {
        let options = types::options(options)?;
        let result = self.attention.attend(types::tensor(x, "x")?, &options.as_core())?;
        Ok(Float32Array::new(result))
    }
}

fn attend_each(
    attention: &attention::SelfAttention,
    sequences: &[Vec<f32>],
    options: &CallOptions,
) -> Result<Answer, Failure> {
    let attend = |x: &Vec<f32>| Ok(attention.attend(x, &options.as_core())?);
    Ok(Answer::Rows(sequences.iter().map(attend).collect::<Result<_, Failure>>()?))
}

#[napi]
impl SelfAttention {
    /// For sequences of rows of length `dim`.
    #[napi(constructor, catch_unwind)]
    pub fn new(env: Env, #[napi(ts_arg_type = "number")] dim: Unknown<'_>) -> napi::Result<Self> {
        let make = || Ok(attention::SelfAttention::new(types::count(&dim, "dim")?)?);
        Ok(Self { attention: Arc::new(throw(&env, make())?) })
    }

    /// Length of a row.
    #[napi(getter, catch_unwind)]
    pub fn dim(&self) -> f64 {
        attention::Attention::dim(&*self.attention).unwrap_or_default() as f64
    }

    /// Attends from each row of the flat sequence `x` over all of them.
    #[napi(catch_unwind)]
    pub fn forward(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Float32Array")] x: Unknown<'_>,
        #[napi(ts_arg_type = "AttentionArgument | null")] options: Option<Unknown<'_>>,
    ) -> napi::Result<Float32Array> {
        throw(&env, self.attend(&x, options.as_ref()))
    }

    /// As `forward`, on another thread.
    #[napi(catch_unwind, ts_return_type = "Promise<Float32Array>")]
    pub fn forward_async(
        &self,
        #[napi(ts_arg_type = "Float32Array")] x: Unknown<'_>,
        #[napi(ts_arg_type = "AttentionArgument | null")] options: Option<Unknown<'_>>,
    ) -> AsyncTask<Forward> {
        let read = || Ok((types::tensor(&x, "x")?.to_vec(), types::options(options.as_ref())?));
        let attention = Arc::clone(&self.attention);
        Forward::promise(
            read().map(|(x, options)| move || Ok(Answer::Flat(attention.attend(&x, &options.as_core())?))),
        )
    }

    /// Attends within each of several sequences.
    #[napi(catch_unwind, ts_return_type = "Float32Array[]")]
    pub fn forward_batch(
        &self,
        env: Env,
        #[napi(ts_arg_type = "Float32Array[]")] sequences: Unknown<'_>,
        #[napi(ts_arg_type = "AttentionArgument | null")] options: Option<Unknown<'_>>,
    ) -> napi::Result<Batch> {
        let read = || Ok((types::rows(&sequences, "sequences")?, types::options(options.as_ref())?));
        let run = read().and_then(|(rows, options)| attend_each(&self.attention, &rows, &options));
        throw(&env, run).map(Answer::into_js)
    }

    /// As `forwardBatch`, on another thread.
    #[napi(catch_unwind, ts_return_type = "Promise<Float32Array[]>")]
    pub fn forward_batch_async(
        &self,
        #[napi(ts_arg_type = "Float32Array[]")] sequences: Unknown<'_>,
        #[napi(ts_arg_type = "AttentionArgument | null")] options: Option<Unknown<'_>>,
    ) -> AsyncTask<Forward> {
        let read = || Ok((types::rows(&sequences, "sequences")?, types::options(options.as_ref())?));
        let attention = Arc::clone(&self.attention);
        Forward::promise(
            read().map(|(sequences, options)| move || attend_each(&attention, &sequences, &options)),
        )
    }
}
