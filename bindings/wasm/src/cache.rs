//! Keys and values that stay in this module's memory.

use crate::call::{Mechanism, Scratch};
use crate::error::{Result, WasmError};
use crate::options::named;
use crate::registry::{self, Shared};
use crate::tensors::{count, is_absent, matrix};
use attention::{Error, Needed, Options, Precision, Tensor};
use half::{bf16, f16};
use js_sys::{Array, Float32Array};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

thread_local! {
    static CACHES: RefCell<Vec<std::rc::Weak<RefCell<Store>>>> = const { RefCell::new(Vec::new()) };
}

/// Keys and values that stay in this module's memory, so that many calls cross the boundary without them.
#[wasm_bindgen]
#[derive(Debug)]
pub struct KeyValueCache {
    shared: Shared<Store>,
}

#[wasm_bindgen]
impl KeyValueCache {
    /// For keys of `dim` and values of `valueDim` numbers, `dim` unless given. `precision` is "f32", or "f16" or "bf16":
    /// half the memory, each number rounded once, and slower.
    #[wasm_bindgen(constructor)]
    pub fn new(
        #[wasm_bindgen(unchecked_param_type = "number")] dim: &JsValue,
        #[wasm_bindgen(js_name = valueDim, unchecked_optional_param_type = "number | null")]
        value_dim: &JsValue,
        #[wasm_bindgen(
            unchecked_optional_param_type = "{ precision?: \"f32\" | \"f16\" | \"bf16\" | null } | null"
        )]
        options: &JsValue,
    ) -> Result<KeyValueCache> {
        let dim = count(dim, "dim")?;
        let value_dim = if is_absent(value_dim) { dim } else { count(value_dim, "valueDim")? };
        let store = Store::new(dim, value_dim, Width::read(options)?)?;
        Ok(KeyValueCache { shared: registry::share(&CACHES, registry::Kind::Cache, store) })
    }

    /// Copies keys and their values behind those that are there.
    pub fn append(
        &self,
        #[wasm_bindgen(unchecked_param_type = "Matrix")] keys: &JsValue,
        #[wasm_bindgen(unchecked_param_type = "Matrix")] values: &JsValue,
    ) -> Result<()> {
        Scratch::lend(|scratch| {
            // Not borrowed yet: a getter of the caller's may ask for the length.
            let (dim, value_dim) = (self.dim(), self.value_dim());
            for (given, argument, width, out) in
                [(keys, "keys", dim, &mut scratch.keys), (values, "values", value_dim, &mut scratch.values)]
            {
                let row = matrix(given, argument, out)?;
                if let Some(found) = row.filter(|row| *row != width) {
                    return Err(Error::Length { argument, found, needed: Needed::Exactly(width) }.into());
                }
            }
            self.shared.value.borrow_mut().append(&scratch.keys, &scratch.values)
        })
    }

    /// Forgets all keys and values.
    pub fn clear(&self) {
        self.shared.value.borrow_mut().clear();
    }

    /// Number of keys held.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> usize {
        self.shared.value.borrow().rows()
    }

    /// Length of a key.
    #[wasm_bindgen(getter)]
    pub fn dim(&self) -> usize {
        self.shared.value.borrow().dim
    }

    /// Length of a value.
    #[wasm_bindgen(getter, js_name = valueDim)]
    pub fn value_dim(&self) -> usize {
        self.shared.value.borrow().value_dim
    }

    /// Memory that the keys and values take.
    #[wasm_bindgen(getter)]
    pub fn bytes(&self) -> f64 {
        let store = self.shared.value.borrow();
        (store.rows() * (store.dim + store.value_dim) * store.kept.width()) as f64
    }

    /// Keys and values from a row on, for a copy of the cache in a worker.
    #[wasm_bindgen(js_name = __rows, skip_typescript)]
    pub fn rows_from(&self, first: usize) -> Array {
        let store = self.shared.value.borrow();
        let rows = |tensor: Tensor<'_>, width| {
            let Tensor::F32(numbers) = tensor else { return Float32Array::new_with_length(0) };
            Float32Array::from(numbers.get(first * width..).unwrap_or(&[]))
        };
        match &store.kept {
            Kept::Whole(cache) => {
                Array::of2(&rows(cache.keys(), store.dim), &rows(cache.values(), store.value_dim))
            }
            Kept::Half(halves) => Scratch::lend(|scratch| {
                store.widen(halves, first, store.rows(), scratch);
                Array::of2(
                    &Float32Array::from(scratch.keys.as_slice()),
                    &Float32Array::from(scratch.values.as_slice()),
                )
            }),
        }
    }

    /// Address of room for one query, and behind it for its result; 0 where there is none. It stays where it is.
    #[wasm_bindgen(js_name = __place, skip_typescript)]
    pub fn place(&self) -> usize {
        self.shared.value.borrow_mut().place()
    }

    /// The module's memory, which `__place` is in.
    #[wasm_bindgen(js_name = __memory, skip_typescript)]
    pub fn memory(&self) -> JsValue {
        wasm_bindgen::memory()
    }

    /// By which the module finds the cache when it is an argument.
    #[wasm_bindgen(getter, js_name = __handle, skip_typescript)]
    pub fn handle(&self) -> usize {
        self.shared.handle
    }
}

