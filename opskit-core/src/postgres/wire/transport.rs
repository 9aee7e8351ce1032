//! The byte stream to the server: a socket, with or without TLS.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

/// `rustls` reads 4 KiB at a time; a buffer below it turns that into large reads of the socket.
const TLS_READ_BUFFER_BYTES: usize = 256 * 1024;

pub(super) enum Transport {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<BufReader<TcpStream>>>),
    /// A socket that a thread reads by itself; no runtime watches it.
    Detached(Socket),
    /// Lost on the way from one to the other.
    Gone,
}

/// A socket without a runtime.
pub(super) enum Socket {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Transport {
    pub(super) async fn connect_tcp(address: SocketAddr) -> io::Result<TcpStream> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A server that vanished is noticed even by a session that only waits.
        socket.set_keepalive(true)?;
        let stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub(super) async fn connect_unix(path: &Path) -> io::Result<Self> {
        Ok(Self::Unix(UnixStream::connect(path).await?))
    }

    /// Puts a buffer under a socket that is about to speak TLS.
    pub(super) fn buffered(stream: TcpStream) -> BufReader<TcpStream> {
        BufReader::with_capacity(TLS_READ_BUFFER_BYTES, stream)
    }
}

impl Transport {
    /// Takes a plain socket away from the runtime; one with TLS stays what it is.
    pub(super) fn detach(self) -> io::Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Detached(Socket::Tcp(stream.into_std()?)),
            Self::Unix(stream) => Self::Detached(Socket::Unix(stream.into_std()?)),
            other => other,
        })
    }

    /// The socket, once it is detached.
    pub(super) fn socket(&self) -> Option<&Socket> {
        match self {
            Self::Detached(socket) => Some(socket),
            _ => None,
        }
    }

    /// Gives a socket back to the runtime that this is called in.
    pub(super) fn attach(self) -> io::Result<Self> {
        Ok(match self {
            Self::Detached(Socket::Tcp(stream)) => Self::Tcp(TcpStream::from_std(stream)?),
            Self::Detached(Socket::Unix(stream)) => Self::Unix(UnixStream::from_std(stream)?),
            other => other,
        })
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
        }
    }
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Transport::Tcp($stream) => $call,
            Transport::Unix($stream) => $call,
            Transport::Tls($stream) => $call,
            Transport::Detached(_) | Transport::Gone => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
