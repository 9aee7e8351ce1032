//! Repositories that are damaged on purpose and have all digests right: a clear error or a clean restore,
//! never a panic, a hang or memory by a length that somebody claims.

use super::damage::{Dice, sampled};
use super::{Place, place};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{Existing, Restore, RestoreReport, RestoreRequest};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, DataFormat, FACTS, MODEL, Manifest, VerifyLevel};
use opskit_core::{Error, ErrorKind, Result};
use opskit_tests::export::parse;
use opskit_tests::secrets::looked_at;
use opskit_tests::{TestDb, database, folder_of};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// What any read of a small backup may take, ours and the libraries' code aside.
const MEMORY_MIB: u64 = 300;

/// A backup whose objects are replaced, the manifest always true to them.
struct Forgery {
    place: Place,
    id: BackupId,
    root: PathBuf,
    manifest: Manifest,
}

impl Forgery {
    async fn of(db: &TestDb, format: DataFormat) -> Self {
        let place = place();
        let request = BackupRequest::new()
            .with_format(format)
            .with_part_bytes(256 << 10);
        let id = place.back_up(db, request).await.unwrap().id;
        let root = folder_of(&place.repository, &id);
        // The record of the run tells the digest of the manifest.
        fs::remove_dir_all(place.repository.directory().unwrap().join("history")).unwrap();
        let manifest = Manifest::parse(&fs::read(root.join("manifest.json")).unwrap()).unwrap();
        Self {
            place,
            id,
            root,
            manifest,
        }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.root.join(name)).unwrap()
    }

    /// Puts other bytes in the place of an object.
    fn forge(&self, name: &str, bytes: &[u8]) {
        let mut manifest = self.manifest.clone();
        let all = std::iter::once(&mut manifest.sealed).chain(&mut manifest.objects);
        let object = all.into_iter().find(|object| object.name == name).unwrap();
        object.bytes = bytes.len() as u64;
        object.sha256 = Sha256::digest(bytes)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        fs::write(self.root.join(name), bytes).unwrap();
        let text = serde_json::to_vec(&manifest).unwrap();
        fs::write(self.root.join("manifest.json"), text).unwrap();
    }

    /// The objects of rows with one of these endings.
    fn rows(&self, endings: &[&str]) -> Vec<String> {
        let objects = self.manifest.objects.iter().map(|object| &object.name);
        objects
            .filter(|name| endings.iter().any(|ending| name.ends_with(ending)))
            .cloned()
            .collect()
    }

    fn verify(&self) -> Result<usize> {
        let repository = &self.place.repository;
        let found = repository.verify(&OpContext::default(), &self.id, VerifyLevel::Decode)?;
        Ok(found.faults.len())
    }

    async fn restore(&self, target: &TestDb) -> Result<RestoreReport> {
        let ctx = OpContext::default();
        let reader = self.place.repository.read(&self.id)?;
        let request = RestoreRequest::default().with_existing(Existing::Drop);
        let restored = async {
            let restore = Restore::open(&ctx, reader, &parse(&target.url()), request).await?;
            Box::pin(restore.run(&ctx)).await
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), restored).await;
        looked_at(in_time.expect("it ends"))
    }
}

/// An internal error is a defect of ours, and what a panic on a thread becomes.
fn assert_clear(what: &str, error: &Error) {
    let said = error.chain().join(": ");
    assert_ne!(error.kind(), ErrorKind::Internal, "{what}: {said}");
    assert!(
        said.len() < 20_000,
        "{what}: an error of {} bytes: {}",
        said.len(),
        said.chars().take(300).collect::<String>()
    );
}

/// The peak of this process, which nextest gives each test alone.
fn assert_memory() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .trim()
        .parse()
        .unwrap();
    println!("peak {} MiB", kib >> 10);
    if std::env::var_os("NEXTEST").is_some() {
        assert!(kib >> 10 <= MEMORY_MIB, "{} MiB", kib >> 10);
    }
}

/// Everything within a document, by its pointer.
fn pointers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| {
            let key = key.replace('~', "~0").replace('/', "~1");
            pointers(value, format!("{at}/{key}"), found);
        }),
        Value::Array(items) => items.iter().enumerate().for_each(|(n, item)| {
            pointers(item, format!("{at}/{n}"), found);
        }),
        _ => {}
    }
    found.push(at);
}

