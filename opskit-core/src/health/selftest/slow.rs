//! A wire that is slow: what comes over loopback waits before it goes on to the server's socket.

use crate::error::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use tokio::task::JoinHandle;

/// It ends when it is dropped.
#[derive(Debug)]
pub(super) struct SlowWire {
    pub(super) port: u16,
    task: JoinHandle<()>,
}

impl Drop for SlowWire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl SlowWire {
    pub(super) async fn to(socket: PathBuf, delay: Duration) -> Result<Self> {
        let lost = |source| {
            Error::new(ErrorKind::Internal, "cannot listen on loopback").with_source(source)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(lost)?;
        let port = listener.local_addr().map_err(lost)?.port();
        let task = tokio::spawn(async move {
            // Each connection ends with the others: they are joined on this task.
            let mut wires = tokio::task::JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = UnixStream::connect(&socket).await else {
                    continue;
                };
                wires.spawn(async move {
                    let (near_in, near_out) = near.into_split();
                    let (far_in, far_out) = far.into_split();
                    tokio::join!(pass(near_in, far_out, delay), pass(far_in, near_out, delay));
                });
            }
        });
        Ok(Self { port, task })
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, delay: Duration) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(bytes @ 1..) = from.read(&mut buffer).await {
        tokio::time::sleep(delay).await;
        if to.write_all(&buffer[..bytes]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