/// Where a call finds its keys and values.
pub enum Memory {
    /// Among the buffers.
    Given,
    Cache(Rc<RefCell<Store>>),
}

impl Memory {
    /// Length of a key, where it is known.
    pub fn dim(&self) -> Option<usize> {
        match self {
            Memory::Given => None,
            Memory::Cache(store) => Some(store.borrow().dim),
        }
    }

    /// Attends from the buffered queries and leaves the result among the buffers.
    pub fn attend(
        &self,
        mechanism: &Mechanism,
        dim: usize,
        options: &Options<'_>,
        scratch: &mut Scratch,
    ) -> attention::Result<()> {
        match self {
            Memory::Given => attend_here(mechanism, dim, options, scratch),
            Memory::Cache(store) => store.borrow().attend(mechanism, dim, options, scratch),
        }
    }
}

/// The cache that an argument is; `None` if it is something else.
pub fn find(argument: &JsValue) -> Result<Option<Memory>> {
    Ok(registry::find(&CACHES, registry::Kind::Cache, argument, "keys")?.map(Memory::Cache))
}

/// Attends from the query in a cache's place to the cache, and leaves the result there; false where that cannot be.
pub fn forward_placed(mechanism: &Mechanism, cache: usize) -> bool {
    registry::at(&CACHES, cache).is_some_and(|store| store.borrow_mut().attend_in_place(mechanism))
}

/// Attends to the buffered keys and values.
pub fn attend_here(
    mechanism: &Mechanism,
    dim: usize,
    options: &Options<'_>,
    scratch: &mut Scratch,
) -> attention::Result<()> {
    let Scratch { queries, keys, values, out, workspace } = scratch;
    let inputs = attention::Inputs::new(queries, dim, keys.as_slice(), values.as_slice());
    attend(mechanism, &inputs, options, workspace, out)
}

fn attend(
    mechanism: &Mechanism,
    inputs: &attention::Inputs<'_>,
    options: &Options<'_>,
    workspace: &mut attention::Workspace,
    out: &mut Vec<f32>,
) -> attention::Result<()> {
    // Lengths that do not agree are the core's to refuse, before it looks at the result's.
    let rows = |len: usize| len.checked_div(inputs.dim).unwrap_or(0);
    let width = inputs.values.len().checked_div(rows(inputs.keys.len())).unwrap_or(0);
    let len = rows(inputs.queries.len()).saturating_mul(width);
    if out.try_reserve(len.saturating_sub(out.len())).is_err() {
        return Err(Error::TooLarge { argument: "queries" });
    }
    out.resize(len, 0.0);
    mechanism.forward_into(inputs, options, workspace, out)
}

/// How a number is kept.
#[derive(Debug, Clone, Copy)]
enum Width {
    F32,
    F16,
    Bf16,
}

