//! `public.health_check` under PostgREST's rules: role `anon`, a transaction that only reads, settings for the answer.

use opskit_core::ErrorKind;
use opskit_core::context::OpContext;
use opskit_core::health::rpc::{self, Counts, InstallReport, Installed, Latest, RpcSettings};
use opskit_core::name::QualifiedName;
use opskit_tests::TestDb;
use opskit_tests::export::parse;
use serde_json::Value;

/// Roles like Supabase's. They belong to the server, which tests share.
const ROLES: &str = "
begin;
select pg_advisory_xact_lock(5150);
do $$ begin
  if to_regrole('anon') is null then create role anon nologin; end if;
  if to_regrole('authenticated') is null then create role authenticated nologin; end if;
  if to_regrole('service_role') is null then create role service_role nologin bypassrls; end if;
  if to_regrole('supa_admin') is null then create role supa_admin login; end if;
end $$;
grant anon, authenticated, service_role to supa_admin;
grant usage on schema public to anon, authenticated, service_role;
grant create on schema public to supa_admin;
do $$ begin execute format('grant create on database %I to supa_admin', current_database()); end $$;
commit;
";

const SHOP: &str = "
set role supa_admin;
create table public.units (id int primary key, owner text, paid_at timestamptz default '2026-11-20 23:47:14+00');
grant select on public.units to anon;
alter table public.units enable row level security;
create policy own on public.units to authenticated using (owner = current_user);
insert into public.units (id) select generate_series(1, 1000);
create table public.secrets (i int);
";

/// Whoever PostgREST asks for: the anon key, by GET.
const AS_ANON: &str = "begin read only; set local role anon; ";

async fn shop() -> TestDb {
    let db = opskit_tests::database().await;
    db.psql(ROLES).await;
    db.psql(SHOP).await;
    db
}

fn units() -> QualifiedName {
    QualifiedName::new("public", "units")
}

fn settings() -> RpcSettings {
    let mut settings = RpcSettings::default();
    settings.service = Some("shop".to_owned());
    settings.release = Some("it's 1.4 $opskit$".to_owned());
    settings.tables = vec![units()];
    settings.counts = Counts::Exact;
    settings.latest = vec![Latest {
        key: "latest_payment".to_owned(),
        table: units(),
        column: "paid_at".to_owned(),
    }];
    settings
}

async fn install(db: &TestDb, settings: &RpcSettings) -> opskit_core::Result<InstallReport> {
    let url = parse(&db.url_for("supa_admin"));
    Box::pin(rpc::install(&OpContext::default(), &url, settings)).await
}

/// What a caller gets: the document, and the status that PostgREST answers with.
async fn called(db: &TestDb) -> (Value, String) {
    let sql = format!(
        "{AS_ANON} select public.health_check(); select coalesce(current_setting('response.status', true), ''); commit"
    );
    let out = db.psql(&sql).await;
    let (document, status) = out.split_once('\n').unwrap_or((&out, ""));
    (serde_json::from_str(document).unwrap(), status.to_owned())
}

#[tokio::test]
async fn callers_learn_what_is_published_and_nothing_else() {
    let db = shop().await;
    let report = install(&db, &settings()).await.unwrap();
    assert_eq!(report.installed, Installed::New);
    assert_eq!(report.missing_callers, [""; 0]);
    let (answer, status) = called(&db).await;
    assert_eq!(
        (answer["status"].as_str(), status.as_str()),
        (Some("ok"), ""),
        "{answer:#}"
    );
    assert_eq!(answer["app"]["release"], "it's 1.4 $opskit$");
    assert_eq!(answer["database"]["units"], 1000);
    assert_eq!(answer["database"]["counts"], "exact");
    let latest = answer["database"]["latest_payment"].as_str().unwrap();
    assert!(latest.starts_with("2026-11-20"), "{latest}");
    assert_eq!(answer["rls"]["policies"], 1);
    for forbidden in [
        "select opskit_health.refresh()",
        "select * from public.secrets",
        "delete from opskit_health.published",
        "create table opskit_health.mine (i int)",
    ] {
        let tried = db.try_psql(&format!("set role anon; {forbidden}")).await;
        let error = tried.expect_err(forbidden);
        assert!(error.contains("permission denied"), "{forbidden}: {error}");
    }
    // Its author's rights are not its caller's, and no path leads it elsewhere.
    let kind = "select prosecdef::text || provolatile::text || coalesce(array_to_string(proconfig, ','), '') \
                from pg_proc where proname = 'health_check'";
    assert_eq!(db.psql(kind).await, "falsessearch_path=\"\"");
}