fn strange(dice: &mut Dice) -> Value {
    let nested =
        |levels: usize| (0..levels).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    match dice.roll(17) {
        0 => Value::Null,
        1 => true.into(),
        2 => (-1).into(),
        3 => 0.into(),
        4 => u64::MAX.into(),
        5 => i64::MIN.into(),
        6 => u32::MAX.into(),
        7 => 1e308.into(),
        8 => "".into(),
        9 => "../../../etc/passwd".into(),
        10 => "x".repeat(70_000).into(),
        11 => "\0'\"; drop schema public cascade; --\n\\".into(),
        12 => Value::Array(Vec::new()),
        13 => Value::Object(serde_json::Map::new()),
        14 => nested(100),
        15 => i64::from(i32::MAX).into(),
        _ => "é\u{202e}%2F..".into(),
    }
}

/// Changes one place of a document: to something strange, to what stands elsewhere, away, or many times.
fn mutate(whole: &Value, dice: &mut Dice) -> (String, Value) {
    let mut all = Vec::new();
    pointers(whole, String::new(), &mut all);
    let at = all[dice.roll(all.len())].clone();
    let mut value = whole.clone();
    let other = whole.pointer(&all[dice.roll(all.len())]).cloned();
    let (parent, key) = at.rsplit_once('/').unwrap_or_default();
    let kind = dice.roll(6);
    let what = format!("kind {kind} at {at}");
    let place = value.pointer_mut(&at).unwrap();
    match kind {
        0 | 1 => *place = strange(dice),
        2 => *place = other.unwrap_or_default(),
        3 if !at.is_empty() => match value.pointer_mut(parent).unwrap() {
            Value::Object(fields) => drop(fields.remove(key)),
            Value::Array(items) => drop(items.remove(key.parse().unwrap())),
            _ => {}
        },
        4 => match place {
            Value::Array(items) => {
                let more: Vec<Value> = items.iter().take(3).cloned().collect();
                let times = 1 + dice.roll(50);
                (0..times).for_each(|_| items.extend(more.clone()));
            }
            Value::String(text) => *text = text.repeat(2),
            _ => *place = strange(dice),
        },
        _ => match place {
            Value::Array(items) => items.reverse(),
            Value::Number(number) => {
                *place = (number.as_i64().unwrap_or(7) ^ (1 << dice.roll(40))).into();
            }
            _ => *place = strange(dice),
        },
    }
    (what, value)
}

async fn small() -> TestDb {
    let db = database().await;
    // Of an ordinary role: a superuser's own code needs trust, and none of it would be restored.
    let owner = db.name();
    let owns = format!(
        "create role \"{owner}\" login; grant create on database {owner} to \"{owner}\"; \
         grant create on schema public to \"{owner}\"; set role \"{owner}\"; "
    );
    db.psql(&(owns +
        "create type mood as enum ('sad', 'glad'); create type pair as (a int, b text); create domain pos as int check (value > 0); \
         create table t (id int primary key, amount numeric(12,2), name text collate \"C\", tags text[], at timestamptz, m mood, p pair, d pos, j jsonb, r int4range, \
           grid int[], b bytea, u uuid, i interval, x bit varying, n numeric) with (fillfactor = 80); \
         insert into t select i, case when i % 7 = 0 then 'NaN' else i / 4.0 end, 'n' || i % 9, array['x', null, i::text], 'infinity', 'sad', row(i, 'b')::pair, i, '{\"a\": 1}', \
           int4range(i, i + 9), case when i % 5 = 0 then '{{1,2},{3,4}}'::int[] end, '\\x00ff', gen_random_uuid(), '1 day', '1010', i::numeric / 7 from generate_series(1, 3000) i; \
         create index on t (name); create table s (i int references t, t regclass) partition by range (i); create table s1 partition of s for values from (0) to (9999); \
         insert into s values (1, 't'), (2, 't'); create sequence q start 5; create view v as select * from t; create materialized view mv as select count(*) from t; \
         create function h(a int default 1) returns int language sql as 'select $1'; create function f() returns trigger language plpgsql as 'begin return new; end'; create trigger g before insert on t for each row execute function f(); \
         alter table t enable row level security; create policy p on t using (true); comment on table t is 'c'; grant select on t to public; \
         select lo_from_bytea(0, '\\x0102');"),
    )
    .await;
    db
}

