//! Sequences.

use super::assert_round_trip;
use opskit_tests::database;

#[tokio::test]
async fn sequences_with_every_option() {
    assert_round_trip(
        "create sequence plain;
         create sequence small as smallint;
         create sequence down increment -2 minvalue -100 maxvalue -1 start -5 cache 10 cycle;
         create sequence biggest minvalue -9223372036854775808 maxvalue 9223372036854775807 start 9223372036854775807;
         create table t (a int); create sequence owned owned by t.a;
         create table \"T 2\" (\"B c\" serial);",
    )
    .await;
    if database().await.version().await >= 150_000 {
        assert_round_trip("create unlogged sequence fast; create unlogged table t (a serial); alter sequence t_a_seq set logged").await;
    }
}
