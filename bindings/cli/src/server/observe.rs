//! Around every request: its id, its deadline, its line in the log and its count.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{HeaderName, HeaderValue, CONTENT_TYPE};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::info;

use super::errors::{self, Refusal};
use super::routes::ROUTES;
use super::App;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers a request through the rest of the stack.
pub async fn observe(State(app): State<Arc<App>>, request: Request<Body>, next: Next) -> Response {
    let start = Instant::now();
    let id = request_id(request.headers().get(&REQUEST_ID));
    let route = known_route(request.uri().path());
    let method = request.method().clone();
    let limit = Duration::from_millis(app.config.server.timeout_ms);
    let mut response = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = format!("there was no result within {} ms", limit.as_millis());
            // The body may not have come whole.
            Refusal::busy("timeout", message).closing().into_response()
        }
    };
    if response.status() == StatusCode::METHOD_NOT_ALLOWED && !response.headers().contains_key(CONTENT_TYPE) {
        response = errors::method_not_allowed(method.as_str(), allowed(route));
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    let (status, took) = (response.status().as_u16(), start.elapsed());
    app.metrics.answer(route, method.as_str(), status, took);
    let milliseconds = took.as_secs_f64() * 1e3;
    info!(request_id = id, method = %method, route, status, milliseconds, "request");
    response
}

/// The methods of a route.
fn allowed(route: &str) -> &'static str {
    match ROUTES.into_iter().find(|(_, path)| *path == route) {
        Some(("POST", _)) => "POST",
        _ => "GET, HEAD",
    }
}

/// The route of a path; clients choose paths, so only those that exist are told apart.
fn known_route(path: &str) -> &'static str {
    ROUTES.into_iter().find(|(_, route)| *route == path).map_or("other", |(_, route)| route)
}

/// The client's id where it is harmless, else one of ours.
fn request_id(given: Option<&HeaderValue>) -> String {
    let harmless = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    match given.and_then(|value| value.to_str().ok()).filter(harmless) {
        Some(id) => id.to_owned(),
        None => fresh_id(),
    }
}

/// Unlike any other of this process, and most likely of any other process.
fn fresh_id() -> String {
    static KEYS: OnceLock<RandomState> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let hash = KEYS.get_or_init(RandomState::new).hash_one(count);
    format!("{hash:016x}-{count:x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_ids_are_kept_and_others_replaced() {
        let kept = |text: &'static str| request_id(Some(&HeaderValue::from_static(text))) == text;
        assert!(kept("a-1_b.c:9"));
        assert!(!kept("a b"));
        assert!(!kept(""));
        assert!(!kept("x\"y"));
        let long = HeaderValue::from_str(&"a".repeat(65)).unwrap();
        assert_ne!(request_id(Some(&long)), "a".repeat(65));
        assert_ne!(request_id(None), request_id(None));
    }

    #[test]
    fn only_known_paths_are_told_apart() {
        assert_eq!(known_route("/attention"), "/attention");
        assert_eq!(known_route("/attention/../etc"), "other");
    }
}
