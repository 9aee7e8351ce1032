//! Facts: equal where the same was made, different after every single change, and complete.

mod changes;
mod drift;
mod objects;

use opskit_core::catalog::Scope;
use opskit_core::catalog::diff::{Compared, FactsDiff};
use opskit_core::catalog::facts::{Facts, FactsOptions, catalogs_read, catalogs_skipped};
use opskit_core::context::OpContext;
use opskit_core::postgres::facts::read_facts;
use opskit_tests::export::parse;
use opskit_tests::{TestDb, database};
use std::collections::HashSet;

/// The facts of everything in a database.
async fn facts(db: &TestDb) -> Facts {
    read(&db.url(), FactsOptions::new(Scope::default())).await
}

/// The facts of a database, to be compared with others.
async fn facts_like(db: &TestDb, other: &Facts) -> Facts {
    read(&db.url(), FactsOptions::like(other)).await
}

async fn read(url: &str, options: FactsOptions) -> Facts {
    let facts = read_facts(&OpContext::default(), &parse(url), options).await;
    facts.unwrap()
}

/// The server's version, as a number.
async fn version(db: &TestDb) -> u32 {
    db.psql("show server_version_num").await.parse().unwrap()
}

#[tokio::test]
async fn every_catalog_is_walked_or_named_with_a_reason() {
    let db = database().await;
    let all = db
        .psql("select relname from pg_class where relnamespace = 11 and relkind = 'r'")
        .await;
    let mut known: HashSet<&str> = catalogs_read().into_iter().collect();
    for (catalog, reason) in catalogs_skipped() {
        assert!(!reason.is_empty() && known.insert(catalog), "{catalog}");
    }
    let unknown: Vec<&str> = all.lines().filter(|name| !known.contains(name)).collect();
    assert_eq!(unknown, [""; 0]);
}

#[tokio::test]
async fn no_number_of_an_object_is_a_fact() {
    let db = database().await;
    db.psql(&objects::sql(version(&db).await)).await;
    let facts = facts(&db).await;
    // What is written as a number is what no name was found for.
    for fact in facts.objects.iter().chain(&facts.cluster) {
        assert!(!fact.object.contains('#'), "{fact:?}");
        assert!(
            !fact
                .attributes
                .iter()
                .any(|(_, value)| value.starts_with('#')),
            "{fact:?}"
        );
        assert!(!fact.object.contains("without a name"), "{fact:?}");
    }
    // Columns that hold OIDs, as the server says, are all known to.
    if version(&db).await >= 140_000 {
        let referring = db
            .psql("select fktable::regclass || '.' || unnest(fkcols) from pg_get_catalog_foreign_keys() where not pktable = 'pg_attribute'::regclass")
            .await;
        for fact in &facts.objects {
            for (name, value) in fact.attributes.iter() {
                let column = format!("{}.{name}", fact.catalog);
                let is_number = value.parse::<u32>().is_ok();
                assert!(
                    !(is_number && referring.lines().any(|line| line == column)),
                    "{column}: {value}"
                );
            }
        }
    }
}

#[tokio::test]
async fn expressions_are_the_servers_text() {
    let db = database().await;
    db.psql(&objects::sql(version(&db).await)).await;
    for fact in &facts(&db).await.objects {
        for (name, value) in fact.attributes.iter() {
            assert!(
                !value.starts_with("({") && !value.starts_with("{OPEXPR"),
                "{fact:?}: {name}"
            );
        }
    }
}

