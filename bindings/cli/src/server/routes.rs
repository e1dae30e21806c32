//! Paths and methods.

use std::sync::Arc;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::routing::{get, post};
use axum::{middleware, Router};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{handlers, observe, App};

/// Every path and its method.
pub const ROUTES: [(&str, &str); 8] = [
    ("GET", "/"),
    ("GET", "/health"),
    ("GET", "/ready"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("POST", "/attention"),
    ("POST", "/attention/batch"),
    ("POST", "/attention/stream"),
];

/// The service that answers requests.
pub fn router(app: &Arc<App>) -> Router {
    let router = Router::new()
        .route("/", get(handlers::health))
        .route("/health", get(handlers::health))
        .route("/ready", get(handlers::ready))
        .route("/metrics", get(handlers::metrics))
        .route("/openapi.json", get(handlers::openapi))
        .route("/attention", post(handlers::attention))
        .route("/attention/batch", post(handlers::batch))
        .route("/attention/stream", post(handlers::stream))
        .fallback(handlers::not_found)
        .with_state(Arc::clone(app));
    let router = match cors(&app.config.server.cors_origins) {
        Some(layer) => router.layer(layer),
        None => router,
    };
    router.layer(middleware::from_fn_with_state(Arc::clone(app), observe::observe))
}

/// What lets pages of these origins read answers; nothing unless there are some.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let allowed = match origins.iter().any(|origin| origin == "*") {
        true => AllowOrigin::any(),
        false => {
            let values = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
            AllowOrigin::list(values)
        }
    };
    let shown = [HeaderName::from_static("x-request-id"), HeaderName::from_static("server-timing")];
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, HeaderName::from_static("x-request-id")])
        .expose_headers(shown);
    Some(layer)
}
