//! What comes back from Parquet and side file is what the server sent, bit for bit; and what the main
//! column shows is what the server means.

mod meaning;
mod text;

use opskit_core::postgres::export::ExportRequest;
use opskit_tests::database;
use opskit_tests::export::{assert_same_frames, copy, export_parquet, frames, parts};
use opskit_tests::matrix::{Matrix, Read};

#[tokio::test]
async fn exactness_of_every_type() {
    let db = database().await;
    let matrix = Matrix::make(&db).await;
    for skipped in &matrix.skipped {
        println!("skipped {skipped}");
    }
    println!(
        "{} types, {} skipped",
        matrix.cases.len(),
        matrix.skipped.len()
    );
    assert!(matrix.cases.len() > 75, "only {} types", matrix.cases.len());
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let request = ExportRequest::tables(["public.m_*"]).unwrap();
    let report = export_parquet(&db.url(), request, &target).await.unwrap();
    assert_eq!(report.tables.len(), matrix.cases.len());
    let (mut values, mut misfits, mut wrong) = (0, 0, Vec::new());
    for case in &matrix.cases {
        let name = case.table();
        let (row_type, ours) = frames(&target.join(format!("public.{name}")));
        let as_text = row_type.columns[1..].iter().all(|column| column.as_text);
        assert_eq!(
            as_text,
            case.read == Read::AsText,
            "{}: {:?}",
            case.sql,
            row_type.columns[1].node
        );
        let sql = format!(
            "copy (select {} from public.{name} order by ctid) to stdout (format binary)",
            row_type.select_list()
        );
        let servers = copy(&db.url(), "UTF8", &sql).await;
        let what = case.sql.to_owned();
        if let Err(panic) = std::panic::catch_unwind(|| assert_same_frames(&what, &ours, &servers))
        {
            wrong.push(*panic.downcast::<String>().unwrap());
        }
        let table = report
            .tables
            .iter()
            .find(|table| table.table.name == name)
            .unwrap();
        values += table.rows;
        misfits += table.misfits;
    }
    println!("{values} rows, {misfits} values in side files");
    assert!(
        wrong.is_empty(),
        "{} types differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(misfits > 100, "the side files are hardly used");
}

/// Many rows with many types, cut into parts and batches everywhere.
#[tokio::test]
async fn exactness_across_parts_and_batches() {
    let db = database().await;
    db.psql(
        "create type pair as (a int, b text); \
         create table big as select i as id, (i * 7919 % 100000) / 100.0 as n, ((i % 1000)::numeric / 10)::numeric(9,2) as d, \
           case when i % 10 = 0 then null else repeat(chr(65 + i % 26), i % 50) end as t, \
           case when i % 97 = 0 then 'infinity' else timestamp '2000-01-01' + i * interval '1 hour' end as ts, \
           case i % 5 when 0 then array[[i,2],[3,4]] when 1 then null when 2 then '{}' else array[i, null, 3] end as a, \
           row(i, 'x' || i)::pair as p, array[row(i, null)::pair, null] as ps, int4range(i, i + 5) as r, \
           case when i % 89 = 0 then 'NaN' else i::numeric(12,2) end::numeric(12,2) as m \
         from generate_series(1, 60000) i",
    )
    .await;
    let place = tempfile::tempdir().unwrap();
    let mut fingerprints = Vec::new();
    for (name, part_bytes, batch, jobs) in [
        ("a", 1 << 20, (1000, 1 << 20), 3),
        ("b", 300 << 10, (17, 1 << 20), 1),
        ("c", 1 << 40, (65_536, 1), 2),
    ] {
        let target = place.path().join(name);
        let request = ExportRequest::tables(["big"])
            .unwrap()
            .with_part_bytes(part_bytes)
            .with_batch(batch.0, batch.1)
            .with_jobs(jobs);
        let report = export_parquet(&db.url(), request, &target).await.unwrap();
        assert_eq!(report.rows, 60_000);
        let folder = target.join("public.big");
        assert_eq!(
            parts(&folder).len() > 5,
            db.has_parts().await && name != "c",
            "{name}: {}",
            parts(&folder).len()
        );
        let (row_type, ours) = frames(&folder);
        let sql = format!(
            "copy (select {} from public.big order by ctid) to stdout (format binary)",
            row_type.select_list()
        );
        assert_same_frames(name, &ours, &copy(&db.url(), "UTF8", &sql).await);
        fingerprints.push(report.tables[0].fingerprint.unwrap());
    }
    assert!(
        fingerprints
            .iter()
            .all(|fingerprint| *fingerprint == fingerprints[0]),
        "{fingerprints:?}"
    );
}