#[tokio::test]
async fn the_same_made_twice_has_the_same_facts() {
    let (one, two) = (database().await, database().await);
    let sql = objects::sql(version(&one).await);
    // OIDs and numbers of columns go other ways, and end at the same.
    two.psql("create table dummy (a text, b int[]); create type dummy_type as enum ('a'); drop table dummy; drop type dummy_type")
        .await;
    one.psql(&sql).await;
    two.psql(&sql).await;
    two.psql("alter table shop.customer add gone int; alter table shop.customer drop gone; analyze; reindex table shop.orders")
        .await;
    two.psql("vacuum full shop.orders").await;
    let a = facts(&one).await;
    let b = facts_like(&two, &a).await;
    // Roles are shared with tests that run beside this one, so the cluster is not compared.
    let diff = FactsDiff::between(&a, &b, Compared::Objects);
    assert!(diff.is_empty(), "{diff}");
    assert_eq!(a.digest(), b.digest());
    assert!(a.objects.len() > 150, "{}", a.objects.len());
    let stored = Facts::from_json(a.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(stored, a);
}

/// A restore makes a partition's key first and attaches it then, as `pg_dump` does.
#[tokio::test]
async fn a_key_of_a_partition_is_the_same_however_it_came() {
    let (one, two) = (database().await, database().await);
    let parent = "create table r (id int not null, constraint r_pkey primary key (id)) partition by range (id); ";
    one.psql(&format!(
        "{parent} create table r1 partition of r for values from (0) to (10)"
    ))
    .await;
    // From 18 on that is a constraint, whose name a dump tells too.
    let named = match version(&two).await >= 180_000 {
        true => "constraint r_id_not_null",
        false => "",
    };
    two.psql(&format!(
        "{parent} create table r1 (id int {named} not null, constraint r1_pkey primary key (id)); \
         alter table r attach partition r1 for values from (0) to (10)"
    ))
    .await;
    let a = facts(&one).await;
    let diff = FactsDiff::between(&a, &facts_like(&two, &a).await, Compared::Objects);
    assert!(diff.is_empty(), "{diff}");
}

#[tokio::test]
async fn a_fact_is_told_by_its_key() {
    let db = database().await;
    db.psql(&objects::sql(version(&db).await)).await;
    let facts = facts(&db).await;
    let mut seen = HashSet::new();
    for fact in facts.objects.iter().chain(&facts.cluster) {
        let key = (&fact.object, &fact.catalog, &fact.part);
        assert!(seen.insert(key), "twice: {key:?}");
        assert!(fact.about.is_some(), "about nothing: {key:?}");
    }
}

#[tokio::test]
async fn secrets_are_digests_that_compare_under_one_salt() {
    let db = database().await;
    db.psql("create foreign data wrapper w; create server s foreign data wrapper w options (host 'example.org', api_key 'geheim-1'); \
             create user mapping for current_user server s options (user 'ann', password 'geheim-2'); \
             create function f() returns int language sql set app.jwt_secret = 'geheim-3' as 'select 1'")
        .await;
    let a = facts(&db).await;
    let text = a.to_json().unwrap();
    assert!(!text.contains("geheim"), "{text}");
    assert!(text.contains("example.org"), "{text}");
    assert_eq!(a.digest(), facts_like(&db, &a).await.digest());
    let unrelated = facts(&db).await;
    assert_ne!(a.salt, unrelated.salt);
    let diff = FactsDiff::between(&a, &unrelated, Compared::Objects);
    assert!(diff.objects.is_empty() && diff.unknown.len() == 3, "{diff}");
    db.psql("alter user mapping for current_user server s options (set password 'geheim-4')")
        .await;
    let diff = FactsDiff::between(&a, &facts_like(&db, &a).await, Compared::Objects);
    assert_eq!(diff.objects.len(), 1, "{diff}");
}

#[tokio::test]
async fn a_role_without_rights_reads_what_it_may_and_says_what_it_may_not() {
    let db = database().await;
    let role = format!("{}_plain", db.name());
    db.psql(&objects::sql(version(&db).await)).await;
    db.psql(&format!("create role {role} login")).await;
    let (url, all) = (db.url_for(&role), facts(&db).await);
    let facts = read(&url, FactsOptions::like(&all)).await;
    db.psql(&format!("drop role {role}")).await;
    let diff = FactsDiff::between(&all, &facts, Compared::Objects);
    let hidden: Vec<&str> = diff.objects.iter().map(|diff| &*diff.object).collect();
    assert_eq!(hidden, ["user mapping for postgres on s"], "{diff}");
    assert_eq!(
        diff.objects[0].rows[0].attributes[0].to.as_deref(),
        Some("unreadable")
    );
}

#[tokio::test]
async fn extensions_and_platforms_are_not_the_users() {
    let db = database().await;
    let role = format!("supabase_{}", db.name());
    db.psql(&format!(
        "create role {role}; create schema auth authorization {role}; create table auth.users (id int); \
         create schema mine; create table mine.t (id int); \
         alter default privileges for role {role} in schema mine grant select on tables to public; \
         revoke execute on function pg_catalog.pg_sleep(float8) from public"
    ))
    .await;
    let facts = facts(&db).await;
    db.psql(&format!("drop owned by {role} cascade; drop role {role}"))
        .await;
    assert_eq!(facts.outside, ["auth"]);
    let objects: HashSet<&str> = facts.objects.iter().map(|fact| &*fact.object).collect();
    let mut objects: Vec<&str> = objects.into_iter().collect();
    objects.sort_unstable();
    let wanted = [
        "extension plpgsql",
        "function pg_catalog.pg_sleep(pg_catalog.float8)",
        "schema mine",
        "schema public",
        "table mine.t",
    ];
    assert_eq!(objects, wanted);
    let ignoring = FactsOptions::new(Scope::default().ignoring(["mine"]));
    let facts = read(&db.url(), ignoring).await;
    assert!(facts.outside.contains(&"mine".to_owned()));
    assert!(
        !facts
            .objects
            .iter()
            .any(|fact| fact.object.contains("mine"))
    );
}

/// A restore makes a role for as long as it runs, and every backup beside it would tell another cluster.
#[tokio::test]
async fn roles_of_restores_that_run_are_nobodys() {
    let db = database().await;
    let role = format!("opskit_restore_0_{}", db.name());
    let group = format!("{}_group", db.name());
    db.psql(&format!(
        "create role {group}; create role {role}; comment on role {role} is 'x'; grant {group} to {role}; \
         alter role {role} set work_mem = '7MB'"
    ))
    .await;
    let found = facts(&db).await;
    db.psql(&format!("drop role {role}; drop role {group}"))
        .await;
    let of = |name: &str| {
        let mut facts = found.cluster.iter();
        facts.any(|fact| fact.object.contains(name))
    };
    assert!(of(&group));
    assert!(!of(&role), "{:#?}", found.cluster);
}
