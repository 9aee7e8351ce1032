//! Views, triggers, policies, publications, foreign objects; owners, privileges, comments.

mod cluster;
mod code;
mod foreign;
mod privileges;

use super::assert_carried;
use opskit_tests::{TestDb, database};

/// What stands for a prefix that keeps the roles of one test apart from those of others.
const ROLE: &str = "ROLE";

/// Carries what `before` and `sql` make into an empty database, and compares. In both texts `ROLE` stands
/// for the roles of this test.
async fn assert_carried_with(roles: &[&str], before: &str, sql: &str) -> (TestDb, TestDb) {
    let (source, target) = (database().await, database().await);
    let with_roles = |text: &str| text.replace(ROLE, source.name());
    for role in roles {
        source
            .psql(&with_roles(&format!("create role \"{role}\"")))
            .await;
    }
    source.psql(&with_roles(before)).await;
    source.psql(&with_roles(sql)).await;
    assert_carried(&source, &target).await;
    (source, target)
}

async fn major(db: &TestDb) -> u32 {
    let number: u32 = db.psql("show server_version_num").await.parse().unwrap();
    number / 10_000
}
