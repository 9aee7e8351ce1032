//! Connections: how many, how long, how large.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use opskit_core::cancel::Cancel;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// More wait until others have gone.
const CONNECTIONS_MAX: usize = 1024;
/// How long a client has to say what it wants, its TLS handshake included, and how long it may stay without asking.
const ASKING: Duration = Duration::from_secs(5);
/// How long any connection lives.
const LIFE: Duration = Duration::from_secs(300);
/// How much of a request is read.
const REQUEST_BYTES_MAX: usize = 16 << 10;
/// How long answers that are being made may still take when the server ends.
const FAREWELL: Duration = Duration::from_secs(10);
/// What is waited after a connection could not be taken, such as for want of file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Answers until it is cancelled; then takes no more connections, and ends those that are open in order.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    cancel: &Cancel,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let ending = GracefulShutdown::new();
    while !cancel.is_cancelled() {
        let next = cancel.guard(async {
            let place = Arc::clone(&room).acquire_owned().await.ok();
            Ok((place, listener.accept().await))
        });
        let Ok((place, accepted)) = next.await else {
            break;
        };
        let Ok((socket, _)) = accepted else {
            sleep(BREATH).await;
            continue;
        };
        let (tls, router, watcher) = (tls.clone(), router.clone(), ending.watcher());
        tokio::spawn(async move {
            let answering = async {
                match tls {
                    None => answer(socket, router, watcher).await,
                    Some(tls) => {
                        if let Ok(Ok(stream)) = timeout(ASKING, tls.accept(socket)).await {
                            answer(stream, router, watcher).await;
                        }
                    }
                }
            };
            // A client that is cut has had its time.
            let _ = timeout(LIFE, answering).await;
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(FAREWELL, ending.shutdown()).await;
}

/// Requests of one connection. What is no HTTP is answered with 400 by `hyper`, what is too large with 431, and a client
/// that does not come to its point is cut.
async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .max_buf_size(REQUEST_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended");
    }
}
