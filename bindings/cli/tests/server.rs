//! The server as a program: each key of `[server]` and its effect, every route, the end.

#![cfg(not(target_family = "wasm"))]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{json, Value};

/// A running server, killed at the end.
struct Server {
    process: Child,
    port: u16,
}

impl Server {
    /// On a free port, with these variables of the environment.
    fn start(settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(common::program());
        command.args(["serve", "--port", "0"]).env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
        command.envs(settings.iter().map(|(key, value)| (format!("RUVECTOR_{key}"), value)));
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        Server { process, port: port.unwrap_or_else(|| panic!("the server said {line:?}")) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn ask(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
        ask(&mut self.connect(), method, path, headers, body)
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask("POST", path, JSON, body.to_string().as_bytes())
    }

    fn metrics(&self) -> String {
        self.ask("GET", "/metrics", "", b"").text()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const JSON: &str = "content-type: application/json\r\n";

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Status, code and field of a refusal.
    fn refusal(&self) -> (u16, String, String) {
        let json = self.json();
        let part = |name: &str| json["error"][name].as_str().unwrap().to_owned();
        assert!(!part("message").is_empty());
        (self.status, part("code"), part("field"))
    }

    fn is(&self, status: u16, code: &str, field: &str) {
        assert_eq!(self.refusal(), (status, code.to_owned(), field.to_owned()));
    }
}

fn head(method: &str, path: &str, headers: &str, length: usize) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n").into_bytes()
}

fn ask(stream: &mut TcpStream, method: &str, path: &str, headers: &str, body: &[u8]) -> Answer {
    let mut request = head(method, path, headers, body.len());
    request.extend_from_slice(body);
    // A server that has refused may have closed already; its answer is still there.
    let _ = stream.write_all(&request);
    receive(stream).unwrap()
}

/// The next answer; `None` where the server closed instead.
fn receive(stream: &mut TcpStream) -> Option<Answer> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return None;
    }
    let status = line.split(' ').nth(1).unwrap().parse().unwrap();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
            None if line.trim_end().is_empty() => break,
            None => headers.insert(line.trim_end().trim_end_matches(':').to_owned(), String::new()),
        };
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length").filter(|_| !headers.contains_key("none")) {
        body.resize(length.parse().unwrap(), 0);
        reader.read_exact(&mut body).unwrap();
    } else {
        chunks(&mut reader, &mut body);
    }
    Some(Answer { status, headers, body })
}

fn chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let size = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).unwrap();
        if size == 0 {
            return;
        }
        body.extend_from_slice(&chunk[..size]);
    }
}

fn one() -> Value {
    json!({"attention_type": "scaled-dot-product", "query": [0, 0], "keys": [1, 0, 0, 1], "values": [1, 3]})
}

/// The answer to a raw body that is announced by no length and comes in chunks of this size.
fn in_chunks(server: &Server, path: &str, body: &[u8], size: usize) -> Answer {
    let mut stream = server.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-type: application/octet-stream\r\n\r\n"
    );
    let mut request = head.into_bytes();
    for chunk in body.chunks(size) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    stream.write_all(&request).unwrap();
    receive(&mut stream).unwrap()
}

