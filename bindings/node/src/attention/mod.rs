//! The classes, one mechanism a file, and what their methods share.

mod cross;
mod hyperbolic;
mod linear;
mod multi_head;
mod scaled_dot;
mod self_attention;

use std::borrow::Cow;
use std::sync::Arc;

use attention::Attention;
use napi::bindgen_prelude::{AsyncTask, Either, Float32Array, Unknown};
use napi::Env;
use napi_derive::napi;

use crate::async_ops::Forward;
use crate::error::Failure;
use crate::types::{self, Answer, CallOptions};

/// A result of a batch: flat as the queries were, or one array a query.
pub type Batch = Either<Float32Array, Vec<Float32Array>>;

/// A mechanism with its parameters.
pub struct Engine(Box<dyn Attention>);

impl Engine {
    fn new(attention: attention::Result<impl Attention + 'static>) -> Result<Arc<Self>, Failure> {
        Ok(Arc::new(Engine(Box::new(attention?))))
    }

    /// The length of a query, where the constructor fixed it.
    fn dim(&self) -> f64 {
        self.0.dim().unwrap_or_default() as f64
    }

    fn run(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let Call { queries, keys, values, .. } = call;
        let options = call.options.as_core();
        let batch = |dim| self.0.forward_batch(queries, dim, keys, values, &options);
        Ok(match call.shape {
            Shape::One => Answer::Flat(self.0.forward_with(queries, keys, values, &options)?),
            Shape::Flat => Answer::Flat(batch(self.dim_of_flat(call)?)?),
            Shape::Rows(dim) => Answer::split(&batch(dim)?, queries.len() / dim.max(1)),
        })
    }

    /// The length of one query of a flat batch.
    fn dim_of_flat(&self, call: &Call<'_>) -> Result<usize, Failure> {
        self.0.dim().or(call.options.dim).ok_or_else(|| {
            Failure::kind("options", "dim, the length of one query, because the queries are flat")
        })
    }
}

/// What the queries are, and so what the answer is.
#[derive(Clone, Copy)]
enum Shape {
    /// One query.
    One,
    /// Several, flat.
    Flat,
    /// Several of this length, as rows.
    Rows(usize),
}

/// The arguments of a call: in place for a synchronous one, copied for one on another thread.
struct Call<'a> {
    queries: Cow<'a, [f32]>,
    shape: Shape,
    keys: Cow<'a, [f32]>,
    values: Cow<'a, [f32]>,
    options: CallOptions,
}

impl<'a> Call<'a> {
    fn one(
        query: &'a Unknown<'_>,
        keys: &'a Unknown<'_>,
        values: &'a Unknown<'_>,
        options: Option<&Unknown<'_>>,
    ) -> Result<Self, Failure> {
        Ok(Call {
            queries: types::tensor(query, "query")?.into(),
            shape: Shape::One,
            keys: types::tensor(keys, "keys")?.into(),
            values: types::tensor(values, "values")?.into(),
            options: types::options(options)?,
        })
    }

    fn batch(
        queries: &'a Unknown<'_>,
        keys: &'a Unknown<'_>,
        values: &'a Unknown<'_>,
        options: Option<&Unknown<'_>>,
    ) -> Result<Self, Failure> {
        let (queries, dim) = types::flat_or_rows(queries, "queries")?;
        Ok(Call {
            queries,
            shape: dim.map_or(Shape::Flat, Shape::Rows),
            keys: types::tensor(keys, "keys")?.into(),
            values: types::tensor(values, "values")?.into(),
            options: types::options(options)?,
        })
    }

    fn into_owned(self) -> Call<'static> {
        let own = |data: Cow<'a, [f32]>| Cow::Owned(data.into_owned());
        Call { queries: own(self.queries), keys: own(self.keys), values: own(self.values), ..self }
    }
}

/// A promise of the answer to a call.
fn promise(engine: &Arc<Engine>, call: Result<Call<'_>, Failure>) -> AsyncTask<Forward> {
    let engine = Arc::clone(engine);
    Forward::promise(call.map(Call::into_owned).map(|call| move || engine.run(&call)))
}

/// Turns a failure into the JavaScript error to throw.
fn throw<T>(env: &Env, result: Result<T, Failure>) -> napi::Result<T> {
    result.map_err(|failure| failure.into_js(env))
}

/// The four ways to attend, for a class with a field `engine`.
macro_rules! forward_methods {
    ($class:ident) => {
        #[napi]
        impl $class {
            /// Attends from one query; keys and values are flat and row-major.
            #[napi(catch_unwind, ts_return_type = "Float32Array")]
            pub fn forward(
                &self,
                env: Env,
                #[napi(ts_arg_type = "Float32Array")] query: Unknown<'_>,
                #[napi(ts_arg_type = "Float32Array")] keys: Unknown<'_>,
                #[napi(ts_arg_type = "Float32Array")] values: Unknown<'_>,
                #[napi(ts_arg_type = "AttentionArgument | null")] options: Option<Unknown<'_>>,
            ) -> napi::Result<Batch> {
                throw(
                    &env,
                    Call::one(&query, &keys, &values, options.as_ref())
                        .and_then(|call| self.engine.run(&call)),
                )
                .map(Answer::into_js)
            }

            /// As `forward`, on another thread.
            #[napi(catch_unwind, ts_return_type = "Promise<Float32Array>")]
            pub fn forward_async(
                &self,
                #[napi(ts_arg_type = "Float32Array")] query: Unknown<'_>,
                #[napi(ts_arg_type = "Float32Array")] keys: Unknown<'_>,
                #[napi(ts_arg_type = "Float32Array")] values: Unknown<'_>,
                #[napi(ts_arg_type = "AttentionArgument | null")] options: Option<Unknown<'_>>,
            ) -> AsyncTask<Forward> {
                promise(&self.engine, Call::one(&query, &keys, &values, options.as_ref()))
            }

            /// Attends from several queries over the same keys: rows give rows, a flat array gives a flat array.
            #[napi(
                catch_unwind,
                ts_generic_types = "T extends Float32Array | Float32Array[]",
                ts_return_type = "T"
            )]
            pub fn forward_batch(
                &self,
                env: Env,
                #[napi(ts_arg_type = "T")] queries: Unknown<'_>,
                #[napi(ts_arg_type = "Float32Array")] keys: Unknown<'_>,
                #[napi(ts_arg_type = "Float32Array")] values: Unknown<'_>,
                #[napi(ts_arg_type = "AttentionArgument | null")] options: Option<Unknown<'_>>,
            ) -> napi::Result<Batch> {
                throw(
                    &env,
                    Call::batch(&queries, &keys, &values, options.as_ref())
                        .and_then(|call| self.engine.run(&call)),
                )
                .map(Answer::into_js)
            }

            /// As `forwardBatch`, on another thread.
            #[napi(
                catch_unwind,
                ts_generic_types = "T extends Float32Array | Float32Array[]",
                ts_return_type = "Promise<T>"
            )]
            pub fn forward_batch_async(
                &self,
                #[napi(ts_arg_type = "T")] queries: Unknown<'_>,
                #[napi(ts_arg_type = "Float32Array")] keys: Unknown<'_>,
                #[napi(ts_arg_type = "Float32Array")] values: Unknown<'_>,
                #[napi(ts_arg_type = "AttentionArgument | null")] options: Option<Unknown<'_>>,
            ) -> AsyncTask<Forward> {
                promise(&self.engine, Call::batch(&queries, &keys, &values, options.as_ref()))
            }
        }
    };
}
use forward_methods;
