//! Figures for Prometheus and health checks, over HTTP (`lesd node --metrics`).
//!
//! Requests are counted with relaxed atomics in arrays by kind; everything else is read when it
//! is asked for. No node id and no address is ever part of a figure: there would be as many series
//! as peers, and they would be named.

mod counters;
mod exported;
mod of_go_ethereum;
mod readiness;
mod text;

use std::{sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{self, HeaderValue},
};
use tokio::net::TcpListener;

pub(crate) use counters::{Counters, HandshakeFailure};

use crate::{
    ChainWriter, Handle,
    http_server::{self, Answer},
};

/// Connections at a time: a few programs look, each with one or two.
const MAX_CONNECTIONS: usize = 16;
/// A followed chain has a new head more often than this: of a proof-of-work chain with a block
/// every 13 s on average, one gap in 10^10 is longer.
pub const MAX_HEAD_AGE: Duration = Duration::from_secs(300);
/// The text format of Prometheus (prometheus.io, "Exposition formats").
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The node.
    pub handle: Handle,
    /// Who extends its chain.
    pub writer: Option<ChainWriter>,
    /// How old the head may become before the node counts as not ready. Without it, the head is
    /// looked at ([`MAX_HEAD_AGE`]) only while full nodes are connected.
    pub max_head_age: Option<Duration>,
}

/// Serves figures and health checks until it is dropped.
pub async fn run(listener: TcpListener, observed: Observed) {
    let observed = Arc::new(observed);
    http_server::run(listener, MAX_CONNECTIONS, move |request| {
        let answer = observed.answer(&request);
        std::future::ready(answer)
    })
    .await;
}

impl Observed {
    fn answer(&self, request: &Request<Incoming>) -> Answer {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            let allow = HeaderValue::from_static("GET, HEAD");
            answer.headers_mut().insert(header::ALLOW, allow);
            return answer;
        }
        match request.uri().path() {
            // Whoever gets an answer from this task knows that the runtime runs tasks.
            "/" | "/livez" => plain(StatusCode::OK, "ok\n"),
            "/readyz" | "/health" => self.readiness(),
            "/metrics" | "/debug/metrics/prometheus" => {
                of(StatusCode::OK, TEXT_FORMAT, exported::text(self))
            }
            _ => plain(StatusCode::NOT_FOUND, "not found\n"),
        }
    }

    fn readiness(&self) -> Answer {
        let failing = readiness::failing(self);
        let status =
            if failing.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::json!({ "ready": failing.is_empty(), "failing": failing });
        of(status, "application/json", format!("{body}\n"))
    }
}

fn plain(status: StatusCode, text: &'static str) -> Answer {
    of(status, "text/plain; charset=utf-8", text.to_owned())
}

fn of(status: StatusCode, content_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    answer.headers_mut().insert(header::CONTENT_TYPE, content_type);
    answer
}
