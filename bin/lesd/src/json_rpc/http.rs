//! JSON-RPC over HTTP/1.1, with go-ethereum's status codes.

use std::sync::Arc;

use eth_rpc::Namespaces;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Incoming},
    header::{self, HeaderName, HeaderValue},
};
use tokio::{net::TcpListener, time::timeout};

use super::{HttpRules, MAX_REQUEST_BYTES, Methods};
use crate::http_server::{self, Answer, READ_TIMEOUT};

/// Connections at a time; each may hold one request.
const MAX_CONNECTIONS: usize = 128;
/// How long a page's browser may remember what it may do, in seconds (go-ethereum's choice).
const MAX_AGE: &str = "600";

struct Server {
    methods: Methods,
    namespaces: Arc<Namespaces>,
    rules: Arc<HttpRules>,
}

/// Serves connections until it is dropped.
pub(super) async fn run(
    listener: TcpListener,
    methods: Methods,
    namespaces: Arc<Namespaces>,
    rules: Arc<HttpRules>,
) {
    let server = Arc::new(Server { methods, namespaces, rules });
    http_server::run(listener, MAX_CONNECTIONS, move |request| {
        let server = Arc::clone(&server);
        async move { server.serve(request).await }
    })
    .await;
}

impl Server {
    async fn serve(&self, request: Request<Incoming>) -> Answer {
        let host = text(request.headers(), &header::HOST);
        if !self.rules.allows_host(host) {
            return refusal(StatusCode::FORBIDDEN, "invalid host specified\n");
        }
        let origin = text(request.headers(), &header::ORIGIN);
        let allowed = self.rules.allowed_origin(origin).filter(|_| !origin.is_empty());
        let asks_first = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let mut answer = if asks_first && !self.rules.origins.is_empty() {
            preflight(allowed.is_some(), request.headers())
        } else {
            self.answer(request).await
        };
        if let Some(origin) = allowed.and_then(|origin| HeaderValue::try_from(origin).ok()) {
            answer.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if !self.rules.origins.is_empty() {
            answer.headers_mut().insert(header::VARY, HeaderValue::from_static("Origin"));
        }
        answer
    }

    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let is_empty = request.body().is_end_stream();
        if request.method() == Method::GET && is_empty && request.uri().query().is_none() {
            // A health check.
            return Response::default();
        }
        if request.method() != Method::POST {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
        }
        if !is_json(text(request.headers(), &header::CONTENT_TYPE)) {
            let reason = "invalid content type, only application/json is supported\n";
            return refusal(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason);
        }
        let body = Limited::new(request.into_body(), MAX_REQUEST_BYTES).collect();
        let body = match timeout(READ_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                return refusal(StatusCode::PAYLOAD_TOO_LARGE, "content length too large\n");
            }
            Ok(Err(_)) => return refusal(StatusCode::BAD_REQUEST, "the body is not whole\n"),
            Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the body came too slowly\n"),
        };
        let answer = self.methods.answer(&self.namespaces, body.to_vec()).await;
        let mut answer = Response::new(Full::from(answer.unwrap_or_default()));
        let json = HeaderValue::from_static("application/json");
        answer.headers_mut().insert(header::CONTENT_TYPE, json);
        answer
    }
}

/// A header as text; empty if it is absent or no text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    ["application/json", "application/json-rpc", "application/jsonrequest"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known))
}

fn refusal(status: StatusCode, reason: &'static str) -> Answer {
    let mut answer = Response::new(Full::from(reason));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, plain);
    answer
}

/// What a browser hears that asks before it sends. Every header may be sent, as to go-ethereum.
fn preflight(is_allowed: bool, asked: &HeaderMap) -> Answer {
    let mut answer = Response::new(Full::default());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    if is_allowed {
        let headers = answer.headers_mut();
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, GET"),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(names) = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
        }
    }
    answer
}
