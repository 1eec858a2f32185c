//! HTTP/1.1 connections with bounds, whatever is answered on them.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};
use tracing::{debug, warn};

/// A request arrives within this time, heads and body each (go-ethereum's limit).
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A connection takes no more requests after this time, whatever it does.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(600);
/// Time for the request that is then under way to come, and for its answer to go.
const LAST_REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
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
                    if let Err(error) = connection(TokioIo::new(stream), answer).await {
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
    stream: impl hyper::rt::Read + hyper::rt::Write + Unpin,
    answer: impl Fn(Request<Incoming>) -> F,
) -> hyper::Result<()>
where
    F: Future<Output = Answer>,
{
    let serve = service_fn(move |request| {
        let answered = answer(request);
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(READ_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(stream, serve);
    let mut connection = pin!(connection);
    if let Ok(ended) = timeout(CONNECTION_TIMEOUT, connection.as_mut()).await {
        return ended;
    }
    // Whoever waits for an answer gets it.
    connection.as_mut().graceful_shutdown();
    timeout(LAST_REQUEST_TIMEOUT, connection).await.unwrap_or(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test(start_paused = true)]
    async fn the_answer_under_way_when_a_connection_has_had_its_time_is_given() {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let answer = |_| async {
            tokio::time::sleep(Duration::from_secs(19)).await;
            Response::new(Full::from("answer"))
        };
        let served = tokio::spawn(connection(TokioIo::new(server), answer));
        let mut last = String::new();
        // The last one comes after 589 seconds and is answered after 608.
        for _ in 0..32 {
            client.write_all(b"POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            last.clear();
            while !last.ends_with("answer") {
                let mut bytes = [0; 1024];
                let count = client.read(&mut bytes).await.unwrap();
                assert_ne!(count, 0, "no answer");
                last.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
            }
        }
        assert!(last.contains("connection: close"), "{last}");
        assert_eq!(client.read(&mut [0; 16]).await.unwrap(), 0, "and then it ends");
        served.await.unwrap().unwrap();
    }
}
