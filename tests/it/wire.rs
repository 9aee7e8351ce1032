//! The wire client against real servers: the run's, and one with TLS and a pooler.

mod tls;

use opskit_core::cancel::Cancel;
use opskit_core::error::{Error, ErrorKind};
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::postgres::wire::{CopyBuffer, CopyOut, CopyStatus, WireConnection};
use opskit_tests::server;
use std::time::{Duration, Instant};

/// The settings for the superuser of the run's server.
async fn superuser() -> String {
    let url = server().await.url("postgres");
    let (_, settings) = url.split_once('?').unwrap();
    let settings = settings.replace("%2F", "/").replace('&', " ");
    format!("{settings} dbname=postgres")
}

fn parse(text: &str) -> DatabaseUrl {
    DatabaseUrl::parse(text, &ConnectEnv::default()).unwrap()
}

async fn connect(text: &str) -> Result<WireConnection, Error> {
    WireConnection::connect(&parse(text), &Cancel::never()).await
}

async fn one(connection: &mut WireConnection, sql: &str) -> String {
    let sets = connection.query(sql).await.unwrap();
    sets.last().unwrap().rows[0][0].clone().unwrap()
}

/// Whether a session with this process number still runs a statement.
async fn is_active(pid: i32) -> bool {
    let mut watcher = connect(&superuser().await).await.unwrap();
    let sql =
        format!("select count(*) from pg_stat_activity where pid = {pid} and state = 'active'");
    one(&mut watcher, &sql).await != "0"
}

async fn becomes_idle(pid: i32) {
    let start = Instant::now();
    while is_active(pid).await {
        assert!(
            start.elapsed() < Duration::from_secs(60),
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
    let mut connection = connect(&superuser().await).await.unwrap();
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
    connection
        .execute("do $$ begin raise notice 'hello'; end $$; set timezone = 'Asia/Tokyo'")
        .await
        .unwrap();
    assert_eq!(connection.take_notices()[0].message, "hello");
    assert_eq!(connection.parameter("TimeZone"), Some("Asia/Tokyo"));
    connection.close().await;
    let mut with_options = connect(&format!("{} options='-c work_mem=5MB'", superuser().await))
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
        let error = connect(&format!("{} {more}", superuser().await))
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
async fn time_limits() {
    let mut connection = connect(&superuser().await).await.unwrap();
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

/// Somebody on the server ended the statement: the caller has cancelled nothing.
#[tokio::test]
async fn a_statement_that_an_administrator_cancels_is_not_cancelled_by_the_caller() {
    let mut connection = connect(&superuser().await).await.unwrap();
    let mut admin = connect(&superuser().await).await.unwrap();
    let pid = connection.process_id();
    let cancel = async {
        let is_asleep = format!(
            "select count(*) from pg_stat_activity where pid = {pid} and wait_event = 'PgSleep'"
        );
        while one(&mut admin, &is_asleep).await != "1" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        one(&mut admin, &format!("select pg_cancel_backend({pid})")).await
    };
    let (answer, _) = tokio::join!(connection.query("select pg_sleep(60)"), cancel);
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.hint().unwrap().contains("administrator"));
    assert_eq!(one(&mut connection, "select 1").await, "1");
}

#[tokio::test]
async fn a_dropped_query_poisons_the_connection() {
    let mut connection = connect(&superuser().await).await.unwrap();
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
async fn notices_between_rows_are_set_aside() {
    let mut connection = connect(&superuser().await).await.unwrap();
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
    let connection = connect(&superuser().await).await.unwrap();
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
    let mut copy = connect(&superuser().await)
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
    assert!(copy.finish().await.is_err());
    let table = [
        ("copy missing to stdout", ErrorKind::NotFound),
        ("select 1", ErrorKind::InvalidInput),
        ("copy pg_temp.x from stdin", ErrorKind::NotFound),
        ("cop", ErrorKind::InvalidInput),
    ];
    for (sql, kind) in table {
        let error = connect(&superuser().await)
            .await
            .unwrap()
            .copy_out(sql)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{sql}: {error:?}");
    }
    let mut connection = connect(&superuser().await).await.unwrap();
    assert!(connection.query("copy (select 1) to stdout").await.is_err());
}

#[tokio::test]
async fn a_value_of_500_mb_comes_in_pieces() {
    let connection = connect(&superuser().await).await.unwrap();
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
    let connection = connect(&superuser().await).await.unwrap();
    let pid = connection.process_id();
    let sql = "copy (select i, pg_sleep(case when i % 1000 = 0 then 0.1 else 0 end) from generate_series(1, 100000) i) to stdout";
    let mut copy = connection.copy_out(sql).await.unwrap();
    let end = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut other = connect(&superuser().await).await.unwrap();
        other
            .execute(&format!("select pg_terminate_backend({pid})"))
            .await
            .unwrap();
    };
    let (read, ()) = tokio::join!(read_all(&mut copy), end);
    assert_eq!(read.unwrap_err().kind(), ErrorKind::Connection);
}

#[tokio::test]
async fn copy_in_hears_the_server() {
    let mut connection = connect(&superuser().await).await.unwrap();
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
    let mut connection = connect(&superuser().await).await.unwrap();
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

    let mut connection = connect(&superuser().await).await.unwrap();
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
    let mut connection = connect(&superuser().await).await.unwrap();
    assert_eq!(
        one(&mut connection, "select count(*) from dropped_copy").await,
        "0"
    );
}
