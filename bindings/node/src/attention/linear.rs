//! Linear attention.

use super::*;
use crate::class::wrap;
use crate::types;
use attention::LinearAttention as Mechanism;

pub fn export(exports: Value<'_>) -> Result<Value<'_>> {
    export_mechanism::<Mechanism>(exports, c"LinearAttention", new, [dim::<Mechanism>()])
}

fn new<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    wrap(arguments, Arc::new(Mechanism::new(types::count(arguments.get(0), "dim")?)?))
}
