//! Values that are no rows of tables, and rows of extensions.

use super::place;
use opskit_core::backup::BackupRequest;
use opskit_core::export::RowEncoder;
use opskit_core::name::QualifiedName;
use opskit_core::repository::Holds;
use std::collections::BTreeMap;

/// Fields of a row of `loid oid, page int4, data bytea` in the binary form of COPY.
fn pages(frames: &[u8]) -> BTreeMap<(u32, i32), Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut at = 19;
    let int = |at: usize| i32::from_be_bytes(frames[at..at + 4].try_into().unwrap());
    while frames[at..at + 2] == [0, 3] {
        let (loid, page, len) = (int(at + 6), int(at + 14), int(at + 18) as usize);
        let data = frames[at + 22..at + 22 + len].to_vec();
        assert_eq!(found.insert((loid as u32, page), data), None);
        at += 22 + len;
    }
    found
}

/// Objects of several pages, without bytes, with holes, and in several parts.
#[tokio::test]
async fn large_objects_come_out_exactly() {
    let (db, place) = (opskit_tests::database().await, place());
    db.psql(
        "select lo_from_bytea(100, (select string_agg(sha256(i::text::bytea), ''::bytea order by i) from generate_series(1, 20000) i)); \
         select lo_from_bytea(200, ''); select lo_from_bytea(4294967290, 'last'); \
         select lo_create(300); select lo_put(300, 500000, 'after a hole'); \
         select lo_from_bytea(0, convert_to('x' || i, 'UTF8')) from generate_series(1, 50) i;",
    )
    .await;
    let request = BackupRequest::new().with_part_bytes(100_000);
    place.back_up(&db, request).await.unwrap();
    let reader = place.latest();
    let contents = reader.contents().unwrap();
    let name = QualifiedName::new("pg_catalog", "pg_largeobject");
    let table = contents.table(&name).unwrap();
    let Holds::LargeObjects {
        objects,
        page_bytes,
    } = table.holds
    else {
        panic!("{:?}", table.holds)
    };
    assert_eq!(objects, 54);
    assert!(table.parts.len() > 1, "several parts");
    let mut stored: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    for part in &table.parts {
        let mut encoder = RowEncoder::new((*table.row_type).clone());
        let mut frames = Vec::new();
        encoder.start(&mut frames);
        for batch in reader.open_part(part).unwrap() {
            encoder.encode(&batch.unwrap(), &mut frames).unwrap();
        }
        encoder.end(&mut frames);
        for ((loid, page), data) in pages(&frames) {
            let object = stored.entry(loid).or_default();
            assert_eq!(object.len(), page as usize * page_bytes as usize);
            object.extend(data);
        }
    }
    let server = db
        .psql("select oid, encode(lo_get(oid), 'hex') from pg_largeobject_metadata order by oid")
        .await;
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|b| format!("{b:02x}")).collect() };
    let ours = stored
        .iter()
        .map(|(oid, bytes)| format!("{oid}|{}", hex(bytes)));
    assert!(ours.collect::<Vec<_>>().join("\n") == server);
}

/// What a known migration tool wrote down stands in the backup, and tags too.
#[tokio::test]
async fn the_migration_and_the_tags_are_told() {
    let (db, place) = (opskit_tests::database().await, place());
    db.psql(
        "create table schema_migrations (version text primary key); \
         insert into schema_migrations values ('20240101'), ('20240215140312');",
    )
    .await;
    let mut request = BackupRequest::new();
    request.tags.insert("release".into(), "1.2".into());
    place.back_up(&db, request).await.unwrap();
    let contents = place.latest().contents().unwrap();
    assert_eq!(contents.migration.unwrap().version, "20240215140312");
    assert_eq!(contents.tags["release"], "1.2");
    assert_eq!(
        place.repository.history().unwrap()[0]
            .migration_version
            .as_deref(),
        Some("20240215140312")
    );
}
