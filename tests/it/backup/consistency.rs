//! Backups while everybody writes: one instant, and sequences that are not behind it.

use super::damage::sampled;
use super::{Place, place};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{Restore, RestoreRequest};
use opskit_core::context::OpContext;
use opskit_core::repository::BackupId;
use opskit_tests::export::parse;
use opskit_tests::{TestDb, database};
use sqlx::{Connection as _, PgConnection};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Accounts whose sum never changes, the transfers between them and a ledger of both sides; numbers that
/// are drawn and jumped; a table that is never seen empty.
const BANK: &str = "create table accounts (id int primary key, balance bigint not null, pad text not null) with (fillfactor = 50); \
    insert into accounts select i, 1000, repeat('p', 150) from generate_series(1, 2000) i; \
    create table transfers (id bigint generated always as identity primary key, origin int not null references accounts, \
      target int not null references accounts, amount bigint not null); \
    create table ledger (id bigserial, account int not null, delta bigint not null, transfer bigint not null) partition by hash (account); \
    create table ledger_0 partition of ledger for values with (modulus 3, remainder 0); \
    create table ledger_1 partition of ledger for values with (modulus 3, remainder 1); \
    create table ledger_2 partition of ledger for values with (modulus 3, remainder 2); \
    create sequence ticket cache 5; create table tickets (no bigint primary key); \
    create sequence jump; create table jumps (no bigint primary key); \
    create table filled as select i from generate_series(1, 100) i; create table spare (i int); \
    create function transfer() returns void language plpgsql as $f$ \
      declare a int := 1 + floor(random() * 2000); b int := 1 + floor(random() * 2000); n bigint := 1 + floor(random() * 100); t bigint; begin \
        if a = b then return; end if; \
        perform from accounts where id in (a, b) order by id for update; \
        update accounts set balance = balance - n where id = a; update accounts set balance = balance + n where id = b; \
        insert into transfers (origin, target, amount) values (a, b, n) returning id into t; \
        insert into ledger (account, delta, transfer) values (a, -n, t), (b, n, t); end $f$;";

/// What holds at every instant, each row a name and whether it does.
const HOLDS: &str = "select 'the sum', sum(balance) = 2000 * 1000 from accounts \
    union all select 'balances by the ledger', count(*) = 0 from accounts a left join (select account, sum(delta) s from ledger group by account) l \
      on l.account = a.id where balance <> 1000 + coalesce(s, 0) \
    union all select 'balances by the transfers', count(*) = 0 from accounts a left join (select account, sum(n) s from \
      (select target, amount from transfers union all select origin, -amount from transfers) m (account, n) group by account) t \
      on t.account = a.id where balance <> 1000 + coalesce(s, 0) \
    union all select 'two sides', (select count(*) from ledger) = 2 * (select count(*) from transfers) \
    union all select 'never empty', count(*) = 100 from filled \
    union all select 'transfers_id_seq', (select last_value from transfers_id_seq) >= coalesce((select max(id) from transfers), 0) \
    union all select 'ledger_id_seq', (select last_value from ledger_id_seq) >= coalesce((select max(id) from ledger), 0) \
    union all select 'ticket', (select last_value from ticket) >= coalesce((select max(no) from tickets), 0) \
    union all select 'jump', (select last_value from jump) >= coalesce((select max(no) from jumps), 0)";

/// The next number is a new one.
const GOES_ON: &str = "insert into transfers (origin, target, amount) values (1, 2, 0); insert into ledger (account, delta, transfer) values (1, 0, 0); \
    insert into tickets values (nextval('ticket')); insert into jumps values (nextval('jump'))";

/// Everybody who writes while it is read.
struct Crowd {
    stop: Arc<AtomicBool>,
    writers: JoinSet<()>,
    written: Arc<AtomicU64>,
    changed: Arc<AtomicU64>,
}

impl Crowd {
    fn start(db: &TestDb) -> Self {
        let mut crowd = Self {
            stop: Arc::default(),
            writers: JoinSet::new(),
            written: Arc::default(),
            changed: Arc::default(),
        };
        for _ in 0..3 {
            crowd.write(db, "select transfer()", Duration::ZERO);
        }
        crowd.write(
            db,
            "insert into tickets values (nextval('ticket'))",
            Duration::from_millis(1),
        );
        crowd.write(
            db,
            "insert into jumps select setval('jump', nextval('jump') + 1000)",
            Duration::from_millis(3),
        );
        crowd.write(
            db,
            "set lock_timeout = '20ms'; begin; truncate filled; insert into filled select generate_series(1, 100); commit",
            Duration::from_millis(7),
        );
        crowd.change(db);
        crowd
    }

