//! Rehearsals: what they measure is what the real run does, and harm is judged by what happened.

use super::{applied, runner};
use opskit_core::ErrorKind;
use opskit_core::backup::{BackupRequest, backup};
use opskit_core::context::OpContext;
use opskit_core::migrate::{
    Applied, Gates, Harm, HarmKind, Measure, MigrationRunner as _, OnHarm, PgMigrationRunner,
    Rehearsal, RehearsalOutcome, RehearseRequest, Rehearsed, Seen, Waiver, Wanted, rehearse,
};
use opskit_core::repository::Repository;
use opskit_tests::TestDb;
use opskit_tests::export::parse;

const BASE: (&str, &str) = (
    "1_base.sql",
    "create table customers (id int primary key, name text);
     create table orders (id int primary key, customer int references customers, note text, total int, weight int);
     insert into customers select i, 'c' || i from generate_series(1, 100) i;
     insert into orders select i, 1 + i % 100, 'n' || i, i from generate_series(1, 5000) i;
     create view totals as select customer, sum(total) from orders group by 1;
     create function wipe() returns void language sql as $$ delete from orders where id > 4000 $$;
     create table secrets (id int, owner text); alter table secrets enable row level security;
     create policy own on secrets using (owner = current_user);",
);

async fn rehearsed(db: &TestDb, files: &[(&str, &str)]) -> (PgMigrationRunner, Rehearsal) {
    let ctx = OpContext::default();
    let place = tempfile::tempdir().unwrap();
    let repository = Repository::create(place.path().join("backups")).unwrap();
    applied(&runner(db, &files[..1])).await;
    let report = Box::pin(backup(
        &ctx,
        &parse(&db.url()),
        &repository,
        BackupRequest::new(),
    ))
    .await
    .unwrap();
    let runner = runner(db, files);
    let plan = runner.plan(&ctx, &Wanted::default()).await.unwrap();
    let mut request = RehearseRequest::default();
    request.source = Some(parse(&db.url()));
    let done = Box::pin(rehearse(
        &ctx,
        &plan,
        runner.migrations(),
        (&repository, &report.id),
        &request,
    ))
    .await
    .unwrap();
    (runner, done)
}

/// What each statement did, without times and sizes.
fn measured(applied: &[Applied]) -> Vec<String> {
    let statements = applied.iter().flat_map(|migration| {
        migration
            .statements
            .iter()
            .map(move |done| (migration, done))
    });
    let told = statements.map(|(migration, done)| {
        let measured = done.measured.as_ref().unwrap();
        let locks: Vec<String> = measured
            .locks
            .iter()
            .map(|lock| format!("{} {}", lock.relation, lock.mode))
            .collect();
        format!(
            "{}:{} {locks:?} {:?} {:?}",
            migration.id, done.line, measured.rewrites, measured.rows
        )
    });
    told.collect()
}

