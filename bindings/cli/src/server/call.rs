//! One computation that a request asks for: its tensors and options, checked as far as the core does not.

use std::ops::Range;
use std::time::Instant;

use attention::{Attention, Error, Inputs, Needed, Options, Workspace};

use super::errors::Refusal;
use super::forms::Answer;

/// Keys and values, or none: self-attention attends over its queries.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensors {
    /// Each in a buffer of its own.
    Apart {
        /// Row by row.
        queries: Vec<f32>,
        /// Row by row.
        keys: Vec<f32>,
        /// Row by row.
        values: Vec<f32>,
    },
    /// Queries, keys and values one after the other.
    Joined {
        /// All of them.
        data: Vec<f32>,
        /// Numbers that are queries.
        queries: usize,
        /// Numbers that are keys.
        keys: usize,
    },
    /// Rows that attend over each other.
    Own {
        /// Row by row.
        rows: Vec<f32>,
    },
}

impl Tensors {
    fn queries(&self) -> &[f32] {
        match self {
            Tensors::Apart { queries, .. } => queries,
            Tensors::Joined { data, queries, .. } => data.get(..*queries).unwrap_or_default(),
            Tensors::Own { rows } => rows,
        }
    }

    fn keys(&self) -> &[f32] {
        match self {
            Tensors::Apart { keys, .. } => keys,
            Tensors::Joined { data, queries, keys } => data.get(*queries..queries + keys).unwrap_or_default(),
            Tensors::Own { rows } => rows,
        }
    }

    fn values(&self) -> &[f32] {
        match self {
            Tensors::Apart { values, .. } => values,
            Tensors::Joined { data, queries, keys } => data.get(queries + keys..).unwrap_or_default(),
            Tensors::Own { rows } => rows,
        }
    }
}

/// Most a request may ask for.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Queries.
    pub queries: usize,
    /// Bytes of the result, and of the sums that linear attention keeps.
    pub bytes: usize,
}

/// A computation that is ready to run.
#[derive(Debug)]
pub struct Call {
    /// The mechanism with its parameters.
    pub attention: Box<dyn Attention>,
    /// What it attends from and to.
    pub tensors: Tensors,
    /// Length of a query.
    pub dim: usize,
    /// Keys that take part.
    pub mask: Option<Vec<bool>>,
    /// How many of the best keys count; all, if there is no number.
    pub neighbors: Option<usize>,
    /// Whether a query sees only the keys before it.
    pub causal: bool,
    /// Name of the field that holds the queries.
    pub field: &'static str,
}

impl Call {
    /// Number of queries.
    pub fn rows(&self) -> usize {
        self.tensors.queries().len() / self.dim.max(1)
    }

