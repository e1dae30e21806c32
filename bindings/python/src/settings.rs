//! What attentions are configured with, and the parameters by which they are shown and pickled.

use attention::{Kernel, Threads};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::call::Given;
use crate::error::{self, refused};
use crate::tensor::{count, number, text};

/// Settings that mechanisms share.
pub struct Settings {
    pub neighbors: Option<usize>,
    pub dropout: Option<f64>,
    pub threads: Option<(usize, Threads)>,
    pub kernel: Option<Kernel>,
}

impl Settings {
    pub fn read(
        py: Python<'_>,
        neighbors: Given<'_, '_>,
        dropout: Given<'_, '_>,
        threads: Given<'_, '_>,
        kernel: Given<'_, '_>,
    ) -> PyResult<Self> {
        let threads = threads.map(|value| -> PyResult<_> {
            let wanted = count(value, "threads")?;
            Ok((wanted, Threads::new(wanted).map_err(|error| refused(py, &error))?))
        });
        Ok(Settings {
            neighbors: neighbors.map(|value| count(value, "num_neighbors")).transpose()?,
            dropout: dropout.map(|value| number(value, "dropout")).transpose()?,
            threads: threads.transpose()?,
            kernel: kernel.map(|value| named(py, &text(value, "kernel")?)).transpose()?,
        })
    }
}

fn named(py: Python<'_>, name: &str) -> PyResult<Kernel> {
    Kernel::named(name).ok_or_else(|| {
        let message = format!("kernel: this machine has no kernel '{name}', one of {}", names().join(", "));
        error::exception(py, "parameter", "kernel", message)
    })
}

/// Names of the kernels that this machine can run.
pub fn names() -> Vec<&'static str> {
    Kernel::available().map(|kernel| kernel.name()).collect()
}

/// A mechanism with these settings; `selective` where it has top-k.
macro_rules! configured {
    ($made:expr, $settings:expr, selective) => {
        match $settings.neighbors {
            Some(k) => $made.with_neighbors(k),
            None => Ok($made),
        }
        .and_then(|made| configured!(made, $settings))
    };
    ($made:expr, $settings:expr) => {{
        let mut made = $made;
        if let Some(kernel) = $settings.kernel {
            made = made.with_kernel(kernel);
        }
        if let Some((_, threads)) = &$settings.threads {
            made = made.with_threads(threads.clone());
        }
        match $settings.dropout {
            Some(dropout) => made.with_dropout(dropout),
            None => Ok(made),
        }
    }};
}
pub(crate) use configured;

/// The value of a parameter.
pub enum Value {
    Count(usize),
    Number(f64),
    Flag(bool),
    Text(&'static str),
    Object(Py<PyAny>),
}

/// The parameters of an attention by name, as its class takes them.
pub struct Parameters(Vec<(&'static str, Value)>);

impl Parameters {
    /// A mechanism's own parameters and its settings.
    pub fn of(own: impl IntoIterator<Item = (&'static str, Value)>, settings: &Settings) -> Self {
        let mut all: Vec<_> = own.into_iter().collect();
        all.extend(settings.neighbors.map(|k| ("num_neighbors", Value::Count(k))));
        all.extend(settings.dropout.map(|p| ("dropout", Value::Number(p))));
        all.extend(settings.threads.as_ref().map(|(threads, _)| ("threads", Value::Count(*threads))));
        all.extend(settings.kernel.map(|kernel| ("kernel", Value::Text(kernel.name()))));
        Parameters(all)
    }

    /// As they are written in Python.
    pub fn text(&self) -> String {
        let one = |(name, value): &(&str, Value)| match value {
            Value::Count(value) => format!("{name}={value}"),
            Value::Number(value) => format!("{name}={value:?}"),
            Value::Flag(value) => format!("{name}={}", if *value { "True" } else { "False" }),
            Value::Text(value) => format!("{name}='{value}'"),
            Value::Object(_) => format!("{name}=..."),
        };
        self.0.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// As keyword arguments.
    pub fn keywords<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let keywords = PyDict::new(py);
        for (name, value) in &self.0 {
            match value {
                Value::Count(value) => keywords.set_item(name, value),
                Value::Number(value) => keywords.set_item(name, value),
                Value::Flag(value) => keywords.set_item(name, value),
                Value::Text(value) => keywords.set_item(name, value),
                Value::Object(value) => keywords.set_item(name, value),
            }?;
        }
        Ok(keywords)
    }
}