impl Width {
    fn read(options: &JsValue) -> Result<Self> {
        const NEEDED: &str = "\"f32\", \"f16\" or \"bf16\"";
        if is_absent(options) {
            return Ok(Width::F32);
        }
        let entries = named(options, "options")?.ok_or_else(|| WasmError::kind("options", "an object"))?;
        let mut width = Width::F32;
        for entry in entries.iter() {
            let entry = entry.unchecked_ref::<Array>();
            let name = entry.get(0).as_string().unwrap_or_default();
            if name != "precision" {
                return Err(WasmError::kind(&name, "precision, the only option"));
            }
            if is_absent(&entry.get(1)) {
                continue;
            }
            width = match entry.get(1).as_string().unwrap_or_default().as_str() {
                "f32" => Width::F32,
                "f16" => Width::F16,
                "bf16" => Width::Bf16,
                _ => return Err(WasmError::kind("precision", NEEDED)),
            };
        }
        Ok(width)
    }
}

/// What a cache holds.
#[derive(Debug)]
pub struct Store {
    dim: usize,
    value_dim: usize,
    kept: Kept,
    /// A query and its result, for calls that bring numbers alone; empty until the first.
    place: Vec<f32>,
}

#[derive(Debug)]
enum Kept {
    Whole(attention::KeyValueCache),
    Half(Halves),
}

/// Keys and values in 16 bits an element.
///
/// The core could attend to them as they are, but its kernels for two more types of element would make the module a
/// third larger. Here a block at a time is widened and joins a running state.
#[derive(Debug)]
struct Halves {
    narrow: fn(f32) -> u16,
    widen: fn(u16) -> f32,
    range: &'static str,
    keys: Vec<u16>,
    values: Vec<u16>,
}

impl Kept {
    /// Bytes of an element.
    fn width(&self) -> usize {
        match self {
            Kept::Whole(_) => 4,
            Kept::Half(_) => 2,
        }
    }
}

impl Store {
    fn new(dim: usize, value_dim: usize, width: Width) -> Result<Self> {
        // Checks the sizes, whatever the width.
        let whole = attention::KeyValueCache::new(dim, value_dim, Precision::F32)?;
        let half = |narrow, widen, range| {
            Kept::Half(Halves { narrow, widen, range, keys: Vec::new(), values: Vec::new() })
        };
        let kept = match width {
            Width::F32 => Kept::Whole(whole),
            Width::F16 => half(
                |x| f16::from_f32(x).to_bits(),
                |bits| f16::from_bits(bits).to_f32(),
                "elements within the range of f16, 65504",
            ),
            Width::Bf16 => half(
                |x| bf16::from_f32(x).to_bits(),
                |bits| bf16::from_bits(bits).to_f32(),
                "elements within the range of bf16, 3.38e38",
            ),
        };
        Ok(Store { dim, value_dim, kept, place: Vec::new() })
    }

    fn place(&mut self) -> usize {
        // Made once: reserving again would move it from where JavaScript writes.
        if self.place.is_empty() {
            let len = self.dim.saturating_add(self.value_dim);
            if matches!(self.kept, Kept::Half(_)) || self.place.try_reserve_exact(len).is_err() {
                return 0;
            }
            self.place.resize(len, 0.0);
        }
        self.place.as_ptr().expose_provenance()
    }

    fn attend_in_place(&mut self, mechanism: &Mechanism) -> bool {
        let (Kept::Whole(cache), Some((query, out))) =
            (&self.kept, self.place.split_at_mut_checked(self.dim))
        else {
            return false;
        };
        Scratch::lend(|scratch| {
            mechanism
                .forward_into(&cache.inputs(query), &Options::default(), &mut scratch.workspace, out)
                .is_ok()
        })
    }

    fn rows(&self) -> usize {
        match &self.kept {
            Kept::Whole(cache) => cache.len(),
            Kept::Half(halves) => halves.keys.len() / self.dim,
        }
    }

    fn clear(&mut self) {
        match &mut self.kept {
            Kept::Whole(cache) => cache.truncate(0),
            Kept::Half(halves) => {
                halves.keys.clear();
                halves.values.clear();
            }
        }
    }

