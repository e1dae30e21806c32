//! The forms a body comes in, and the bytes of an answer in the same form.

use axum::http::header::{HeaderMap, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::StatusCode;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use super::errors::Refusal;

/// How numbers are written down in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/json`
    Json,
    /// `application/octet-stream`: little-endian float32, no header.
    Raw,
    /// `application/vnd.safetensors`
    SafeTensors,
}

impl Form {
    /// Every form.
    pub const ALL: [Form; 3] = [Form::Json, Form::Raw, Form::SafeTensors];

    /// The media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Raw => "application/octet-stream",
            Form::SafeTensors => "application/vnd.safetensors",
        }
    }

    /// The form that a request's head promises.
    pub fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let given = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let refuse = |field, found: &str, wanted: &str| {
            let message = format!("{field} is '{found}', wanted {wanted}");
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", field, message)
        };
        let coding = given(CONTENT_ENCODING);
        if !matches!(coding, "" | "identity") {
            return Err(refuse("content-encoding", coding, "none"));
        }
        let found = given(CONTENT_TYPE);
        let essence = found.split(';').next().unwrap_or_default().trim();
        let fits = |form: &Form| essence.eq_ignore_ascii_case(form.media_type());
        Form::ALL.into_iter().find(fits).ok_or_else(|| {
            let wanted = Form::ALL.map(Form::media_type).join(" or ");
            refuse("content-type", found, &wanted)
        })
    }
}

/// A result: m rows of `columns` numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The rows one after the other.
    pub data: Vec<f32>,
    /// Length of a row.
    pub columns: usize,
    /// What the computation took.
    pub milliseconds: f64,
}

impl Answer {
    /// `{"result": [...], "computation_time_ms": ...}`, or with `rows` `{"results": [[...]], ...}`.
    fn json(&self, rows: bool) -> serde_json::Result<Vec<u8>> {
        // A number takes 12 bytes at most but for rare exponents.
        let mut out = Vec::with_capacity(self.data.len() * 12 + 64);
        if rows {
            let results: Vec<&[f32]> = self.data.chunks(self.columns.max(1)).collect();
            out.extend_from_slice(b"{\"results\":");
            serde_json::to_writer(&mut out, &results)?;
        } else {
            out.extend_from_slice(b"{\"result\":");
            serde_json::to_writer(&mut out, &self.data)?;
        }
        out.extend_from_slice(b",\"computation_time_ms\":");
        serde_json::to_writer(&mut out, &Value::from(self.milliseconds))?;
        out.push(b'}');
        Ok(out)
    }

    /// The bytes of the answer.
    pub fn encode(&self, form: Form, rows: bool) -> Result<Vec<u8>, Refusal> {
        match form {
            Form::Json => self.json(rows).map_err(|_| Refusal::internal()),
            Form::Raw => Ok(little_endian(&self.data)),
            Form::SafeTensors => {
                let bytes = little_endian(&self.data);
                let shape = vec![self.data.len() / self.columns.max(1), self.columns];
                TensorView::new(Dtype::F32, shape, &bytes)
                    .and_then(|view| safetensors::serialize([("result", view)], None))
                    .map_err(|_| Refusal::internal())
            }
        }
    }
}

fn little_endian(data: &[f32]) -> Vec<u8> {
    data.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(kind: &str, coding: &str) -> Result<Form, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, kind.parse().unwrap());
        headers.insert(CONTENT_ENCODING, coding.parse().unwrap());
        Form::of(&headers)
    }

    #[test]
    fn the_content_type_names_the_form() {
        assert_eq!(form("application/json; charset=utf-8", "identity"), Ok(Form::Json));
        assert_eq!(form("Application/Octet-Stream", "identity"), Ok(Form::Raw));
        assert_eq!(form("application/vnd.safetensors", ""), Ok(Form::SafeTensors));
        let refused = form("text/plain", "").unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.field.as_str()), (415, "content-type"));
        assert_eq!(form("application/json", "gzip").unwrap_err().field, "content-encoding");
        assert_eq!(Form::of(&HeaderMap::new()).unwrap_err().status.as_u16(), 415);
    }

    #[test]
    fn an_answer_reads_back_in_every_form() {
        let answer = Answer { data: vec![0.1, -2.5, 3e-40, 4.0], columns: 2, milliseconds: 0.25 };
        let json: Value = serde_json::from_slice(&answer.encode(Form::Json, true).unwrap()).unwrap();
        assert_eq!(json["results"][1][1], 4.0);
        assert_eq!(json["computation_time_ms"], 0.25);
        let flat: Value = serde_json::from_slice(&answer.encode(Form::Json, false).unwrap()).unwrap();
        assert_eq!(flat["result"].as_array().unwrap().len(), 4);
        assert_eq!(answer.encode(Form::Raw, true).unwrap()[..4], 0.1_f32.to_le_bytes());
        let bytes = answer.encode(Form::SafeTensors, true).unwrap();
        let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(read.tensor("result").unwrap().shape(), [2, 2]);
    }
}
