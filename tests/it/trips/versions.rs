//! From every major version to every newer one, and never back.

use super::fixture::{Objects, make_objects, make_roles};
use super::judge::{Place, assert_same_rows};
use super::{Cluster, DATABASE, Trip, told};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{RestoreRequest, Trust};
use std::path::PathBuf;

/// The variable with the directories of server programs, as a list like `PATH`.
const PROGRAMS: &str = "OPSKIT_PG_BINS";

#[tokio::test]
async fn older_to_newer_always_and_newer_to_older_never() {
    let Some(programs) = std::env::var_os(PROGRAMS) else {
        println!("skipped: {PROGRAMS} names no server programs; make test-matrix sets it");
        return;
    };
    let programs: Vec<PathBuf> = std::env::split_paths(&programs).collect();
    assert!(programs.len() > 1, "{PROGRAMS} names no two versions");
    let mut sources = Vec::new();
    for bin in &programs {
        let cluster = Cluster::start(Some(bin)).await;
        make_roles(&cluster).await;
        let owners = owned(&cluster).await;
        make_objects(&cluster, Objects::Superusers).await;
        let everything = told(Trip::pack(&cluster.url("postgres"), BackupRequest::new()).await);
        sources.push((cluster, everything, owners));
    }
    sources.sort_by_key(|(cluster, ..)| cluster.major());
    let mut wrong = Vec::new();
    for (source, everything, owners) in &sources {
        for (target, ..) in &sources {
            if source.major() > target.major() {
                refused(everything, source, target).await;
                continue;
            }
            let trusted = (everything, DATABASE, Trust::Backup);
            let strangers = (owners, OWNED, Trust::Nobody);
            for what in [trusted, strangers] {
                wrong.extend(carried(what, source, target).await.err());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The database with what owners make.
const OWNED: &str = "owned";

/// A backup of what owners make, in a database that makes room for everything then.
async fn owned(cluster: &Cluster) -> Trip {
    make_objects(cluster, Objects::Owners).await;
    let trip = told(Trip::pack(&cluster.url("postgres"), BackupRequest::new()).await);
    for sql in [
        format!("alter database {DATABASE} rename to {OWNED}"),
        format!("create database {DATABASE}"),
    ] {
        cluster.run("postgres", "postgres", &sql).await;
    }
    trip
}

async fn refused(trip: &Trip, source: &Cluster, target: &Cluster) {
    let url = target.url_of("postgres", "postgres");
    let error = trip.unpack(&url, RestoreRequest::default()).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let reason = format!(
        "the backup is of PostgreSQL {} and the target is {}",
        source.major(),
        target.major()
    );
    assert!(error.to_string().contains(&reason), "{error}");
}

/// Restores into a database of its own.
async fn carried(
    (trip, from, trust): (&Trip, &str, Trust),
    source: &Cluster,
    target: &Cluster,
) -> Result<(), String> {
    let way = format!("{from} from {} to {}", source.major(), target.major());
    let database = format!("{from}_from_{}", source.major());
    let create = format!("create database {database}");
    target.run("postgres", "postgres", &create).await;
    let request = RestoreRequest::default().with_trust(trust);
    let url = target.url_of("postgres", &database);
    let report = trip.unpack(&url, request).await;
    let report = report.map_err(|e| format!("{way}: {}", e.chain().join(": ")))?;
    if !report.is_same() {
        return Err(format!(
            "{way}: {:#?}\n{:#?}",
            report.failures, report.differences
        ));
    }
    println!("{way}: the same; {:?}", report.warnings);
    let place = |cluster, database| Place { cluster, database };
    assert_same_rows(place(source, from), place(target, &database)).await;
    Ok(())
}
