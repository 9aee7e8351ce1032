//! Over TCP: TLS, every way to authenticate, several hosts, poolers.

use super::{becomes_idle, connect, one, parse, read_all, superuser};
use opskit_core::cancel::Cancel;
use opskit_core::error::{Error, ErrorKind};
use opskit_core::postgres::export::ExportRequest;
use opskit_core::postgres::wire::{WireConnection, refuse_transaction_pooler};
use opskit_core::sink::{NullSink, RowForm};
use opskit_tests::export::export;
use opskit_tests::tls::TlsServer;
use std::sync::Arc;
use std::time::Duration;

/// A connection over TCP, with `more` settings.
async fn over_tcp(tls: &TlsServer, more: &str) -> Result<WireConnection, Error> {
    let port = tls.port();
    connect(&format!(
        "hostaddr=127.0.0.1 port={port} dbname=postgres {more}"
    ))
    .await
}

/// One server for everything that needs one with TLS: it takes a while to make.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tcp_with_tls_passwords_and_poolers() {
    let tls = TlsServer::start().await;
    passwords(&tls).await;
    channel_binding(&tls).await;
    tls_modes(&tls).await;
    target_session_and_several_hosts(&tls).await;
    cancelling(&tls).await;
    copy_out_counts_and_leaves_a_usable_connection(&tls).await;
    copy_in_round_trip(&tls).await;
    exports_are_the_same_with_and_without(&tls).await;
    poolers(&tls).await;
}

