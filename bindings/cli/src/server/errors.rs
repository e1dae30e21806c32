//! Refusals: a status and `{"error": {"code", "message", "field"}}`.

use axum::http::header::{HeaderValue, ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// Why a request was not answered with a result.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Status of the answer.
    pub status: StatusCode,
    /// Stable name of the reason, for programs.
    pub code: &'static str,
    /// What happened and what to do, for people.
    pub message: String,
    /// The part of the request at fault; empty where it is none.
    pub field: String,
    /// Whether the connection ends with the answer, as where the rest of the body is not wanted.
    pub closes: bool,
}

impl Refusal {
    /// A refusal with this status.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Refusal { status, code, message: message.into(), field: field.into(), closes: false }
    }

    /// The request cannot be read as what it says it is.
    pub fn malformed(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, field, message)
    }

    /// The request can be read, but there is no result for it.
    pub fn unusable(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, field, message)
    }

    /// The request, or its result, is larger than this server takes.
    pub fn too_large(code: &'static str, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, code, field, message)
    }

    /// The server cannot take the request now.
    pub fn busy(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "", message)
    }

    /// The same, and the connection ends with it.
    pub fn closing(self) -> Self {
        Refusal { closes: true, ..self }
    }

    /// The computation broke; never expected.
    pub fn internal() -> Self {
        let message = "the computation failed; this is a fault of the server, please report it";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "", message)
    }

    /// The body of the answer.
    pub fn body(&self) -> String {
        let error = json!({"code": self.code, "message": self.message, "field": self.field});
        json!({ "error": error }).to_string()
    }
}

/// What the core refuses, under the names that fields have here.
impl From<attention::Error> for Refusal {
    fn from(error: attention::Error) -> Self {
        let text = error.to_string();
        let argument = error.argument();
        let field = match argument {
            "neighbors" => "num_neighbors",
            "dim" => "hidden_dim",
            "output" => "",
            other => other,
        };
        let message = match text.strip_prefix(argument) {
            Some(rest) if !field.is_empty() => format!("{field}{rest}"),
            _ => text,
        };
        match error {
            attention::Error::TooLarge { .. } => Refusal::too_large("too_large", field, message),
            _ => Refusal::unusable(error.code(), field, message),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.body()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        if self.closes {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The answer to a method that a path does not have.
pub fn method_not_allowed(method: &str, allowed: &'static str) -> Response {
    let message = format!("{method} is not offered here, only {allowed}");
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "method", message);
    let mut response = refusal.into_response();
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_errors_carry_the_names_of_fields() {
        let error = attention::Error::Parameter { argument: "neighbors", found: 0.0, needed: "at least 1" };
        let refusal = Refusal::from(error);
        assert_eq!((refusal.status.as_u16(), refusal.field.as_str()), (422, "num_neighbors"));
        assert_eq!(refusal.message, "num_neighbors: found 0, needed at least 1");
        let overflow = Refusal::from(attention::Error::Overflow { index: 0 });
        assert_eq!((overflow.code, overflow.field.as_str()), ("overflow", ""));
        assert_eq!(Refusal::from(attention::Error::TooLarge { argument: "values" }).status.as_u16(), 413);
    }

    #[test]
    fn a_refusal_is_json_with_three_fields() {
        let refusal = Refusal::malformed("json", "keys[1]", "not \"JSON\"");
        let value: serde_json::Value = serde_json::from_str(&refusal.body()).unwrap();
        assert_eq!(value, json!({"error": {"code": "json", "message": "not \"JSON\"", "field": "keys[1]"}}));
    }

    #[test]
    fn a_busy_server_says_when_to_come_back() {
        let response = Refusal::busy("queue_full", "").into_response();
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let response = Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "", "").into_response();
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
    }
}
