//! Objects that JavaScript passes back as arguments.
//!
//! wasm-bindgen either takes such an argument away from its owner or throws an error of its own kind when it is of
//! another class. So an argument tells a handle, and the handle leads to what the object shares with this module.

use crate::error::{Result, WasmError};
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::thread::LocalKey;
use wasm_bindgen::prelude::*;

/// What objects of one class share with the registry.
pub type Registry<T> = LocalKey<RefCell<Vec<Weak<RefCell<T>>>>>;

/// An object's share, and the handle by which it is found.
#[derive(Debug)]
pub struct Shared<T: 'static> {
    pub value: Rc<RefCell<T>>,
    pub handle: usize,
}

#[wasm_bindgen]
extern "C" {
    type Object;
    /// NaN where the object has no such property.
    #[wasm_bindgen(method, getter, catch, js_name = __handle)]
    fn handle(this: &Object) -> std::result::Result<f64, JsValue>;
}

/// Which class a handle belongs to: an object of another class is not found by it.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Cache,
    State,
}

/// Kinds that there are; a handle is the place in a registry times this, plus the kind.
const KINDS: usize = 2;

/// Enters an object.
pub fn share<T>(registry: &'static Registry<T>, kind: Kind, value: T) -> Shared<T> {
    let value = Rc::new(RefCell::new(value));
    let handle = registry.with_borrow_mut(|entries| {
        let free = entries.iter().position(|entry| entry.strong_count() == 0).unwrap_or(entries.len());
        match entries.get_mut(free) {
            Some(entry) => *entry = Rc::downgrade(&value),
            None => entries.push(Rc::downgrade(&value)),
        }
        free * KINDS + kind as usize
    });
    Shared { value, handle }
}

/// What an argument shares; `None` if it is of another kind.
///
/// Errors: the object was freed.
pub fn find<T>(
    registry: &'static Registry<T>,
    kind: Kind,
    value: &JsValue,
    argument: &str,
) -> Result<Option<Rc<RefCell<T>>>> {
    let handle = match value.unchecked_ref::<Object>().handle() {
        Ok(handle) => handle,
        Err(_) if value.is_object() => return Err(WasmError::freed(argument)),
        // Nothing has no properties.
        Err(_) => return Ok(None),
    };
    if handle.is_nan() || handle as usize % KINDS != kind as usize {
        return Ok(None);
    }
    Ok(at(registry, handle as usize))
}

/// What the object with this handle shares; `None` if it was freed.
pub fn at<T>(registry: &'static Registry<T>, handle: usize) -> Option<Rc<RefCell<T>>> {
    registry.with_borrow(|entries| entries.get(handle / KINDS)?.upgrade())
}