/// Migrations of all kinds of locks.
const MEASURED: &[(&str, &str)] = &[
    BASE,
    (
        "2_columns.sql",
        "alter table orders add placed date default current_date;\nalter table orders alter weight type bigint;\nupdate orders set note = 'x' where id <= 10;\ncreate table extra (id int references orders);\ncomment on table customers is 'people';",
    ),
    (
        "3_index.sql",
        "create index orders_total on orders (total);\ncreate trigger tr before insert on customers for each row execute function suppress_redundant_updates_trigger();",
    ),
    (
        "4_more.sql",
        "alter table customers add constraint c check (id > 0) not valid;\nalter table customers validate constraint c;\ndelete from orders where id = 5000;\ntruncate secrets;\ndrop view totals;",
    ),
    (
        "5_concurrent.sql",
        // Of values that take a while, so that there is something to see for who looks now and then.
        "create index concurrently orders_note on orders (md5(repeat(id::text || coalesce(note, ''), 5000)));\nvacuum orders;",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn locks_rewrites_and_rows_are_those_of_the_real_run() {
    let db = opskit_tests::database().await;
    let (runner, rehearsal) = rehearsed(&db, MEASURED).await;
    assert_eq!(
        rehearsal
            .failure
            .as_ref()
            .map(|failure| failure.messages.clone()),
        None
    );
    let report = applied(&runner.with_measure(Measure::All)).await;
    let (ours, real) = (measured(&rehearsal.applied), measured(&report.applied));
    let held = |lines: &[String]| {
        lines
            .iter()
            .filter(|line| !line.starts_with("5:"))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(held(&ours), held(&real));
    // Those that are sampled miss what is short, and never the lock that the work is done under.
    for applied in [&rehearsal.applied, &report.applied] {
        let index = &applied.last().unwrap().statements[0];
        let locks = &index.measured.as_ref().unwrap().locks;
        let is = |lock: &&opskit_core::migrate::LockTaken| {
            lock.relation == "public.orders"
                && lock.mode == "ShareUpdateExclusiveLock"
                && lock.seen == Seen::Sampled
        };
        assert!(locks.iter().any(|lock| is(&lock)), "{locks:?}");
    }
    let line = |start: &str| ours.iter().find(|line| line.starts_with(start)).unwrap();
    assert!(line("2:1 ").contains("public.orders AccessExclusiveLock"));
    // The type is another one, so the file is.
    assert!(line("2:2 ").contains("[\"public.orders\", \"public.orders_pkey\"]"));
    assert!(line("4:3 ").contains("deleted: 1 "), "{}", line("4:3 "));
    let waiting = rehearsal
        .waiting
        .iter()
        .map(|one| one.relation.as_str())
        .collect::<Vec<_>>();
    assert!(waiting.contains(&"public.orders"), "{waiting:?}");
    for (rehearsed, real) in rehearsal.applied.iter().zip(&report.applied) {
        println!(
            "{}: {} ms rehearsed, {} ms real",
            rehearsed.id, rehearsed.elapsed_ms, real.elapsed_ms
        );
    }
}

fn kinds(harms: &[Harm]) -> Vec<(HarmKind, &str)> {
    harms
        .iter()
        .map(|harm| (harm.kind, harm.object.as_str()))
        .collect()
}

/// What text does not say, and what must be seen of it.
const HIDDEN: &[(&str, HarmKind, &str)] = &[
    ("select wipe();", HarmKind::RowsLost, "public.orders"),
    (
        "do $$ begin perform wipe(); end $$;",
        HarmKind::RowsLost,
        "public.orders",
    ),
    (
        "do $$ declare s text := 'trun' || 'cate orders'; begin execute s; end $$;",
        HarmKind::RowsLost,
        "public.orders",
    ),
    (
        "do $$ begin execute 'alter table secrets disable ' || 'row level security'; end $$;",
        HarmKind::SecurityWeakened,
        "table public.secrets",
    ),
    (
        "do $$ begin execute 'gr' || 'ant select on secrets to public'; end $$;",
        HarmKind::GrantWidened,
        "table public.secrets",
    ),
    (
        "do $$ begin execute 'drop po' || 'licy own on secrets'; end $$;",
        HarmKind::SecurityWeakened,
        "policy own on public.secrets",
    ),
    (
        "drop table customers cascade;",
        HarmKind::ObjectGone,
        "table public.customers",
    ),
    (
        "drop schema public cascade; create schema public;",
        HarmKind::ObjectGone,
        "view public.totals",
    ),
    (
        "alter table orders drop column total cascade;",
        HarmKind::ObjectGone,
        "view public.totals",
    ),
    (
        "do $$ begin execute 'create policy al' || 'l_of_it on secrets using (1 = 1)'; end $$;",
        HarmKind::SecurityWeakened,
        "policy all_of_it on public.secrets",
    ),
    (
        "update orders set note = 'gone' where id = 7;",
        HarmKind::RowsChanged,
        "public.orders",
    ),
    (
        "alter policy own on secrets using (true);",
        HarmKind::SecurityWeakened,
        "policy own on public.secrets",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn harm_is_judged_by_what_happened() {
    for (text, kind, object) in HIDDEN {
        let db = opskit_tests::database().await;
        let (_, rehearsal) = rehearsed(&db, &[BASE, ("2_hidden.sql", text)]).await;
        assert_eq!(
            rehearsal
                .failure
                .as_ref()
                .map(|failure| failure.messages.clone()),
            None,
            "{text}"
        );
        let found = kinds(&rehearsal.harms);
        let seen = found
            .iter()
            .any(|(found, name)| found == kind && name.starts_with(object));
        assert!(seen, "{text}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_harmless_has_no_harm_and_a_waiver_lets_harm_pass() {
    let db = opskit_tests::database().await;
    let harmless = "create table more (i int); insert into more values (1); alter table orders add j int; create index on orders (j); update orders set j = total; create policy theirs on secrets using (owner = session_user); grant select on more to current_user;";
    let (_, rehearsal) = rehearsed(&db, &[BASE, ("2_fine.sql", harmless)]).await;
    assert!(rehearsal.harms.is_empty(), "{:?}", rehearsal.harms);
    assert_ne!(rehearsal.outcome, RehearsalOutcome::Failed);

    let db = opskit_tests::database().await;
    let files = [BASE, ("2_wipe.sql", "select wipe();")];
    let (runner, rehearsal) = rehearsed(&db, &files).await;
    let plan = runner
        .plan(&OpContext::default(), &Wanted::default())
        .await
        .unwrap();
    let document = serde_json::to_vec(&rehearsal).unwrap();
    let rehearsed = Rehearsed::from_json(&document).unwrap();
    let mut gates = Gates::default();
    rehearsed.check(&plan, &gates).unwrap();
    gates.harms = OnHarm::Refuse;
    let error = rehearsed.check(&plan, &gates).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CheckFailed);
    assert!(error.to_string().contains("public.orders"), "{error}");
    gates.waivers = vec![Waiver::new(
        "public.orders",
        "old orders",
        rehearsed.backup.clone(),
    )];
    rehearsed.check(&plan, &gates).unwrap();
    gates.max_access_exclusive_ms = Some(0);
    rehearsed.check(&plan, &gates).unwrap();
    let other = super::runner(&db, &[BASE, ("2_wipe.sql", "select wipe(); select 1;")]);
    let plan = other
        .plan(&OpContext::default(), &Wanted::default())
        .await
        .unwrap();
    assert!(rehearsed.check(&plan, &Gates::default()).is_err());
}
