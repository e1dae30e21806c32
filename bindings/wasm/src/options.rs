//! The options of a call.

use crate::error::{Result, WasmError};
use crate::tensors::{count, integer, is_absent, is_array, mask};
use attention::Options;
use js_sys::{Array, Float32Array, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

#[wasm_bindgen]
extern "C" {
    /// Getters may throw: it is the one place where the caller's code runs.
    #[wasm_bindgen(catch, js_namespace = Object)]
    fn entries(object: &JsValue) -> std::result::Result<Array, JsValue>;
}

/// What a call asks for beyond its tensors.
#[derive(Debug, Default, Clone)]
pub struct CallOptions {
    neighbors: Option<usize>,
    mask: Option<Vec<bool>>,
    causal: bool,
    training: bool,
    seed: Option<u64>,
    /// Length of a query in a flat batch, for mechanisms that have none of their own.
    pub dim: Option<usize>,
    /// Where the result goes.
    pub out: Option<Float32Array>,
}

impl CallOptions {
    /// As the core takes them.
    pub fn as_core(&self) -> Options<'_> {
        Options {
            neighbors: self.neighbors,
            mask: self.mask.as_deref(),
            causal: self.causal,
            training: self.training.then_some(self.seed.unwrap_or(0)),
        }
    }

    /// A number is numNeighbors, an array is the mask, an object names what it gives.
    pub fn read(value: &JsValue) -> Result<Self> {
        let mut options = CallOptions::default();
        if is_absent(value) {
            return Ok(options);
        }
        if value.as_f64().is_some() {
            options.neighbors = Some(count(value, "numNeighbors")?);
        } else if is_array(value) || value.is_instance_of::<Uint8Array>() {
            options.set_mask(value)?;
        } else if value.is_object() {
            options.read_object(value)?;
        } else {
            return Err(WasmError::kind("options", "an object"));
        }
        Ok(options)
    }

    fn read_object(&mut self, object: &JsValue) -> Result<()> {
        let entries = entries(object).map_err(|_| WasmError::kind("options", "readable properties"))?;
        for entry in entries.iter() {
            let entry = entry.unchecked_ref::<Array>();
            let name = entry.get(0).as_string().unwrap_or_default();
            self.set(&name, &entry.get(1))?;
        }
        if self.training && self.seed.is_none() {
            return Err(WasmError::kind(
                "seed",
                "an integer with training, so that the result can be repeated",
            ));
        }
        Ok(())
    }

    fn set(&mut self, name: &str, value: &JsValue) -> Result<()> {
        let absent = is_absent(value);
        match name {
            "neighbors" | "numNeighbors" if absent => {}
            "neighbors" | "numNeighbors" => {
                let given = count(value, name)?;
                if self.neighbors.is_some_and(|other| other != given) {
                    return Err(WasmError::kind(name, "one number, but neighbors and numNeighbors differ"));
                }
                self.neighbors = Some(given);
            }
            "mask" if !absent => self.set_mask(value)?,
            "causal" if !absent => self.causal = flag(value, name)?,
            "training" if !absent => self.training = flag(value, name)?,
            "seed" if !absent => self.seed = Some(integer(value, name)?),
            "dim" if !absent => self.dim = Some(count(value, name)?),
            "out" if !absent => {
                let array = value.dyn_ref::<Float32Array>().cloned();
                self.out = Some(array.ok_or_else(|| WasmError::kind(name, "a Float32Array"))?);
            }
            // What the asynchronous methods listen to; a call that does not wait cannot be interrupted.
            "mask" | "causal" | "training" | "seed" | "dim" | "out" | "signal" => {}
            _ => {
                let known = "one of neighbors, numNeighbors, mask, causal, dim, out, signal, training, seed";
                return Err(WasmError::kind(name, known));
            }
        }
        Ok(())
    }

    fn set_mask(&mut self, value: &JsValue) -> Result<()> {
        let mut flags = Vec::new();
        mask(value, &mut flags)?;
        self.mask = Some(flags);
        Ok(())
    }
}

fn flag(value: &JsValue, argument: &str) -> Result<bool> {
    value.as_bool().ok_or_else(|| WasmError::kind(argument, "a boolean"))
}

/// The entries of an object that is no array, for what a constructor takes by name.
pub fn named(value: &JsValue, argument: &str) -> Result<Option<Array>> {
    if !value.is_object() || is_array(value) {
        return Ok(None);
    }
    match entries(value) {
        Ok(entries) => Ok(Some(entries)),
        Err(_) => Err(WasmError::kind(argument, "readable properties")),
    }
}
