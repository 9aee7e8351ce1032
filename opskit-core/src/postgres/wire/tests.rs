//! Servers that do not play by the rules.

use super::*;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind};
use crate::postgres::url::{ConnectEnv, DatabaseUrl};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Connects to a server that answers each thing it hears with the next of `answers`, then closes.
async fn against(answers: &'static [&'static [u8]], more: &str) -> Error {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        for answer in answers {
            let _ = socket.read(&mut [0; 4096]).await;
            let _ = socket.write_all(answer).await;
        }
        let _ = socket.read(&mut [0; 4096]).await;
    };
    let text =
        format!("host=127.0.0.1 port={port} user=ann password=hunter2 connect_timeout=5 {more}");
    let url = DatabaseUrl::parse(&text, &ConnectEnv::default()).unwrap();
    let cancel = Cancel::never();
    let (result, ()) = tokio::join!(WireConnection::connect(&url, &cancel), server);
    let error = result.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"));
    error
}

fn says(error: &Error, words: &str) -> bool {
    error.chain().iter().any(|line| line.contains(words))
}

#[tokio::test]
async fn nothing_may_follow_the_answer_to_the_request_for_tls() {
    for answer in [&b"SR\0\0\0\x08\0\0\0\0"[..], b"SS", b"NR\0\0\0\x08\0\0\0\0"] {
        let answers: &'static [&'static [u8]] = Box::leak(Box::new([answer]));
        let error = against(answers, "sslmode=require").await;
        assert!(says(&error, "unencrypted data"), "{error:?}");
    }
}

#[tokio::test]
async fn text_before_encryption_is_not_repeated() {
    let error = against(&[b"E\0\0\0\x10Mevil text\0\0"], "sslmode=require").await;
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(
        !says(&error, "evil") && says(&error, "with an error"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_tls_is_required() {
    let error = against(&[b"N"], "sslmode=require").await;
    assert!(says(&error, "does not support TLS"), "{error:?}");
    let error = against(&[b"HTTP/1.1 400 Bad Request"], "sslmode=require").await;
    assert!(says(&error, "unknown answer"), "{error:?}");
}

#[tokio::test]
async fn a_plain_password_never_leaves_unencrypted() {
    let error = against(&[b"R\0\0\0\x08\0\0\0\x03"], "sslmode=disable").await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = against(&[b"N", b"R\0\0\0\x08\0\0\0\x03"], "sslmode=prefer").await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn scram_needs_the_servers_proof_and_few_rounds() {
    const OFFER: &[u8] = b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0";
    // AuthenticationOk in place of the server's part of the exchange.
    let error = against(&[OFFER, b"R\0\0\0\x08\0\0\0\0"], "sslmode=disable").await;
    assert!(says(&error, "cut short"), "{error:?}");
    let error = against(
        &[OFFER, b"R\0\0\0\x23\0\0\0\x0br=x,s=c2FsdA==,i=4000000000"],
        "sslmode=disable",
    )
    .await;
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
    // A nonce that does not continue ours.
    let error = against(
        &[OFFER, b"R\0\0\0\x1d\0\0\0\x0br=x,s=c2FsdA==,i=4096"],
        "sslmode=disable",
    )
    .await;
    assert!(says(&error, "could not prove"), "{error:?}");
}

#[tokio::test]
async fn lengths_of_strangers_are_not_trusted() {
    for answer in [
        &b"R\x7f\xff\xff\xff"[..],
        b"R\0\0\0\x01",
        b"R\xff\xff\xff\xff",
        b"E\0\x10\0\0",
    ] {
        let answers: &'static [&'static [u8]] = Box::leak(Box::new([answer]));
        let error = against(answers, "sslmode=disable").await;
        assert_eq!(error.kind(), ErrorKind::Connection);
        assert!(says(&error, "protocol"), "{error:?}");
    }
}

#[tokio::test]
async fn a_silent_server_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = format!("host=127.0.0.1 port={port} user=ann connect_timeout=2");
    let url = DatabaseUrl::parse(&text, &ConnectEnv::default()).unwrap();
    let error = WireConnection::connect(&url, &Cancel::never())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

#[tokio::test]
async fn errors_at_start_keep_their_kind() {
    let error = against(
        &[b"E\0\0\0\x21C53300\0Mtoo many clients yet\0\0"],
        "sslmode=disable",
    )
    .await;
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
}