    fn append(&mut self, keys: &[f32], values: &[f32]) -> Result<()> {
        let halves = match &mut self.kept {
            Kept::Whole(cache) => return Ok(cache.append(keys, values)?),
            Kept::Half(halves) => halves,
        };
        let rows = keys.len() / self.dim;
        for (argument, found, needed) in [
            ("keys", keys.len(), Needed::MultipleOf(self.dim)),
            ("values", values.len(), Needed::Exactly(rows * self.value_dim)),
        ] {
            let fits = match needed {
                Needed::Exactly(len) => found == len,
                _ => found > 0 && found % self.dim == 0,
            };
            if !fits {
                return Err(Error::Length { argument, found, needed }.into());
            }
        }
        halves.check("keys", keys)?;
        halves.check("values", values)?;
        if halves.keys.try_reserve(keys.len()).is_err() || halves.values.try_reserve(values.len()).is_err() {
            return Err(WasmError::too_large("keys"));
        }
        halves.keys.extend(keys.iter().map(|&x| (halves.narrow)(x)));
        halves.values.extend(values.iter().map(|&x| (halves.narrow)(x)));
        Ok(())
    }

    fn attend(
        &self,
        mechanism: &Mechanism,
        dim: usize,
        options: &Options<'_>,
        scratch: &mut Scratch,
    ) -> attention::Result<()> {
        if dim != self.dim {
            return Err(Error::Length { argument: "queries", found: dim, needed: Needed::Exactly(self.dim) });
        }
        match &self.kept {
            Kept::Whole(cache) => {
                let Scratch { queries, out, workspace, .. } = scratch;
                attend(mechanism, &cache.inputs(queries), options, workspace, out)
            }
            Kept::Half(halves) => self.attend_to_halves(halves, mechanism, options, scratch),
        }
    }

    fn attend_to_halves(
        &self,
        halves: &Halves,
        mechanism: &Mechanism,
        options: &Options<'_>,
        scratch: &mut Scratch,
    ) -> attention::Result<()> {
        let Options { mask, .. } = *options;
        let rows = self.rows();
        if let Some(mask) = mask.filter(|mask| mask.len() != rows) {
            return Err(Error::Length { argument: "mask", found: mask.len(), needed: Needed::Exactly(rows) });
        }
        let whole = Options { mask: None, ..*options };
        let mut state = match mechanism.stream(&scratch.queries, self.dim, self.value_dim, &whole) {
            // Weights and dropout need all keys at once.
            Err(Error::Unsupported { .. }) => {
                self.widen(halves, 0, rows, scratch);
                return attend_here(mechanism, self.dim, options, scratch);
            }
            state => state?,
        };
        /// 256 KiB of `f32` stay in the second-level cache.
        const ELEMENTS: usize = 1 << 16;
        let block = (ELEMENTS / (self.dim + self.value_dim)).max(128);
        for first in (0..rows).step_by(block) {
            let last = rows.min(first + block);
            self.widen(halves, first, last, scratch);
            match mask {
                Some(mask) => {
                    state.push_masked(
                        &scratch.keys,
                        &scratch.values,
                        mask.get(first..last).unwrap_or(&[]),
                    )?;
                }
                None => state.push(&scratch.keys, &scratch.values)?,
            }
        }
        scratch.out = state.finish()?;
        Ok(())
    }

    /// Widens some rows into the buffers.
    fn widen(&self, halves: &Halves, first: usize, last: usize, scratch: &mut Scratch) {
        for (from, width, to) in [
            (&halves.keys, self.dim, &mut scratch.keys),
            (&halves.values, self.value_dim, &mut scratch.values),
        ] {
            to.clear();
            let rows = from.get(first * width..last * width).unwrap_or(&[]);
            to.extend(rows.iter().map(|&bits| (halves.widen)(bits)));
        }
    }
}

impl Halves {
    /// Refuses finite elements that would become infinite.
    fn check(&self, argument: &'static str, elements: &[f32]) -> Result<()> {
        let lost = |x: &&f32| x.is_finite() && !(self.widen)((self.narrow)(**x)).is_finite();
        match elements.iter().find(lost) {
            Some(&found) => {
                Err(Error::Parameter { argument, found: f64::from(found), needed: self.range }.into())
            }
            None => Ok(()),
        }
    }
}