#[tokio::test]
async fn a_table_that_loses_its_policies_turns_the_answer_and_back() {
    let db = shop().await;
    install(&db, &settings()).await.unwrap();
    for (broken, mended, reason) in [
        (
            "alter table public.units disable row level security",
            "alter table public.units enable row level security",
            "exposed_tables",
        ),
        (
            "grant select (i) on public.secrets to anon",
            "revoke select (i) on public.secrets from anon",
            "exposed_tables",
        ),
        (
            "create materialized view public.m as select * from public.units; grant select on public.m to anon",
            "drop materialized view public.m",
            "exposed_tables",
        ),
        (
            "drop policy own on public.units",
            "create policy own on public.units to authenticated using (true)",
            "no_policies",
        ),
    ] {
        db.psql(broken).await;
        let (answer, status) = called(&db).await;
        assert_eq!(
            (answer["status"].as_str(), status.as_str()),
            (Some("error"), "503"),
            "{broken}"
        );
        assert_eq!(answer["reasons"][0], reason, "{broken}");
        db.psql(mended).await;
        let (answer, status) = called(&db).await;
        assert_eq!(
            (answer["status"].as_str(), status.as_str()),
            (Some("ok"), ""),
            "{mended}"
        );
    }
    // What is open on purpose is said so.
    db.psql("grant select on public.secrets to anon").await;
    let mut open = settings();
    open.open = vec![QualifiedName::new("public", "secrets")];
    let report = install(&db, &open).await.unwrap();
    assert_eq!(report.installed, Installed::Replaced);
    assert_eq!(called(&db).await.0["status"], "ok");
}

#[tokio::test]
async fn numbers_that_are_old_or_could_not_be_taken_are_no_ok() {
    let db = shop().await;
    install(&db, &settings()).await.unwrap();
    db.psql("update opskit_health.published set taken_at = now() - interval '16 minutes'")
        .await;
    let (answer, status) = called(&db).await;
    assert_eq!(
        (answer["status"].as_str(), status.as_str()),
        (Some("warn"), "")
    );
    assert_eq!(answer["reasons"][0], "stale");
    db.psql("drop table public.units cascade; create policy p on public.secrets using (false)")
        .await;
    let url = parse(&db.url_for("supa_admin"));
    let error = Box::pin(rpc::refresh(&OpContext::default(), &url))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CheckFailed);
    assert!(error.to_string().contains("public.units"), "{error}");
    let (answer, status) = called(&db).await;
    assert_eq!(
        (answer["status"].as_str(), status.as_str()),
        (Some("error"), "503")
    );
    assert_eq!(answer["reasons"][0], "refresh_failed");
}

#[tokio::test]
async fn a_call_costs_the_same_whatever_the_tables_hold() {
    let db = shop().await;
    install(&db, &settings()).await.unwrap();
    // Pages that a call reads: a measure that no other process on the machine changes.
    let pages = async || {
        let sql = format!(
            "{AS_ANON} explain (analyze, buffers, format json) select public.health_check(); commit"
        );
        db.psql(&sql).await;
        let plan: Value = serde_json::from_str(&db.psql(&sql).await).unwrap();
        let plan = &plan[0]["Plan"];
        plan["Shared Hit Blocks"].as_u64().unwrap() + plan["Shared Read Blocks"].as_u64().unwrap()
    };
    let small = pages().await;
    db.psql("insert into public.units (id) select generate_series(1001, 1000000)")
        .await;
    let large = pages().await;
    assert!(
        large <= small + 50,
        "{small} pages with a thousand rows, {large} with a million"
    );
}

