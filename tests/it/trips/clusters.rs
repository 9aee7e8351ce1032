//! Trips of whole clusters: by a superuser who trusts the backup, by one who does not, by an owner.

use super::fixture::{Objects, make_objects, make_roles};
use super::judge::{Place, assert_same_cluster, assert_same_database};
use super::{Cluster, DATABASE, Trip, told};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{MissingRoles, RestoreRequest, SessionKind, Trust};

async fn two_clusters() -> (Cluster, Cluster) {
    tokio::join!(Cluster::start(None), Cluster::start(None))
}

fn place(cluster: &Cluster) -> Place<'_> {
    Place {
        cluster,
        database: DATABASE,
    }
}

/// Packs everything as a superuser, and unpacks it as `role`.
async fn travel(source: &Cluster, target: &Cluster, role: &str, request: RestoreRequest) {
    let trip = told(Trip::pack(&source.url("postgres"), BackupRequest::new()).await);
    let restore = told(trip.plan(&target.url(role), request.clone()).await);
    let session = match (role, request.trust) {
        ("postgres", Trust::Nobody) => SessionKind::TemporaryLogin,
        _ => SessionKind::Own,
    };
    assert_eq!(restore.plan().session, session);
    drop(restore);
    let report = told(trip.unpack(&target.url(role), request).await);
    assert!(
        report.is_same(),
        "{:#?}\n{:#?}",
        report.failures,
        report.differences
    );
    assert_same_database(place(source), place(target)).await;
}

/// Roles, settings and the database's own privileges come too.
#[tokio::test]
async fn every_class_comes_back_from_a_trusted_backup() {
    let (source, target) = two_clusters().await;
    make_roles(&source).await;
    make_objects(&source, Objects::Superusers).await;
    let request = RestoreRequest::default()
        .with_trust(Trust::Backup)
        .with_roles(MissingRoles::Create);
    travel(&source, &target, "postgres", request).await;
    assert_same_cluster(place(&source), place(&target));
}

#[tokio::test]
async fn what_owners_make_comes_back_from_anybodys_backup() {
    let (source, target) = two_clusters().await;
    make_roles(&source).await;
    make_objects(&source, Objects::Owners).await;
    make_roles(&target).await;
    let request = RestoreRequest::default().with_jobs(3);
    travel(&source, &target, "postgres", request).await;
}

#[tokio::test]
async fn what_an_owner_made_an_owner_restores() {
    let (source, target) = two_clusters().await;
    make_roles(&source).await;
    make_objects(&source, Objects::Owners).await;
    make_roles(&target).await;
    travel(&source, &target, "owner", RestoreRequest::default()).await;
}

#[tokio::test]
async fn the_sample_database_comes_back() {
    const SAMPLE: &str = include_str!("../../../opskit-cli/src/command/demo/sample.sql");
    let (source, target) = two_clusters().await;
    // A role's policies are in it, and the role is the demo's to make.
    let role = "create role shop_clerk";
    source.run("postgres", "postgres", role).await;
    source.run("postgres", DATABASE, SAMPLE).await;
    let request = RestoreRequest::default()
        .with_trust(Trust::Backup)
        .with_roles(MissingRoles::Create);
    travel(&source, &target, "postgres", request).await;
    assert_same_cluster(place(&source), place(&target));
}