    /// Runs a statement again and again. What fails for a lock is part of it.
    fn write(&mut self, db: &TestDb, sql: &'static str, pause: Duration) {
        let (url, stop, written) = (db.url(), Arc::clone(&self.stop), Arc::clone(&self.written));
        self.writers.spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            while !stop.load(Ordering::Relaxed) {
                match sqlx::raw_sql(sql).execute(&mut connection).await {
                    Ok(_) => drop(written.fetch_add(1, Ordering::Relaxed)),
                    Err(_) => {
                        let back = sqlx::raw_sql("rollback").execute(&mut connection).await;
                        assert!(back.is_ok(), "{sql}");
                    }
                }
                tokio::time::sleep(pause).await;
            }
        });
    }

    /// Changes definitions: mostly what must wait for a backup, now and then what need not.
    fn change(&mut self, db: &TestDb) {
        const MUST_WAIT: [&str; 5] = [
            "alter table accounts add column if not exists more int",
            "alter table accounts drop column if exists more",
            "truncate spare",
            "drop table if exists spare; create table spare (i int)",
            "alter table transfers rename to moved; alter table moved rename to transfers",
        ];
        const NEED_NOT: [&str; 4] = [
            "create index if not exists by_amount on transfers (amount)",
            "drop index if exists by_amount",
            "create table if not exists fresh (i int)",
            "drop table if exists fresh",
        ];
        let (url, stop, changed) = (db.url(), Arc::clone(&self.stop), Arc::clone(&self.changed));
        self.writers.spawn(async move {
            let mut connection = PgConnection::connect(&url).await.unwrap();
            sqlx::raw_sql("set lock_timeout = '30ms'")
                .execute(&mut connection)
                .await
                .unwrap();
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                let sql = match turn % 40 {
                    39 => NEED_NOT[turn / 40 % NEED_NOT.len()],
                    _ => MUST_WAIT[turn % MUST_WAIT.len()],
                };
                turn += 1;
                let done = sqlx::raw_sql(sql).execute(&mut connection).await;
                changed.fetch_add(u64::from(done.is_ok()), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        });
    }

    async fn end(mut self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.writers.join_next().await {
            ended.unwrap();
        }
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        (count(&self.written), count(&self.changed))
    }
}

/// Backs up again and again for `time`. What was refused is no backup, and says why.
async fn back_up(db: &TestDb, place: &Place, time: Duration) -> (Vec<BackupId>, usize) {
    let start = Instant::now();
    let (mut made, mut refused) = (Vec::new(), 0);
    while start.elapsed() < time || made.is_empty() && start.elapsed() < 20 * time {
        let request = BackupRequest::new().with_jobs(3).with_part_bytes(32 << 10);
        match place.back_up(db, request).await {
            Ok(report) => made.push(report.id),
            Err(error) => {
                let said = error.chain().join(": ");
                assert_eq!(error.kind(), ErrorKind::Busy, "{said}");
                let why = ["changed", "lock", "dropped", "could not open relation"];
                assert!(why.iter().any(|why| said.contains(why)), "{said}");
                refused += 1;
            }
        }
        // Names tell seconds only.
        made.sort();
        assert_eq!(place.repository.backups().unwrap(), made);
    }
    (made, refused)
}

async fn assert_consistent(place: &Place, id: &BackupId) {
    let copy = database().await;
    let ctx = OpContext::default();
    let reader = place.repository.read(id).unwrap();
    let parts = reader.contents().unwrap().tables;
    let parts = parts
        .iter()
        .find(|table| table.name.name == "accounts")
        .map(|table| table.parts.len());
    // Ranges of a table are read from 14 on.
    let is_split = copy.version().await >= 140_000;
    assert!(parts > Some(4) || !is_split, "{parts:?}");
    let url = parse(&copy.url());
    let restore = Restore::open(&ctx, reader, &url, RestoreRequest::default()).await;
    let report = Box::pin(restore.unwrap().run(&ctx)).await;
    let report = report.unwrap_or_else(|e| panic!("{id}: {}", e.chain().join(": ")));
    assert!(
        report.is_same(),
        "{id}: {:?} {:?}",
        report.failures,
        report.differences
    );
    let found = copy.psql(HOLDS).await;
    assert!(
        found.lines().all(|line| line.ends_with("|t")),
        "{id}: {found}"
    );
    copy.psql(GOES_ON).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_is_one_instant_whoever_writes() {
    let (rounds, seconds) = (sampled(1, 10), sampled(3, 60));
    for round in 0..rounds {
        let (db, place) = (database().await, place());
        db.psql(BANK).await;
        let crowd = Crowd::start(&db);
        let (made, refused) = back_up(&db, &place, Duration::from_secs(seconds as u64)).await;
        let (written, changed) = crowd.end().await;
        println!(
            "round {round}: {written} writes, {changed} definitions changed, {} backups, {refused} refused",
            made.len()
        );
        assert!(
            written > 100 * seconds as u64 && changed > 0,
            "{written} {changed}"
        );
        assert!(!made.is_empty(), "no backup of {refused}");
        // Some of all that a round made: a restore takes longer than a backup.
        let step = made.len().div_ceil(sampled(1, 8));
        for id in made.iter().step_by(step) {
            assert_consistent(&place, id).await;
        }
    }
}
