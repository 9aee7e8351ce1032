//! A network between client and server that a test can cut.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// Listens on the loopback and passes everything on to a server's socket.
#[derive(Debug)]
pub(super) struct Proxy {
    port: u16,
    cut: watch::Sender<Cut>,
    connections: Arc<AtomicUsize>,
}

/// Which connections are cut, counted from 0 in the order of their coming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Nothing,
    Everything,
    One(usize),
}

impl Proxy {
    pub(super) async fn start(socket: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (cut, cuts) = watch::channel(Cut::Nothing);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::Relaxed);
                let (socket, mut cuts) = (socket.clone(), cuts.clone());
                tokio::spawn(async move {
                    let mut server = UnixStream::connect(socket).await.unwrap();
                    let is_cut = |cut: &Cut| *cut == Cut::Everything || *cut == Cut::One(number);
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = cuts.wait_for(is_cut) => {}
                    }
                });
            }
        });
        Self {
            port,
            cut,
            connections,
        }
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!(
            "host=127.0.0.1 port={} user=postgres dbname={database} sslmode=disable",
            self.port
        )
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(super) fn cut(&self, cut: Cut) {
        self.cut.send_replace(cut);
    }
}