#[tokio::test]
async fn what_is_not_ours_is_not_replaced_and_ours_goes_without_a_trace() {
    let db = shop().await;
    db.psql("create function public.health_check() returns text language sql as 'select ''mine''::text'").await;
    let url = parse(&db.url());
    let ctx = OpContext::default();
    for tried in [
        install(&db, &settings()).await.map(drop),
        Box::pin(rpc::uninstall(&ctx, &url)).await,
    ] {
        assert_eq!(tried.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
    assert_eq!(db.psql("select public.health_check()").await, "mine");
    db.psql("drop function public.health_check()").await;
    install(&db, &settings()).await.unwrap();
    Box::pin(rpc::uninstall(&ctx, &url)).await.unwrap();
    let left = "select count(*) from pg_namespace where nspname = 'opskit_health'";
    assert_eq!(db.psql(left).await, "0");
    let error = Box::pin(rpc::refresh(&ctx, &url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// What PostgREST does with a request of the anon key, as far as the check from outside can see it.
async fn answer(db: &TestDb, request: &str) -> (String, String) {
    let line: Vec<&str> = request
        .lines()
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let wants_other = request.lines().any(|line| {
        let line = line.to_ascii_lowercase();
        line.starts_with("accept-profile:") || line.starts_with("content-profile:")
    });
    match line[..] {
        _ if wants_other => ("406 Not Acceptable".to_owned(), "{}".to_owned()),
        ["GET", "/rpc/health_check", _] => {
            let (document, status) = called(db).await;
            let status = match status.as_str() {
                "" => "200 OK",
                _ => "503 Service Unavailable",
            };
            (status.to_owned(), document.to_string())
        }
        ["GET", path, _] => {
            let sql = format!(
                "{AS_ANON} select coalesce(json_agg(t), '[]') from public.{} t; commit",
                &path[1..]
            );
            match db.try_psql(&sql).await {
                Ok(rows) => ("200 OK".to_owned(), rows),
                Err(_) => ("401 Unauthorized".to_owned(), "{}".to_owned()),
            }
        }
        _ => ("404 Not Found".to_owned(), "{}".to_owned()),
    }
}

/// Answers `count` requests, one connection each.
async fn serve(db: &TestDb, listener: &tokio::net::TcpListener, count: usize) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    for _ in 0..count {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|it| it == b"\r\n\r\n") {
            assert_ne!(socket.read_buf(&mut request).await.unwrap(), 0);
        }
        let (status, body) = answer(db, &String::from_utf8_lossy(&request)).await;
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        socket.write_all((head + &body).as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn from_outside_it_is_seen_what_can_be_reached() {
    let db = shop().await;
    install(&db, &settings()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut outside = rpc::Outside::new(&url, None).unwrap();
    outside.private = vec!["secrets".to_owned(), "units".to_owned()];
    let ctx = OpContext::default();
    let red = async || {
        let (checks, ()) = tokio::join!(outside.check(&ctx), serve(&db, &listener, 5));
        let checks = checks.unwrap();
        assert_eq!(checks.len(), 8, "{checks:#?}");
        let red = checks.into_iter().filter(|one| !one.ok);
        red.map(|one| one.name).collect::<Vec<_>>()
    };
    assert_eq!(red().await, [""; 0]);
    db.psql("grant select on public.secrets to anon; insert into public.secrets values (1)")
        .await;
    assert_eq!(
        red().await,
        [
            "the database is well",
            "no table is exposed",
            "the rows of secrets cannot be read"
        ]
    );
    drop(listener);
    let dead = outside.check(&ctx).await.unwrap();
    assert!(dead.iter().all(|one| !one.ok), "{dead:#?}");
}
