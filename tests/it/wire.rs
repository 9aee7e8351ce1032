//! The wire client against a real server: `wire-server.sh` makes one and prints the variables.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of tests stop where tests do"
)]

use opskit_core::cancel::Cancel;
use opskit_core::error::{Error, ErrorKind};
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::postgres::wire::{
    CopyBuffer, CopyOut, CopyStatus, WireConnection, refuse_transaction_pooler,
};
use std::time::{Duration, Instant};

fn superuser() -> String {
    std::env::var("OPSKIT_TEST_URL").expect("OPSKIT_TEST_URL is set")
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is set"))
}

fn parse(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse(text, &ConnectEnv::default()).unwrap()
}

async fn connect(text: &str) -> Result<WireConnection, Error> {
    WireConnection::connect(&parse(text), &Cancel::never()).await
}

/// A connection over TCP, with `more` settings.
async fn over_tcp(more: &str) -> Result<WireConnection, Error> {
    let port = variable("OPSKIT_TEST_TLS_PORT");
    connect(&format!(
        "hostaddr=127.0.0.1 port={port} dbname=postgres {more}"
    ))
    .await
}

async fn one(connection: &mut WireConnection, sql: &str) -> String {
    let sets = connection.query(sql).await.unwrap();
    sets.last().unwrap().rows[0][0].clone().unwrap()
}

/// Whether a session with this process number still runs a statement.
async fn is_active(pid: i32) -> bool {
    let mut watcher = connect(&superuser()).await.unwrap();
    let sql =
        format!("select count(*) from pg_stat_activity where pid = {pid} and state = 'active'");
    one(&mut watcher, &sql).await != "0"
}