#[tokio::test]
async fn forged_documents_end_in_a_clear_error() {
    let db = small().await;
    let forgery = Forgery::of(&db, DataFormat::Parquet).await;
    let target = database().await;
    let mut dice = Dice(41);
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for (name, sample, full) in [
        ("manifest.sealed", 40, 400),
        (MODEL, 40, 600),
        (FACTS, 8, 60),
    ] {
        let raw = forgery.read(name);
        let whole: Value = serde_json::from_slice(&raw).unwrap();
        for _ in 0..sampled(sample, full) {
            let (what, value) = mutate(&whole, &mut dice);
            forgery.forge(name, &serde_json::to_vec(&value).unwrap());
            let what = format!("{name}: {what}");
            if let Err(error) = forgery.verify() {
                assert_clear(&what, &error);
            }
            let end = match forgery.restore(&target).await {
                Ok(report) if report.is_same() => "the same".to_owned(),
                Ok(_) => "told as different".to_owned(),
                Err(error) => {
                    assert_clear(&what, &error);
                    format!("{:?}", error.kind())
                }
            };
            *ends.entry(end).or_default() += 1;
        }
        forgery.forge(name, &raw);
    }
    println!("{ends:?}");
    assert_memory();
    // In a target that no forgery was restored into: one may have granted what it liked on its schemas.
    let fresh = database().await;
    let report = forgery.restore(&fresh).await.unwrap();
    assert!(report.is_same(), "{:?}", report.differences);
}

/// Changes some bytes, most of them where files keep what they say of themselves.
fn scramble(whole: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..1 + dice.roll(3) {
        let near = bytes.len().min(3000);
        let at = match dice.roll(3) {
            0 => dice.roll(bytes.len()),
            1 => bytes.len() - 1 - dice.roll(near),
            _ => dice.roll(bytes.len().min(200)),
        };
        match dice.roll(5) {
            0 => bytes[at] ^= 1 << dice.roll(8),
            1 => bytes[at] = [0, 0xff, 0x7f, 0x80, 1][dice.roll(5)],
            2 => bytes.insert(at, dice.roll(256) as u8),
            3 if bytes.len() > 1 => drop(bytes.remove(at)),
            _ => {
                let to = (at + 1 + dice.roll(9)).min(bytes.len());
                bytes[at..to].fill(0xff);
            }
        }
    }
    bytes
}

/// Verifies and now and then restores what `spoil` makes of objects.
async fn spoil(
    forgery: &Forgery,
    names: &[String],
    times: usize,
    spoil: impl Fn(&[u8], &mut Dice) -> Vec<u8>,
) {
    let target = database().await;
    let mut dice = Dice(97);
    let (mut found, mut restored) = (0, 0);
    for turn in 0..times {
        let name = &names[dice.roll(names.len())];
        let whole = forgery.read(name);
        let bytes = spoil(&whole, &mut dice);
        forgery.forge(name, &bytes);
        let what = format!("turn {turn} of {name}");
        found += usize::from(forgery.verify().unwrap_or_else(|e| panic!("{what}: {e:?}")) > 0);
        if turn % 10 == 0 {
            restored += 1;
            if let Err(error) = forgery.restore(&target).await {
                assert_clear(&what, &error);
            }
        }
        forgery.forge(name, &whole);
    }
    println!("{times} forged, {found} found, {restored} restored");
    assert!(found > times / 2, "{found} of {times}");
    assert_memory();
    assert_eq!(forgery.verify().unwrap(), 0);
}

#[tokio::test]
async fn forged_parquet_ends_in_a_clear_error() {
    let db = small().await;
    let forgery = Forgery::of(&db, DataFormat::Parquet).await;
    let names = forgery.rows(&[".parquet", ".exact"]);
    assert!(names.iter().any(|name| name.ends_with(".exact")));
    spoil(&forgery, &names, sampled(200, 4000), scramble).await;
}

#[tokio::test]
async fn forged_frames_end_in_a_clear_error() {
    let db = small().await;
    let forgery = Forgery::of(&db, DataFormat::Pgcopy).await;
    let names = forgery.rows(&[".zst"]);
    spoil(&forgery, &names, sampled(60, 1000), scramble).await;
    let within = |bytes: &[u8], dice: &mut Dice| {
        let frames = zstd::decode_all(bytes).unwrap();
        zstd::encode_all(&scramble(&frames, dice)[..], 1).unwrap()
    };
    spoil(&forgery, &names, sampled(60, 1000), within).await;
}