async fn passwords(tls: &TlsServer) {
    for user in ["md5_user", "scram_user", "password_user"] {
        let mut connection = over_tcp(
            tls,
            &format!("user={user} password='pa ss' sslmode=require"),
        )
        .await
        .unwrap();
        assert_eq!(one(&mut connection, "select current_user").await, user);
        let error = over_tcp(tls, &format!("user={user} password=wrong sslmode=require"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
        let error = over_tcp(tls, &format!("user={user} sslmode=require"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
    assert!(
        over_tcp(tls, "user=scram_user password='pa ss' sslmode=disable")
            .await
            .is_ok()
    );
    let error = over_tcp(tls, "user=password_user password='pa ss' sslmode=disable")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

async fn channel_binding(tls: &TlsServer) {
    for binding in ["disable", "prefer", "require"] {
        let settings =
            format!("user=scram_user password='pa ss' sslmode=require channel_binding={binding}");
        assert!(over_tcp(tls, &settings).await.is_ok(), "{binding}");
    }
    for refused in [
        "user=md5_user sslmode=require",
        "user=scram_user sslmode=disable",
        "user=postgres sslmode=require",
    ] {
        let error = over_tcp(
            tls,
            &format!("{refused} password='pa ss' channel_binding=require"),
        )
        .await
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{refused}: {error:?}");
    }
}

/// Settings, and whether the session then has TLS; `None` when it must not come about.
fn tls_table(dir: &str) -> Vec<(String, Option<bool>)> {
    let (ca, other) = (
        format!("sslrootcert={dir}/ca.crt"),
        format!("sslrootcert={dir}/other.crt"),
    );
    vec![
        ("sslmode=disable".to_owned(), Some(false)),
        ("sslmode=allow".to_owned(), Some(false)),
        ("sslmode=prefer".to_owned(), Some(true)),
        ("sslmode=require".to_owned(), Some(true)),
        (format!("sslmode=require {ca}"), Some(true)),
        (format!("sslmode=require {other}"), None),
        (format!("sslmode=verify-ca {ca}"), Some(true)),
        (format!("sslmode=verify-ca {other}"), None),
        ("sslmode=verify-ca".to_owned(), None),
        (
            format!("sslmode=verify-full {ca} host=localhost"),
            Some(true),
        ),
        (format!("sslmode=verify-full {ca} host=elsewhere"), None),
        (format!("sslmode=verify-ca {ca} host=elsewhere"), Some(true)),
        (format!("sslmode=verify-full {ca}"), None),
        (
            format!("sslmode=verify-full {dir}/x sslrootcert={dir}/missing")
                .replace(&format!(" {dir}/x"), ""),
            None,
        ),
        (
            format!("sslmode=verify-ca sslrootcert={dir}/server.crt"),
            Some(true),
        ),
        (
            format!("sslmode=verify-full host=localhost sslrootcert={dir}/server.crt"),
            Some(true),
        ),
        (
            format!("sslmode=verify-full host=elsewhere sslrootcert={dir}/server.crt"),
            None,
        ),
        ("sslrootcert=system host=localhost".to_owned(), None),
    ]
}

async fn tls_modes(tls: &TlsServer) {
    let dir = tls.dir().display();
    for (settings, expected) in tls_table(&dir.to_string()) {
        match (
            over_tcp(tls, &format!("user=postgres {settings}")).await,
            expected,
        ) {
            (Ok(mut connection), Some(tls)) => {
                assert_eq!(connection.resolved().is_tls(), tls, "{settings}");
                let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
                assert_eq!(one(&mut connection, sql).await == "t", tls, "{settings}");
            }
            (Err(_), None) => {}
            (result, _) => panic!("{settings}: {result:?}"),
        }
    }
    // The second way of allow and prefer.
    assert!(
        over_tcp(tls, "user=tls_only sslmode=allow")
            .await
            .unwrap()
            .resolved()
            .is_tls()
    );
    assert!(
        !over_tcp(tls, "user=plain_only sslmode=prefer")
            .await
            .unwrap()
            .resolved()
            .is_tls()
    );
    assert!(
        over_tcp(tls, "user=plain_only sslmode=require")
            .await
            .is_err()
    );
    assert!(
        over_tcp(tls, "user=tls_only sslmode=disable")
            .await
            .is_err()
    );
    let cert =
        format!("user=certuser sslmode=require sslcert={dir}/client.crt sslkey={dir}/client.key");
    assert!(over_tcp(tls, &cert).await.is_ok());
    assert!(
        over_tcp(tls, "user=certuser sslmode=require")
            .await
            .is_err()
    );
}

async fn target_session_and_several_hosts(tls: &TlsServer) {
    let port = tls.port();
    let both = format!(
        "host=localhost,localhost hostaddr=127.0.0.1,127.0.0.1 port=1,{port} user=postgres dbname=postgres"
    );
    for fits in ["any", "read-write", "primary", "prefer-standby"] {
        let connection = connect(&format!("{both} target_session_attrs={fits}"))
            .await
            .unwrap();
        assert_eq!(connection.resolved().port(), port);
        let again = WireConnection::connect_resolved(
            &parse(&both),
            connection.resolved(),
            &Cancel::never(),
        )
        .await;
        assert_eq!(
            again.unwrap().resolved().is_tls(),
            connection.resolved().is_tls()
        );
    }
    for misses in ["standby", "read-only"] {
        assert!(
            connect(&format!("{both} target_session_attrs={misses}"))
                .await
                .is_err()
        );
    }
}

async fn cancelling(tls: &TlsServer) {
    for settings in [superuser().await, String::new()] {
        let mut connection = match settings.as_str() {
            "" => over_tcp(tls, "user=postgres sslmode=require")
                .await
                .unwrap(),
            settings => connect(settings).await.unwrap(),
        };
        let canceller = connection.canceller();
        let cancel = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            canceller.cancel().await
        };
        let (answer, cancelled) = tokio::join!(connection.query("select pg_sleep(30)"), cancel);
        cancelled.unwrap();
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Cancelled);
        assert_eq!(one(&mut connection, "select 1").await, "1");
    }
    let (handle, cancel) = Cancel::pair();
    let mut connection = WireConnection::connect(&parse(&superuser().await), &cancel)
        .await
        .unwrap();
    let ask = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        handle.cancel();
    };
    let (answer, ()) = tokio::join!(connection.query("select pg_sleep(30)"), ask);
    assert_eq!(answer.unwrap_err().kind(), ErrorKind::Cancelled);
    becomes_idle(connection.process_id()).await;
}

async fn copy_out_counts_and_leaves_a_usable_connection(tls: &TlsServer) {
    for more in ["sslmode=require", "sslmode=disable"] {
        let connection = over_tcp(tls, &format!("user=postgres {more}"))
            .await
            .unwrap();
        let sql =
            "copy (select i, repeat('x', i % 300) from generate_series(1, 200000) i) to stdout";
        let mut copy = connection.copy_out(sql).await.unwrap();
        assert_eq!((copy.columns(), copy.is_binary()), (2, false));
        let text = String::from_utf8(read_all(&mut copy).await.unwrap()).unwrap();
        let expected: String = (1..=200_000)
            .map(|i| format!("{i}\t{}\n", "x".repeat(i % 300)))
            .collect();
        assert!(text == expected);
        let (mut connection, rows) = copy.finish().await.unwrap();
        assert_eq!(rows, 200_000);
        assert_eq!(one(&mut connection, "select 1").await, "1");
        let mut copy = connection
            .copy_out("copy (select 1 where false) to stdout (format binary)")
            .await
            .unwrap();
        assert_eq!(read_all(&mut copy).await.unwrap().len(), 21);
        assert_eq!(copy.finish().await.unwrap().1, 0);
    }
}

async fn copy_in_round_trip(tls: &TlsServer) {
    for more in ["sslmode=require", "sslmode=disable"] {
        let mut connection = over_tcp(tls, &format!("user=postgres {more}"))
            .await
            .unwrap();
        connection
            .execute("create temp table t (i int, x text)")
            .await
            .unwrap();
        let rows: String = (1..=100_000)
            .map(|i| format!("{i}\t{}\n", "y".repeat(i % 50)))
            .collect();
        let mut copy = connection.copy_in("copy t from stdin").await.unwrap();
        assert_eq!((copy.columns(), copy.is_binary()), (2, false));
        for piece in rows.as_bytes().chunks(777) {
            copy.write(piece).await.unwrap();
        }
        let (connection, count) = copy.finish().await.unwrap();
        assert_eq!(count, 100_000);
        let mut copy = connection
            .copy_out("copy (select * from t order by i) to stdout")
            .await
            .unwrap();
        assert!(read_all(&mut copy).await.unwrap() == rows.as_bytes());
    }
}

/// With TLS the runtime reads the socket, and without it a thread does.
async fn exports_are_the_same_with_and_without(tls: &TlsServer) {
    let mut connection = over_tcp(tls, "user=postgres sslmode=disable")
        .await
        .unwrap();
    let table = "create table many as select i, repeat('x', i % 300) as text from generate_series(1, 200000) i";
    connection.execute(table).await.unwrap();
    let is_split = connection.server_version_num() >= 140_000;
    let mut reports = Vec::new();
    for mode in ["require", "disable"] {
        let url = format!(
            "hostaddr=127.0.0.1 port={} dbname=postgres user=postgres sslmode={mode}",
            tls.port()
        );
        let request = ExportRequest::tables(["many"])
            .unwrap()
            .with_jobs(2)
            .with_part_bytes(4 << 20);
        let sink = Arc::new(NullSink::new(RowForm::Batches));
        let report = export(&url, request, sink).await;
        let report = report.unwrap_or_else(|e| panic!("{mode}: {}", e.chain().join(": ")));
        assert_eq!(report.tables[0].rows, 200_000, "{mode}");
        // Ranges of a table are read from 14 on.
        let parts = report.tables[0].parts.len();
        assert!(parts > 3 || !is_split, "{mode}: {parts}");
        reports.push(report.tables[0].fingerprint);
    }
    assert!(reports[0].is_some());
    assert_eq!(reports[0], reports[1]);
}

async fn poolers(tls: &TlsServer) {
    let Some(port) = tls.pooler_port() else {
        println!("skipped: without pgbouncer, as asked");
        return;
    };
    let cancel = Cancel::never();
    for (dbname, refused) in [("session", false), ("transaction", true)] {
        let url = parse(&format!(
            "host=127.0.0.1 port={port} user=postgres dbname={dbname}"
        ));
        let mut first = WireConnection::connect(&url, &cancel).await.unwrap();
        let result = refuse_transaction_pooler(&url, &mut first, &cancel).await;
        match result {
            Ok(()) => assert!(!refused, "{dbname}"),
            Err(error) => {
                assert!(
                    refused && error.kind() == ErrorKind::Unsupported,
                    "{dbname}: {error:?}"
                );
                assert!(error.hint().unwrap().contains("5432"));
            }
        }
    }
    let mut direct = connect(&superuser().await).await.unwrap();
    refuse_transaction_pooler(&parse(&superuser().await), &mut direct, &cancel)
        .await
        .unwrap();
}
