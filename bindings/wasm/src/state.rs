//! Attention over keys that arrive in pieces.

use crate::call::{Mechanism, Scratch};
use crate::error::{Result, WasmError};
use crate::options::CallOptions;
use crate::registry::{self, Shared};
use crate::tensors::{self, matrix, vector};
use js_sys::{Float32Array, Uint8Array};
use std::cell::RefCell;
use wasm_bindgen::prelude::*;

thread_local! {
    static STATES: RefCell<Vec<std::rc::Weak<RefCell<Progress>>>> = const { RefCell::new(Vec::new()) };
}

/// What one query has seen so far of keys that arrive in pieces: `state` of a mechanism starts one.
#[wasm_bindgen]
#[derive(Debug)]
pub struct AttentionState {
    shared: Shared<Progress>,
}

/// The core wants to know the width of the values at the start; here the first piece tells it.
#[allow(clippy::large_enum_variant)] // The large variant is the one that nearly all are, and they are few.
#[derive(Debug, Clone)]
enum Progress {
    Waiting { mechanism: Mechanism, query: Vec<f32>, options: CallOptions },
    Started(attention::AttentionState),
}

/// Starts a state, of a mechanism.
pub fn start(mechanism: &Mechanism, query: &JsValue, options: &JsValue) -> Result<AttentionState> {
    let mut numbers = Vec::new();
    vector(query, "query", &mut numbers)?;
    let options = CallOptions::read(options)?;
    let waiting = Progress::Waiting { mechanism: mechanism.clone(), query: numbers, options };
    // What cannot be started is refused now; a width that all heads divide will do.
    waiting.started(mechanism.heads())?;
    Ok(AttentionState::share(waiting))
}

impl AttentionState {
    fn share(progress: Progress) -> Self {
        AttentionState { shared: registry::share(&STATES, registry::Kind::State, progress) }
    }
}

#[wasm_bindgen]
impl AttentionState {
    /// Attends to more keys.
    pub fn push(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Matrix")] keys: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "Matrix")] values: &JsValue,
    ) -> Result<()> {
        Scratch::lend(|scratch| {
            let Scratch { keys: k, values: v, .. } = scratch;
            matrix(keys, "keys", k)?;
            matrix(values, "values", v)?;
            let mut progress = self.shared.value.borrow_mut();
            let rows = progress.rows(k.len());
            let mut state = progress.started(v.len().checked_div(rows).unwrap_or(0).max(1))?;
            state.push(k, v)?;
            *progress = Progress::Started(state);
            Ok(())
        })
    }

    /// Takes in what another state of the same query has seen; its keys come after this one's.
    pub fn merge(
        &self,
        #[wasm_bindgen(unchecked_param_type = "AttentionState")] other: &JsValue,
    ) -> Result<()> {
        let other = registry::find(&STATES, registry::Kind::State, other, "other")?
            .ok_or_else(|| WasmError::kind("other", "an AttentionState"))?;
        // A copy, because a state may be merged with itself.
        let Progress::Started(other) = other.borrow().clone() else { return Ok(()) };
        let mut progress = self.shared.value.borrow_mut();
        let mut state = progress.started(other.value_dim())?;
        state.merge(&other)?;
        *progress = Progress::Started(state);
        Ok(())
    }

    /// The result over everything seen so far; the state can go on.
    pub fn finish(&self) -> Result<Float32Array> {
        let result = self.shared.value.borrow().any_width()?.finish()?;
        Ok(Float32Array::from(result.as_slice()))
    }

    /// The state as bytes, the same on every machine.
    #[wasm_bindgen(js_name = toBytes)]
    pub fn to_bytes(&self) -> Result<Uint8Array> {
        let bytes = self.shared.value.borrow().any_width()?.to_bytes();
        Ok(Uint8Array::from(bytes.as_slice()))
    }

    /// The state that `toBytes` wrote.
    #[wasm_bindgen(js_name = fromBytes)]
    pub fn from_bytes(
        #[wasm_bindgen(unchecked_param_type = "Uint8Array")] bytes: &JsValue,
    ) -> Result<AttentionState> {
        let bytes = bytes.dyn_ref::<Uint8Array>().ok_or_else(|| WasmError::kind("bytes", "a Uint8Array"))?;
        let state = attention::AttentionState::from_bytes(&tensors::bytes(bytes, "bytes")?)?;
        Ok(AttentionState::share(Progress::Started(state)))
    }

    /// By which the module finds the state when it is an argument.
    #[wasm_bindgen(getter, js_name = __handle, skip_typescript)]
    pub fn handle(&self) -> usize {
        self.shared.handle
    }
}

impl Progress {
    /// The state, started for values of this width if it was not yet.
    fn started(&self, value_dim: usize) -> Result<attention::AttentionState> {
        match self {
            Progress::Started(state) => Ok(state.clone()),
            Progress::Waiting { mechanism, query, options } => {
                Ok(mechanism.stream(query, query.len(), value_dim, &options.as_core())?)
            }
        }
    }

    /// The state, where the width of the values does not matter because there are none.
    fn any_width(&self) -> Result<attention::AttentionState> {
        match self {
            Progress::Started(state) => Ok(state.clone()),
            Progress::Waiting { mechanism, .. } => self.started(mechanism.heads()),
        }
    }

    /// Number of keys that so many elements are.
    fn rows(&self, len: usize) -> usize {
        let dim = match self {
            Progress::Started(state) => state.dim(),
            Progress::Waiting { query, .. } => query.len(),
        };
        len.checked_div(dim).unwrap_or(0)
    }
}