#[test]
fn every_route_answers() {
    let server = Server::start(&[]);
    for path in ["/", "/health", "/ready"] {
        let answer = server.ask("GET", path, "", b"");
        assert_eq!((answer.status, answer.text().as_str()), (200, "OK"), "{path}");
    }
    let answer = server.post("/attention", &one());
    assert_eq!((answer.status, &answer.json()["result"]), (200, &json!([2.0])));
    assert!(answer.json()["computation_time_ms"].as_f64().unwrap() >= 0.0);
    let many = json!({"attention_type": "cross", "queries": [[0, 0], [0, 0], [0, 0]], "keys": [[1, 0], [0, 1]],
        "values": [[1], [3]]});
    assert_eq!(server.post("/attention/batch", &many).json()["results"], json!([[2.0], [2.0], [2.0]]));
    let stream = server.post("/attention/stream", &many);
    assert_eq!(stream.headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = stream.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[2], json!({"index": 2, "result": [2.0]}));
    let raw: Vec<u8> =
        [0.0_f32, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
    let path = "/attention?attention_type=linear&hidden_dim=2&num_keys=2&value_dim=1";
    let answer = server.ask("POST", path, "content-type: application/octet-stream\r\n", &raw);
    assert_eq!(answer.body, 2.0_f32.to_le_bytes());
    let timing = &answer.headers["server-timing"];
    assert!(timing.starts_with("queue;dur=") && timing.contains(", compute;dur="), "{timing}");
    assert_eq!(
        in_chunks(&server, path, &raw, 7).body,
        2.0_f32.to_le_bytes(),
        "pieces that end within numbers"
    );
    assert!(server
        .metrics()
        .contains(r#"ruvector_http_requests_total{route="/attention",method="POST",status="200"} 3"#));
    assert_eq!(server.ask("GET", "/openapi.json", "", b"").json()["openapi"], "3.1.0");
}

#[test]
fn what_is_no_request_of_ours_is_refused() {
    let server = Server::start(&[]);
    server.ask("GET", "/nothing", "", b"").is(404, "not_found", "path");
    let answer = server.ask("DELETE", "/attention", "", b"");
    answer.is(405, "method_not_allowed", "method");
    assert_eq!(answer.headers["allow"], "POST");
    assert_eq!(server.ask("POST", "/health", "", b"").headers["allow"], "GET, HEAD");
    server.ask("POST", "/attention", "content-type: text/plain\r\n", b"{}").is(
        415,
        "unsupported_media_type",
        "content-type",
    );
    server.post("/attention", &json!({"query": [1], "keys": [1, "x"]})).is(400, "type", "keys[1]");
    let uneven = json!({"attention_type": "linear", "query": [1], "keys": [1, 2], "values": [1, 2, 3]});
    server.post("/attention", &uneven).is(422, "length", "values");
    let wild = format!("{JSON}x-request-id: abc-1\r\n");
    assert_eq!(server.ask("GET", "/", &wild, b"").headers["x-request-id"], "abc-1");
}

#[test]
fn max_batch_size_bounds_the_queries() {
    let rows = |count| json!({"attention_type": "self", "queries": vec![[1]; count]});
    let server = Server::start(&[("SERVER_MAX_BATCH_SIZE", "3")]);
    assert_eq!(server.post("/attention/batch", &rows(3)).status, 200);
    server.post("/attention/batch", &rows(4)).is(413, "batch_too_large", "queries");
    server.post("/attention/stream", &rows(4)).is(413, "batch_too_large", "queries");
}

#[test]
fn max_body_bytes_bounds_a_body_that_is_announced_or_not() {
    let server = Server::start(&[("SERVER_MAX_BODY_BYTES", "100")]);
    let answer = server.ask("POST", "/attention", JSON, &[b' '; 101]);
    answer.is(413, "body_too_large", "body");
    let mut stream = server.connect();
    stream
        .write_all(b"POST /attention HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-type: application/json\r\n\r\n")
        .unwrap();
    stream.write_all(format!("80\r\n{}\r\n", " ".repeat(128)).as_bytes()).unwrap();
    receive(&mut stream).unwrap().is(413, "body_too_large", "body");
    server.ask("POST", "/attention", JSON, &[b' '; 100]).is(400, "json", "");
}

#[test]
fn body_timeout_ends_a_slow_body_with_408() {
    let server = Server::start(&[("SERVER_BODY_TIMEOUT_MS", "200")]);
    let mut stream = server.connect();
    stream.write_all(&head("POST", "/attention", JSON, 50)).unwrap();
    let start = Instant::now();
    receive(&mut stream).unwrap().is(408, "body_timeout", "body");
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn header_timeout_closes_a_connection_without_a_request() {
    let server = Server::start(&[("SERVER_HEADER_TIMEOUT_MS", "200")]);
    for begun in ["", "GET / HTTP/1.1\r\nhost"] {
        let mut stream = server.connect();
        stream.write_all(begun.as_bytes()).unwrap();
        let start = Instant::now();
        assert!(receive(&mut stream).is_none());
        assert!(start.elapsed() < Duration::from_secs(3));
    }
    assert!(server.metrics().contains("ruvector_connections_slow_total 2"), "{}", server.metrics());
}

#[test]
fn timeout_bounds_the_whole_request() {
    let server = Server::start(&[("SERVER_TIMEOUT_MS", "200")]);
    let mut stream = server.connect();
    stream.write_all(&head("POST", "/attention", JSON, 50)).unwrap();
    let answer = receive(&mut stream).unwrap();
    answer.is(503, "timeout", "");
    assert_eq!(answer.headers["retry-after"], "1");
}

/// Rows enough for a second's work or more of one thread, unoptimised or not.
fn heavy() -> Vec<u8> {
    let rows = 3000;
    let numbers = (0..rows * 8).map(|i| ((i * 37 % 101) as f32 - 50.0) / 64.0);
    numbers.flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn queue_size_bounds_what_waits_and_nobody_computes_for_the_gone() {
    let settings = [
        ("SERVER_QUEUE_SIZE", "1"),
        ("OPTIMIZATION_NUM_THREADS", "1"),
        ("SERVER_MAX_BATCH_SIZE", "100000"),
        ("SERVER_TIMEOUT_MS", "60000"),
        ("OPTIMIZATION_USE_SIMD", "false"),
    ];
    let server = Server::start(&settings);
    let body = heavy();
    let path = "/attention?attention_type=self&hidden_dim=8";
    let kind = "content-type: application/octet-stream\r\n";
    let begin = || {
        let mut stream = server.connect();
        let mut request = head("POST", path, kind, body.len());
        request.extend_from_slice(&body);
        stream.write_all(&request).unwrap();
        stream
    };
    // One is computed, one waits.
    let held: Vec<TcpStream> = (0..2)
        .map(|_| {
            let stream = begin();
            thread::sleep(Duration::from_millis(300));
            stream
        })
        .collect();
    let refused = server.post("/attention", &one());
    refused.is(503, "queue_full", "");
    assert_eq!(refused.headers["retry-after"], "1");
    drop(held);
    let end = Instant::now() + Duration::from_secs(30);
    while !server.metrics().contains("ruvector_computations_abandoned_total 1") {
        assert!(Instant::now() < end, "{}", server.metrics());
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn max_connections_gives_the_place_of_the_idle_to_the_new() {
    let server = Server::start(&[("SERVER_MAX_CONNECTIONS", "2")]);
    let mut idle = server.connect();
    let mut busy = server.connect();
    busy.write_all(&head("POST", "/attention", JSON, 50)).unwrap();
    thread::sleep(Duration::from_millis(100));
    assert_eq!(server.ask("GET", "/health", "", b"").status, 200);
    assert!(receive(&mut idle).is_none());
    let mut other = server.connect();
    other.write_all(&head("POST", "/attention", JSON, 50)).unwrap();
    thread::sleep(Duration::from_millis(100));
    server.ask("GET", "/health", "", b"").is(503, "too_many_connections", "");
}

#[test]
fn token_opens_what_computes_and_counts() {
    let server = Server::start(&[("SERVER_TOKEN", "s3cret")]);
    assert_eq!(server.ask("GET", "/health", "", b"").status, 200);
    let refused = server.post("/attention", &one());
    refused.is(401, "unauthorized", "authorization");
    assert_eq!(refused.headers["www-authenticate"], "Bearer");
    server.ask("GET", "/metrics", "", b"").is(401, "unauthorized", "authorization");
    let headers = format!("{JSON}authorization: Bearer s3cret\r\n");
    assert_eq!(server.ask("POST", "/attention", &headers, one().to_string().as_bytes()).status, 200);
}

#[test]
fn cors_is_off_until_origins_are_named() {
    let origin = "origin: https://a.example\r\n";
    let silent = Server::start(&[]).ask("GET", "/", origin, b"");
    assert!(!silent.headers.contains_key("access-control-allow-origin"));
    let server = Server::start(&[("SERVER_CORS_ORIGINS", "https://a.example")]);
    let answer = server.ask("GET", "/", origin, b"");
    assert_eq!(answer.headers["access-control-allow-origin"], "https://a.example");
    let other = server.ask("GET", "/", "origin: https://b.example\r\n", b"");
    assert!(!other.headers.contains_key("access-control-allow-origin"));
    let preflight = format!("{origin}access-control-request-method: POST\r\n");
    assert_eq!(server.ask("OPTIONS", "/attention", &preflight, b"").status, 200);
}

#[test]
fn host_and_port_are_where_it_listens() {
    let server = Server::start(&[("SERVER_HOST", "127.0.0.2")]);
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
    assert!(TcpStream::connect(("127.0.0.2", server.port)).is_ok());
    let taken = Server::start(&[]);
    let mut second = Command::new(common::program());
    let second = second.args(["serve", "--port", &taken.port.to_string()]).output().unwrap();
    assert_eq!(second.status.code(), Some(7));
    assert!(String::from_utf8_lossy(&second.stderr).contains("Failed to listen on 127.0.0.1:"));
}

#[cfg(unix)]
fn terminate(server: &Server) {
    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
}

#[cfg(unix)]
#[test]
fn sigterm_finishes_what_has_begun() {
    let mut server = Server::start(&[]);
    let mut begun = server.connect();
    let body = one().to_string();
    begun.write_all(&head("POST", "/attention", JSON, body.len())).unwrap();
    thread::sleep(Duration::from_millis(100));
    terminate(&server);
    thread::sleep(Duration::from_millis(100));
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
    begun.write_all(body.as_bytes()).unwrap();
    assert_eq!(receive(&mut begun).unwrap().status, 200);
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn drain_timeout_and_a_second_signal_end_the_wait() {
    for (milliseconds, second) in [("300", false), ("60000", true)] {
        let mut server = Server::start(&[("SERVER_DRAIN_TIMEOUT_MS", milliseconds)]);
        let mut begun = server.connect();
        begun.write_all(&head("POST", "/attention", JSON, 50)).unwrap();
        thread::sleep(Duration::from_millis(100));
        let start = Instant::now();
        terminate(&server);
        if second {
            thread::sleep(Duration::from_millis(200));
            terminate(&server);
        }
        assert_eq!(server.process.wait().unwrap().code(), Some(7));
        assert!(start.elapsed() < Duration::from_secs(4));
    }
}

#[test]
fn logs_have_ids_and_no_payload() {
    let mut server = Server::start(&[("LOGGING_FORMAT", "json")]);
    let body = json!({"attention_type": "scaled-dot-product", "query": [0.123456], "keys": [1], "values": [7.654321]});
    let headers = format!("{JSON}x-request-id: trace-me\r\n");
    let path = "/attention?secret=in-the-query";
    assert_eq!(server.ask("POST", path, &headers, body.to_string().as_bytes()).status, 200);
    server.process.kill().unwrap();
    let mut log = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    let line = log.lines().find(|line| line.contains("trace-me")).unwrap();
    let entry: Value = serde_json::from_str(line).unwrap();
    assert_eq!((&entry["route"], &entry["status"]), (&json!("/attention"), &json!(200)));
    for part in ["0.123456", "7.654321", "in-the-query"] {
        assert!(!log.contains(part), "{part} is in the log");
    }
}
