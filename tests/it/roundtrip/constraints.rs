//! Constraints.

use super::assert_round_trip;
use opskit_tests::database;

#[tokio::test]
async fn constraints_of_every_kind() {
    assert_round_trip(
        "create table t (a int primary key, b int constraint \"b's\" unique, c int, d text, unique (b, c) deferrable,
             constraint \"two cols\" unique (c, d) include (b) with (fillfactor = 80), check (c > 0), constraint nope check (false) no inherit);
         alter table t add constraint later check (d <> 'x') not valid;
         create table r (a int references t, b int references t (b) on delete cascade on update set null deferrable initially deferred,
             c int, d text, foreign key (c, d) references t (c, d) match full, self int);
         alter table r add primary key (self); alter table r add foreign key (self) references r on delete set default;
         alter table r add constraint \"not yet\" foreign key (a) references t (a) not valid;
         create table x (a int4range, b box, c int, exclude using gist (a with &&) where (c > 0),
             constraint \"no touching\" exclude using gist (b with &&, a with =) with (fillfactor = 50) deferrable initially deferred);
         create table later (a int primary key deferrable initially deferred, b int unique deferrable);
             create table round1 (a int primary key, b int); create table round2 (a int primary key references round1, b int);
         alter table round1 add foreign key (b) references round2",
    )
    .await;
}

#[tokio::test]
async fn foreign_keys_of_partitioned_tables() {
    assert_round_trip(
        "create table target (a int primary key) partition by list (a); create table target1 partition of target for values in (1);
         create table p (a int, b int) partition by list (a); create table p1 partition of p for values in (1);
         create table p2 (b int, a int, constraint \"its own name\" foreign key (a) references target);
         alter table p add constraint pfk foreign key (a) references target on delete cascade;
         alter table p2 drop constraint \"its own name\", add constraint \"its own name\" foreign key (a) references target on delete cascade;
         alter table p attach partition p2 for values in (2);
         create table plain (a int references target)",
    )
    .await;
}

#[tokio::test]
async fn constraints_that_children_have_not_validated() {
    assert_round_trip(
        "create table p (a int); create table c () inherits (p); create table own (a int); alter table own inherit p;
         alter table own add constraint same check (a > 0) not valid; alter table p add constraint same check (a > 0) not valid;
         create table q (a int) partition by list (a); create table q1 partition of q for values in (1);
         alter table q add constraint waits check (a > 0) not valid; create table q2 partition of q for values in (2);
             alter table p add constraint early check (a > 1) not valid; create table young () inherits (p); alter table c validate constraint early",
    )
    .await;
}

#[tokio::test]
async fn constraints_of_newer_versions() {
    if database().await.version().await >= 180_000 {
        assert_round_trip(
            "create table t (a int4range, b int4range, constraint pk primary key (b, a without overlaps), unique (a, b without overlaps));
             create table r (x int4range, y int4range, foreign key (x, period y) references t (b, period a));
             create table tp (id int4range, at daterange, constraint tpk primary key (id, at without overlaps)) partition by list (id);
             create table tp1 partition of tp for values in ('[1,2)'); create table n (a int check (a > 0) not enforced, b int primary key, c int references n not enforced)",
        )
        .await;
    }
}
