//! Hyperbolic attention, and the geometry it lives in.

use super::*;
use crate::buffer::{from_floats, Source};
use crate::class::wrap;
use crate::types::number;
use attention::{poincare, HyperbolicAttention as Mechanism};

pub fn export(exports: Value<'_>) -> Result<Value<'_>> {
    let own = [
        getter(c"curvature", |a| a.env().number(curvature(a)?)),
        method(c"poincareDistance", |a| distance(a, curvature(a)?)),
        method(c"toPoincare", |a| map(a, curvature(a)?, poincare::to_poincare)),
        method(c"fromPoincare", |a| map(a, curvature(a)?, poincare::from_poincare)),
        method(c"projectToBall", |a| map(a, curvature(a)?, poincare::project_to_ball)),
    ];
    export_mechanism::<Mechanism>(exports, c"HyperbolicAttention", new, own)
}

/// The same for any curvature, which is the last argument.
pub fn functions() -> [Member; 4] {
    [
        method(c"poincareDistance", |a| distance(a, number(a.get(2), "curvature")?)),
        method(c"toPoincare", |a| map(a, number(a.get(1), "curvature")?, poincare::to_poincare)),
        method(c"fromPoincare", |a| map(a, number(a.get(1), "curvature")?, poincare::from_poincare)),
        method(c"projectToBall", |a| map(a, number(a.get(1), "curvature")?, poincare::project_to_ball)),
    ]
}

fn new<'e>(arguments: &Arguments<'e>) -> Result<Value<'e>> {
    wrap(arguments, Arc::new(Mechanism::new(number(arguments.get(0), "curvature")?)?))
}

fn curvature(arguments: &Arguments<'_>) -> Result<f64> {
    Ok(this::<Arc<Mechanism>>(arguments)?.get("this")?.curvature())
}

fn distance<'e>(arguments: &Arguments<'e>, curvature: f64) -> Result<Value<'e>> {
    let (x, y) = (Source::vector(arguments.get(0), "x")?, Source::vector(arguments.get(1), "y")?);
    let (x, y) = (x.view("x")?, y.view("y")?);
    arguments.env().number(poincare::distance(&x.data, &y.data, curvature)?)
}

type Map = fn(&[f32], f64) -> attention::Result<Vec<f32>>;

fn map<'e>(arguments: &Arguments<'e>, curvature: f64, map: Map) -> Result<Value<'e>> {
    let x = Source::vector(arguments.get(0), "x")?.view("x")?;
    from_floats(arguments.env(), &map(&x.data, curvature)?)
}
