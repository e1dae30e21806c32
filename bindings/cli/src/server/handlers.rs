//! What each route does.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use attention::Workspace;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{HeaderName, HeaderValue, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::bodies::{self, Buffer};
use super::call::Call;
use super::errors::Refusal;
use super::forms::{Answer, Form};
use super::pool::{Admission, Failure};
use super::requests::{self, Source};
use super::{auth, metrics as counters, openapi as document, App};

/// `GET /` and `GET /health`: the process lives.
pub async fn health() -> &'static str {
    "OK"
}

/// `GET /ready`: requests are welcome.
pub async fn ready(State(app): State<Arc<App>>) -> Result<&'static str, Refusal> {
    match app.is_draining() {
        false => Ok("OK"),
        true => Err(Refusal::busy("draining", "the server is about to end")),
    }
}

/// `GET /metrics`.
pub async fn metrics(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Refusal> {
    auth::check(&headers, app.config.server.token.as_deref())?;
    let text = app.metrics.render(app.pool.depth()).map_err(|_| Refusal::internal())?;
    Ok(([(CONTENT_TYPE, counters::MEDIA_TYPE)], text).into_response())
}

/// `GET /openapi.json`.
pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], document::DOCUMENT).into_response()
}

/// Any other path.
pub async fn not_found() -> Refusal {
    let message = "there is nothing here; /openapi.json lists what there is";
    Refusal::new(StatusCode::NOT_FOUND, "not_found", "path", message)
}

/// `POST /attention`: one query, or flat ones of `hidden_dim`.
pub async fn attention(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    whole(app, request, false).await
}

/// `POST /attention/batch`: rows of queries, rows of results.
pub async fn batch(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    whole(app, request, true).await
}

/// What a request brings to the compute threads.
struct Received {
    form: Form,
    options: String,
    body: Buffer,
    many: bool,
}

/// Looks at the head, and receives the body if there is a chance that it will be used.
async fn receive(app: &App, request: Request, many: bool) -> Result<Received, Refusal> {
    let (head, body) = request.into_parts();
    let form = match welcome(app, &head.headers) {
        Ok(form) => form,
        Err(refusal) => return Err(bodies::discard(body, refusal)),
    };
    let options = head.uri.query().unwrap_or_default().to_owned();
    let body = bodies::receive(body, &app.bounds).await?;
    Ok(Received { form, options, body, many })
}

/// What can be said of a request before its body is there.
fn welcome(app: &App, headers: &HeaderMap) -> Result<Form, Refusal> {
    auth::check(headers, app.config.server.token.as_deref())?;
    let form = Form::of(headers)?;
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > app.bounds.bytes as u64) {
        return Err(bodies::too_large(app.bounds.bytes));
    }
    match app.pool.is_full() {
        true => Err(full()),
        false => Ok(form),
    }
}

fn read(app: &App, received: Received) -> Result<Call, Refusal> {
    let Received { form, options, body, many } = received;
    let source = Source { form, options: &options, many };
    requests::read(source, body, &app.defaults, &app.limits)
}

fn full() -> Refusal {
    Refusal::busy("queue_full", "all compute threads are busy and the queue is full")
}

/// Does work on a compute thread, unless the client leaves before its turn.
async fn compute<T: Send + 'static>(
    app: &Arc<App>,
    admission: Admission,
    work: impl FnOnce(&App, &mut Workspace) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let (here, there) = (Arc::clone(app), Arc::clone(app));
    let work = move |workspace: &mut Workspace| work(&here, workspace);
    let abandoned = move || {
        there.metrics.abandoned.inc();
    };
    match app.pool.run(admission, work, abandoned).await {
        Ok(result) => result,
        Err(Failure::Full) => Err(full()),
        Err(Failure::Broken) => Err(Refusal::internal()),
    }
}

async fn whole(app: Arc<App>, request: Request, many: bool) -> Result<Response, Refusal> {
    let received = receive(&app, request, many).await?;
    let form = received.form;
    let queued = Instant::now();
    let (bytes, timing) = compute(&app, Admission::Now, move |app, workspace| {
        let waited = queued.elapsed().as_secs_f64() * 1e3;
        let call = read(app, received)?;
        let answer = call.run(workspace)?;
        app.metrics.computation(call.attention.kind(), answer.milliseconds);
        let timing = format!("queue;dur={waited:.3}, compute;dur={:.3}", answer.milliseconds);
        Ok((answer.encode(form, many)?, timing))
    })
    .await?;
    let mut response = ([(CONTENT_TYPE, form.media_type())], bytes).into_response();
    if let Ok(value) = HeaderValue::try_from(timing) {
        response.headers_mut().insert(HeaderName::from_static("server-timing"), value);
    }
    Ok(response)
}

/// `POST /attention/stream`: what `/attention/batch` takes, answered a line a query.
///
/// A client that reads slowly holds no compute thread: the next queries are computed when the last lines have gone.
pub async fn stream(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let received = receive(&app, request, true).await?;
    let size = app.config.optimization.batch_size;
    // The first part is computed before the head is sent, so that a bad request is answered with its status.
    let (call, first) = compute(&app, Admission::Now, move |app, workspace| {
        let call = Arc::new(read(app, received)?);
        let first = lines(app, &call, 0..size.min(call.rows()), workspace)?;
        Ok((call, first))
    })
    .await?;
    let rest: Vec<Range<usize>> = requests::parts(call.rows(), size).skip(1).collect();
    let first = Line { text: first, last: rest.is_empty() };
    let rest = rest.into_iter();
    let lines = stream::unfold(Some((first, rest)), move |state| {
        let (app, call) = (Arc::clone(&app), Arc::clone(&call));
        async move {
            let (line, mut rest) = state?;
            let next = match rest.next().filter(|_| !line.last) {
                None => None,
                Some(part) => Some((next_lines(&app, call, part, rest.len() == 0).await, rest)),
            };
            Some((Ok::<_, std::convert::Infallible>(line.text), next))
        }
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// Some lines of a stream.
struct Line {
    text: Bytes,
    /// Whether none follow.
    last: bool,
}

async fn next_lines(app: &Arc<App>, call: Arc<Call>, part: Range<usize>, last: bool) -> Line {
    let work = move |app: &App, workspace: &mut Workspace| lines(app, &call, part, workspace);
    match compute(app, Admission::Wait, work).await {
        Ok(text) => Line { text, last },
        // The status is gone; the line says what happened and nothing follows it.
        Err(refusal) => Line { text: (refusal.body() + "\n").into(), last: true },
    }
}

fn lines(app: &App, call: &Call, part: Range<usize>, workspace: &mut Workspace) -> Result<Bytes, Refusal> {
    let first = part.start;
    let answer = call.run_part(part, workspace)?;
    app.metrics.computation(call.attention.kind(), answer.milliseconds);
    write_lines(&answer, first).map(Bytes::from).map_err(|_| Refusal::internal())
}

/// `{"index": 0, "result": [...]}`, a line a row.
fn write_lines(answer: &Answer, first: usize) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    for (row, result) in answer.data.chunks(answer.columns.max(1)).enumerate() {
        out.extend_from_slice(format!("{{\"index\":{},\"result\":", first + row).as_bytes());
        serde_json::to_writer(&mut out, result)?;
        out.extend_from_slice(b"}\n");
    }
    Ok(out)
}
