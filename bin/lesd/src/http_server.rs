//! HTTP/1.1 connections with bounds, whatever is answered on them.

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::timeout,
};
use tracing::{debug, warn};

/// A request arrives within this time, heads and body each (go-ethereum's limit).
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection ends after this time whatever it does: twice what one request may take to come
/// and its answer to go.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);
/// Bytes of a request's head.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Pause after a failed accept, which is a lack of file descriptors.
const RETRY: Duration = Duration::from_millis(100);

/// What a request is answered with.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Answers requests of at most `max_connections` connections at a time until it is dropped.
pub(crate) async fn run<F>(
    listener: TcpListener,
    max_connections: usize,
    answer: impl Fn(Request<Incoming>) -> F + Clone + Send + 'static,
) where
    F: Future<Output = Answer> + Send + 'static,
{
    let seats = Arc::new(Semaphore::new(max_connections));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Ok(seat) = Arc::clone(&seats).try_acquire_owned() else {
                    debug!("Too many HTTP connections");
                    continue;
                };
                let answer = answer.clone();
                tokio::spawn(async move {
                    let served = timeout(CONNECTION_TIMEOUT, connection(stream, answer)).await;
                    if let Ok(Err(error)) = served {
                        debug!(%error, "HTTP connection lost");
                    }
                    drop(seat);
                });
            }
            Err(error) => {
                warn!(%error, "Cannot accept HTTP connections");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn connection<F>(
    stream: TcpStream,
    answer: impl Fn(Request<Incoming>) -> F,
) -> hyper::Result<()>
where
    F: Future<Output = Answer>,
{
    let serve = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), serve)
        .await
}