    /// Checks what the limits bound, so that a small body cannot ask for much memory.
    pub fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        let (dim, keys) = (self.dim.max(1), self.tensors.keys().len() / self.dim.max(1));
        let columns = self.tensors.values().len() / keys.max(1);
        let rows = self.rows();
        if rows > limits.queries {
            let message = format!("{rows} queries, at most {} are taken at a time", limits.queries);
            return Err(Refusal::too_large("batch_too_large", self.field, message));
        }
        let most = limits.bytes / size_of::<f32>();
        if rows.saturating_mul(columns) > most {
            let message = format!("a result of {rows} rows of {columns} numbers is more than {most} numbers");
            return Err(Refusal::too_large("result_too_large", "values", message));
        }
        // Kept in f64.
        if self.attention.kind() == "linear" && dim.saturating_mul(columns) > most / 2 {
            let message = format!("keys of {dim} and values of {columns} numbers need too much memory");
            return Err(Refusal::too_large("too_large", "values", message));
        }
        Ok(())
    }

    /// The answer to all queries.
    pub fn run(&self, workspace: &mut Workspace) -> Result<Answer, Refusal> {
        self.run_part(0..self.rows(), workspace)
    }

    /// The answer to some of the queries, as if all had been asked.
    pub fn run_part(&self, part: Range<usize>, workspace: &mut Workspace) -> Result<Answer, Refusal> {
        let start = Instant::now();
        let (data, columns) =
            self.compute(&part, workspace).map_err(|error| self.refuse(error, part.start))?;
        Ok(Answer { data, columns, milliseconds: start.elapsed().as_secs_f64() * 1e3 })
    }

    fn compute(
        &self,
        part: &Range<usize>,
        workspace: &mut Workspace,
    ) -> attention::Result<(Vec<f32>, usize)> {
        let dim = self.dim;
        if dim == 0 {
            return Err(Error::Parameter { argument: "dim", found: 0.0, needed: "at least 1" });
        }
        let (queries, keys, values) = (self.tensors.queries(), self.tensors.keys(), self.tensors.values());
        let multiple =
            |argument, found, of| Error::Length { argument, found, needed: Needed::MultipleOf(of) };
        for (argument, tensor) in [("queries", queries), ("keys", keys)] {
            if tensor.is_empty() || !tensor.len().is_multiple_of(dim) {
                return Err(multiple(argument, tensor.len(), dim));
            }
        }
        let n = keys.len() / dim;
        if values.is_empty() || !values.len().is_multiple_of(n) {
            return Err(multiple("values", values.len(), n));
        }
        if let Some(mask) = self.mask.as_ref().filter(|mask| mask.len() != n) {
            return Err(Error::Length { argument: "mask", found: mask.len(), needed: Needed::Exactly(n) });
        }
        let columns = values.len() / n;
        // In causal order the last query of the part is the last one to see its last key.
        let hidden = if self.causal { self.rows() - part.end } else { 0 };
        let seen = match n.checked_sub(hidden) {
            Some(seen) if seen > 0 => seen,
            _ => return Err(Error::NoVisibleKey { query: 0 }),
        };
        let slice = |tensor: &'_ [f32], range: Range<usize>, width: usize| {
            range.start * width..(range.end * width).min(tensor.len())
        };
        let inputs = Inputs::new(
            &queries[slice(queries, part.clone(), dim)],
            dim,
            &keys[slice(keys, 0..seen, dim)],
            &values[slice(values, 0..seen, columns)],
        );
        let options = Options {
            neighbors: self.neighbors,
            mask: self.mask.as_ref().map(|mask| &mask[..seen]),
            causal: self.causal,
            training: None,
        };
        let mut out = vec![0.0; part.len() * columns];
        self.attention.forward_into(&inputs, &options, workspace, &mut out)?;
        Ok((out, columns))
    }

    /// The core's error under the names of the request; `first` is the index of the part's first query.
    fn refuse(&self, error: Error, first: usize) -> Refusal {
        let error = match error {
            Error::NoVisibleKey { query } => Error::NoVisibleKey { query: query + first },
            Error::NonFinite { argument: "queries", index } => {
                Error::NonFinite { argument: "queries", index: index + first * self.dim }
            }
            Error::OutsideBall { argument: "queries", row, norm, radius } => {
                Error::OutsideBall { argument: "queries", row: row + first, norm, radius }
            }
            other => other,
        };
        let mut refusal = Refusal::from(error);
        if refusal.field == "queries" {
            refusal.message = refusal.message.replacen("queries", self.field, 1);
            refusal.field = self.field.to_owned();
        }
        refusal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use attention::{LinearAttention, ScaledDotProductAttention};

    fn ramp(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 37 % 19) as f32 - 9.0) / 8.0).collect()
    }

    fn call(rows: usize, keys: usize) -> Call {
        Call {
            attention: Box::new(ScaledDotProductAttention::new(3).unwrap()),
            tensors: Tensors::Apart { queries: ramp(rows * 3), keys: ramp(keys * 3), values: ramp(keys * 2) },
            dim: 3,
            mask: None,
            neighbors: None,
            causal: false,
            field: "queries",
        }
    }

    fn parts(call: &Call, size: usize) -> Vec<f32> {
        let mut workspace = Workspace::new();
        let starts = (0..call.rows()).step_by(size);
        let part = |start: usize| start..(start + size).min(call.rows());
        starts.flat_map(|start| call.run_part(part(start), &mut workspace).unwrap().data).collect()
    }

    #[test]
    fn parts_of_a_batch_are_the_batch() {
        for causal in [false, true] {
            for masked in [false, true] {
                let mut call = call(7, 9);
                call.causal = causal;
                call.mask = masked.then(|| (0..9).map(|key| key % 3 != 1).collect());
                let whole = call.run(&mut Workspace::new()).unwrap();
                assert_eq!(whole.columns, 2);
                for size in [1, 3, 7] {
                    for (one, other) in whole.data.iter().zip(parts(&call, size)) {
                        assert!((one - other).abs() < 1e-6, "causal {causal}, parts of {size}");
                    }
                }
            }
        }
    }

    #[test]
    fn joined_tensors_are_the_same_as_tensors_apart() {
        let apart = call(2, 5);
        let mut joined = call(2, 5);
        let data = [apart.tensors.queries(), apart.tensors.keys(), apart.tensors.values()].concat();
        joined.tensors = Tensors::Joined { data, queries: 6, keys: 15 };
        let mut workspace = Workspace::new();
        assert_eq!(apart.run(&mut workspace).unwrap().data, joined.run(&mut workspace).unwrap().data);
    }

    #[test]
    fn limits_are_refusals_that_name_the_field() {
        let limits = Limits { queries: 4, bytes: 32 };
        assert_eq!(call(5, 5).check(&limits).unwrap_err().code, "batch_too_large");
        let call = call(4, 5);
        assert!(call.check(&limits).is_ok());
        let refusal = call.check(&Limits { queries: 4, bytes: 31 }).unwrap_err();
        assert_eq!((refusal.status.as_u16(), refusal.field.as_str()), (413, "values"));
        let linear = Call { attention: Box::new(LinearAttention::new(3).unwrap()), ..call };
        assert_eq!(linear.check(&limits).unwrap_err().code, "too_large");
    }

    #[test]
    fn errors_name_the_field_and_the_place_in_the_whole() {
        let mut wide = call(4, 2);
        wide.causal = true;
        let refusal = wide.run_part(1..2, &mut Workspace::new()).unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_str()), ("no_visible_key", "causal"));
        assert!(refusal.message.contains("query 1"), "{}", refusal.message);
        let mut spoilt = call(4, 2);
        let Tensors::Apart { queries, .. } = &mut spoilt.tensors else { unreachable!() };
        queries[7] = f32::NAN;
        spoilt.field = "query";
        let refusal = spoilt.run_part(2..3, &mut Workspace::new()).unwrap_err();
        assert_eq!(refusal.message, "query: element 7 is NaN or infinite");
        assert_eq!(refusal.field, "query");
    }

    #[test]
    fn shapes_that_do_not_agree_are_refused() {
        let mut short = call(1, 2);
        short.tensors = Tensors::Apart { queries: ramp(3), keys: ramp(6), values: ramp(3) };
        let refusal = short.run(&mut Workspace::new()).unwrap_err();
        assert_eq!(refusal.message, "values: length 3, needed a positive multiple of 2");
        short.mask = Some(vec![true; 3]);
        short.tensors = Tensors::Apart { queries: ramp(3), keys: ramp(6), values: ramp(4) };
        assert_eq!(short.run(&mut Workspace::new()).unwrap_err().field, "mask");
        short.dim = 0;
        assert_eq!(short.run(&mut Workspace::new()).unwrap_err().field, "hidden_dim");
    }
}