async fn becomes_idle(pid: i32) {
    let start = Instant::now();
    while is_active(pid).await {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "the statement still runs"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn read_all(copy: &mut CopyOut) -> Result<Vec<u8>, Error> {
    let (mut all, mut buffer) = (Vec::new(), CopyBuffer::with_capacity(1 << 20));
    loop {
        let status = copy.read(&mut buffer, 256 << 10).await?;
        all.extend_from_slice(buffer.as_slice());
        buffer.clear();
        if status == CopyStatus::End {
            return Ok(all);
        }
    }
}

#[tokio::test]
async fn queries() {
    let mut connection = connect(&superuser()).await.unwrap();
    let sets = connection
        .query("select 1 as a, null as b; create temp table t (i int); select")
        .await
        .unwrap();
    assert_eq!(sets.len(), 3);
    assert_eq!(sets[0].rows, [[Some("1".to_owned()), None]]);
    assert_eq!(
        (
            sets[0].columns[0].name.as_str(),
            sets[0].columns[0].type_oid
        ),
        ("a", 23)
    );
    assert_eq!(
        (sets[1].tag.as_str(), sets[2].tag.as_str()),
        ("CREATE TABLE", "SELECT 1")
    );
    let num = one(&mut connection, "show server_version_num").await;
    assert_eq!(num, connection.server_version_num().to_string());
    assert_eq!(
        one(&mut connection, "select pg_backend_pid()").await,
        connection.process_id().to_string()
    );
    assert_eq!(
        one(&mut connection, "show application_name").await,
        "opskit"
    );
    let error = connection.query("select * from missing").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = connection.query("select 'a\0b'").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    connection
        .execute("do $$ begin raise notice 'hello'; end $$; set timezone = 'Asia/Tokyo'")
        .await
        .unwrap();
    assert_eq!(connection.take_notices()[0].message, "hello");
    assert_eq!(connection.parameter("TimeZone"), Some("Asia/Tokyo"));
    connection.close().await;
    let mut with_options = connect(&format!("{} options='-c work_mem=5MB'", superuser()))
        .await
        .unwrap();
    assert_eq!(one(&mut with_options, "show work_mem").await, "5MB");
}

#[tokio::test]
async fn refusals_have_their_kind() {
    let table = [
        ("dbname=nowhere".to_owned(), ErrorKind::NotFound),
        ("user=nobody_here".to_owned(), ErrorKind::PermissionDenied),
        ("port=1".to_owned(), ErrorKind::Connection),
    ];
    for (more, kind) in table {
        let error = connect(&format!("{} {more}", superuser()))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
    }
    let error = connect("host=127.0.0.1,localhost port=1,2 user=u")
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("127.0.0.1:1: connection refused"),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .contains("localhost:2: connection refused"),
        "{error}"
    );
}

#[tokio::test]
async fn passwords() {
    for user in ["md5_user", "scram_user", "password_user"] {
        let mut connection = over_tcp(&format!("user={user} password='pa ss' sslmode=require"))
            .await
            .unwrap();
        assert_eq!(one(&mut connection, "select current_user").await, user);
        let error = over_tcp(&format!("user={user} password=wrong sslmode=require"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
        let error = over_tcp(&format!("user={user} sslmode=require"))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    }
    assert!(
        over_tcp("user=scram_user password='pa ss' sslmode=disable")
            .await
            .is_ok()
    );
    let error = over_tcp("user=password_user password='pa ss' sslmode=disable")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
}

#[tokio::test]
async fn channel_binding() {
    for binding in ["disable", "prefer", "require"] {
        let settings =
            format!("user=scram_user password='pa ss' sslmode=require channel_binding={binding}");
        assert!(over_tcp(&settings).await.is_ok(), "{binding}");
    }
    for refused in [
        "user=md5_user sslmode=require",
        "user=scram_user sslmode=disable",
        "user=postgres sslmode=require",
    ] {
        let error = over_tcp(&format!(
            "{refused} password='pa ss' channel_binding=require"
        ))
        .await
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{refused}: {error:?}");
    }
}

/// Settings, and whether the session then has TLS; `None` when it must not come about.
fn tls_table() -> Vec<(String, Option<bool>)> {
    let dir = variable("OPSKIT_TEST_TLS_DIR");
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

#[tokio::test]
async fn tls_modes() {
    for (settings, expected) in tls_table() {
        match (
            over_tcp(&format!("user=postgres {settings}")).await,
            expected,
        ) {
            (Ok(mut connection), Some(tls)) => {
                assert_eq!(connection.resolved().is_tls(), tls, "{settings}");
                let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
                assert_eq!(one(&mut connection, sql).await == "t", tls, "{settings}");
            }
            (Err(error), None) => assert!(!error.to_string().is_empty()),
            (result, _) => panic!("{settings}: {result:?}"),
        }
    }
}

#[tokio::test]
async fn second_ways_and_client_certificates() {
    let dir = variable("OPSKIT_TEST_TLS_DIR");
    assert!(
        over_tcp("user=tls_only sslmode=allow")
            .await
            .unwrap()
            .resolved()
            .is_tls()
    );
    assert!(
        !over_tcp("user=plain_only sslmode=prefer")
            .await
            .unwrap()
            .resolved()
            .is_tls()
    );
    assert!(over_tcp("user=plain_only sslmode=require").await.is_err());
    assert!(over_tcp("user=tls_only sslmode=disable").await.is_err());
    let cert =
        format!("user=certuser sslmode=require sslcert={dir}/client.crt sslkey={dir}/client.key");
    assert!(over_tcp(&cert).await.is_ok());
    assert!(over_tcp("user=certuser sslmode=require").await.is_err());
}

#[tokio::test]
async fn target_session_and_several_hosts() {
    let port = variable("OPSKIT_TEST_TLS_PORT");
    let both = format!(
        "host=localhost,localhost hostaddr=127.0.0.1,127.0.0.1 port=1,{port} user=postgres dbname=postgres"
    );
    for fits in ["any", "read-write", "primary", "prefer-standby"] {
        let connection = connect(&format!("{both} target_session_attrs={fits}"))
            .await
            .unwrap();
        assert_eq!(connection.resolved().port().to_string(), port);
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

#[tokio::test]
async fn cancelling() {
    for settings in [superuser(), String::new()] {
        let mut connection = match settings.as_str() {
            "" => over_tcp("user=postgres sslmode=require").await.unwrap(),
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
    let mut connection = WireConnection::connect(&parse(&superuser()), &cancel)
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

#[tokio::test]
async fn time_limits() {
    let mut connection = connect(&superuser()).await.unwrap();
    let error = connection
        .query("set statement_timeout = 100; select pg_sleep(9)")
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    connection
        .execute("set statement_timeout = 0")
        .await
        .unwrap();
    connection.set_patience(Some(Duration::from_millis(200)));
    let error = connection.query("select pg_sleep(9)").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    becomes_idle(connection.process_id()).await;
    assert_eq!(
        connection.query("select 1").await.unwrap_err().kind(),
        ErrorKind::Connection
    );
}

#[tokio::test]
async fn a_dropped_query_poisons_the_connection() {
    let mut connection = connect(&superuser()).await.unwrap();
    let pid = connection.process_id();
    let query = tokio::time::timeout(
        Duration::from_millis(200),
        connection.query("select pg_sleep(30)"),
    );
    assert!(query.await.is_err());
    let error = connection.query("select 1").await.unwrap_err();
    assert!(error.to_string().contains("out of step"), "{error}");
    becomes_idle(pid).await;
}

#[tokio::test]
async fn copy_out_counts_and_leaves_a_usable_connection() {
    for more in ["sslmode=require", "sslmode=disable"] {
        let connection = over_tcp(&format!("user=postgres {more}")).await.unwrap();
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

#[tokio::test]
async fn notices_between_rows_are_set_aside() {
    let mut connection = connect(&superuser()).await.unwrap();
    let noisy = "create function pg_temp.noisy(i int) returns int language plpgsql as \
                 $$ begin if i % 1000 = 0 then raise notice 'at %', i; end if; return i; end $$";
    connection.execute(noisy).await.unwrap();
    let sql = "copy (select pg_temp.noisy(i) from generate_series(1, 50000) i) to stdout";
    let mut copy = connection.copy_out(sql).await.unwrap();
    let text = String::from_utf8(read_all(&mut copy).await.unwrap()).unwrap();
    assert_eq!(text.lines().count(), 50_000);
    assert_eq!(copy.take_notices().len(), 50);
    assert_eq!(copy.finish().await.unwrap().1, 50_000);
}

#[tokio::test]
async fn a_dropped_copy_leaves_nothing_running() {
    let connection = connect(&superuser()).await.unwrap();
    let pid = connection.process_id();
    let sql = "copy (select i, pg_sleep(case when i = 1000 then 30 else 0 end) from generate_series(1, 100000) i) to stdout";
    let mut copy = connection.copy_out(sql).await.unwrap();
    let mut buffer = CopyBuffer::with_capacity(1 << 16);
    let _ = tokio::time::timeout(Duration::from_millis(300), copy.read(&mut buffer, 1 << 30)).await;
    assert!(is_active(pid).await);
    drop(copy);
    becomes_idle(pid).await;
}

#[tokio::test]
async fn errors_of_copy() {
    let sql = "copy (select 1 / (100000 - i) from generate_series(1, 200000) i) to stdout";
    let mut copy = connect(&superuser())
        .await
        .unwrap()
        .copy_out(sql)
        .await
        .unwrap();
    let error = read_all(&mut copy).await.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("division by zero (SQLSTATE 22012)"),
        "{error}"
    );
    assert!(copy.read(&mut CopyBuffer::default(), 1).await.is_err());
    assert!(copy.finish().await.is_err());
    let table = [
        ("copy missing to stdout", ErrorKind::NotFound),
        ("select 1", ErrorKind::InvalidInput),
        ("copy pg_temp.x from stdin", ErrorKind::NotFound),
        ("cop", ErrorKind::InvalidInput),
    ];
    for (sql, kind) in table {
        let error = connect(&superuser())
            .await
            .unwrap()
            .copy_out(sql)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error:?}");
    }
    let mut connection = connect(&superuser()).await.unwrap();
    assert!(connection.query("copy (select 1) to stdout").await.is_err());
}

#[tokio::test]
async fn a_value_of_500_mb_comes_in_pieces() {
    let connection = connect(&superuser()).await.unwrap();
    let sql = "copy (select repeat('x', 500000000)) to stdout";
    let mut copy = connection.copy_out(sql).await.unwrap();
    let (mut total, mut buffer) = (0, CopyBuffer::with_capacity(1 << 20));
    loop {
        let status = copy.read(&mut buffer, 256 << 10).await.unwrap();
        total += buffer.len();
        buffer.clear();
        if status == CopyStatus::End {
            break;
        }
    }
    assert_eq!((total, buffer.capacity()), (500_000_001, 1 << 20));
    assert_eq!(copy.finish().await.unwrap().1, 1);
}

#[tokio::test]
async fn a_session_that_is_ended_mid_copy() {
    let connection = connect(&superuser()).await.unwrap();
    let pid = connection.process_id();
    let sql = "copy (select i, pg_sleep(case when i % 1000 = 0 then 0.1 else 0 end) from generate_series(1, 100000) i) to stdout";
    let mut copy = connection.copy_out(sql).await.unwrap();
    let end = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut other = connect(&superuser()).await.unwrap();
        other
            .execute(&format!("select pg_terminate_backend({pid})"))
            .await
            .unwrap();
    };
    let (read, ()) = tokio::join!(read_all(&mut copy), end);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn copy_in_round_trip() {
    for more in ["sslmode=require", "sslmode=disable"] {
        let mut connection = over_tcp(&format!("user=postgres {more}")).await.unwrap();
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

#[tokio::test]
async fn copy_in_hears_the_server() {
    let mut connection = connect(&superuser()).await.unwrap();
    connection
        .execute("create temp table t (i int)")
        .await
        .unwrap();
    let mut copy = connection.copy_in("copy t from stdin").await.unwrap();
    let mut failed = copy.write(b"1\nsecret value\n").await;
    for _ in 0..1000 {
        if failed.is_err() {
            break;
        }
        failed = copy.write(&b"2\n".repeat(50_000)).await;
    }
    let error = failed.unwrap_err();
    assert!(
        error.to_string().contains("SQLSTATE 22P02") && !format!("{error:?}").contains("secret"),
        "{error:?}"
    );

    // A trigger that talks a lot while rows arrive: neither side may wait for the other for ever.
    let mut connection = connect(&superuser()).await.unwrap();
    let noisy = "create temp table t (i int); create function pg_temp.noisy() returns trigger language plpgsql as \
                 $$ begin raise notice '%', repeat('n', 500); return new; end $$; \
                 create trigger noisy before insert on t for each row execute function pg_temp.noisy()";
    connection.execute(noisy).await.unwrap();
    let mut copy = connection.copy_in("copy t from stdin").await.unwrap();
    copy.write(&b"3\n".repeat(200_000)).await.unwrap();
    let (mut connection, rows) = copy.finish().await.unwrap();
    assert_eq!(rows, 200_000);

    connection
        .execute("create temp table u (i int)")
        .await
        .unwrap();
    let mut copy = connection.copy_in("copy u from stdin").await.unwrap();
    copy.write(b"1\n").await.unwrap();
    copy.fail("changed my mind").await.unwrap();

    let mut connection = connect(&superuser()).await.unwrap();
    connection
        .execute("drop table if exists dropped_copy; create table dropped_copy (i int)")
        .await
        .unwrap();
    let pid = connection.process_id();
    let mut copy = connection
        .copy_in("copy dropped_copy from stdin")
        .await
        .unwrap();
    copy.write(b"1\n").await.unwrap();
    drop(copy);
    becomes_idle(pid).await;
    let mut connection = connect(&superuser()).await.unwrap();
    assert_eq!(
        one(&mut connection, "select count(*) from dropped_copy").await,
        "0"
    );
}

#[tokio::test]
async fn poolers() {
    let port = variable("OPSKIT_TEST_POOLER_PORT");
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
    let mut direct = connect(&superuser()).await.unwrap();
    refuse_transaction_pooler(&parse(&superuser()), &mut direct, &cancel)
        .await
        .unwrap();
}

/// Reads a table as fast as it comes: `OPSKIT_TEST_COPY='copy … to stdout'` names the statement.
#[tokio::test]
#[ignore = "a measurement, not a test"]
async fn throughput() {
    let connection = connect(&superuser()).await.unwrap();
    let start = Instant::now();
    let mut copy = connection
        .copy_out(&variable("OPSKIT_TEST_COPY"))
        .await
        .unwrap();
    let (mut total, mut reads, mut buffer) = (0, 0, CopyBuffer::with_capacity(2 << 20));
    loop {
        let status = copy.read(&mut buffer, 1 << 20).await.unwrap();
        total += buffer.len();
        reads += 1;
        buffer.clear();
        if status == CopyStatus::End {
            break;
        }
    }
    let (_, rows) = copy.finish().await.unwrap();
    println!(
        "{rows} rows, {total} bytes, {reads} pieces, {:?}",
        start.elapsed()
    );
}
