//! Code in a backup that tries for more rights than its author has.

use super::{Stored, assert_no_login_is_left, restore};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{OnError, RestoreRequest};
use opskit_tests::database;
use opskit_tests::export::wire;

/// What code of a backup tries, whenever it runs: become somebody, make itself a superuser, run a program.
/// Each way that is refused leaves no trace, and one that is not leaves its mark.
const TRY: &str = "create function public.attempt() returns int language plpgsql volatile as $f$ \
    declare way text; begin \
      foreach way in array array['reset role', 'reset session authorization', 'set role postgres', 'set session authorization postgres', \
          'alter role VICTIM superuser', 'create role MARK_made superuser', 'copy (select 1) to program ''touch MARKFILE''', \
          'copy (select 1) to ''MARKFILE''', 'alter system set work_mem = ''1MB'''] loop \
        begin execute way; exception when others then null; end; \
      end loop; \
      if (select rolsuper from pg_roles where rolname = current_user) then execute 'create role MARK_super'; end if; \
      return 1; end $f$; \
    create function public.quiet() returns int language sql immutable as 'select public.attempt()'; \
    create function public.fires() returns trigger language plpgsql as $f$ begin perform public.attempt(); return new; end $f$; ";

const TRAPS: &str = "create table public.victim (a int, b int default public.attempt(), g int generated always as (public.quiet()) stored, check (public.quiet() = 1)); \
    insert into public.victim (a) values (1), (2); \
    create index on public.victim ((a + public.quiet())); \
    create materialized view public.mine as select public.attempt() as x from public.victim; \
    create view public.seen as select public.attempt() as x; \
    create trigger trap before insert on public.victim for each row execute function public.fires(); ";

#[tokio::test]
async fn nothing_is_gained_in_a_restore_by_a_superuser() {
    let (source, target) = (database().await, database().await);
    let place = tempfile::tempdir().unwrap();
    let mark = source.name();
    let file = place.path().join("mark");
    let spelled = |sql: &str| {
        sql.replace("MARKFILE", &file.display().to_string())
            .replace("MARK", mark)
            .replace("VICTIM", &format!("{mark}_victim"))
    };
    // The author of the backup is nobody, so that the traps do nothing where they are made.
    source
        .psql(&format!(
            "create role {mark}_victim login; grant create on schema public to {mark}_victim"
        ))
        .await;
    let mut author = wire(&source.url_for(&format!("{mark}_victim"))).await;
    let traps = format!("{} {}", spelled(TRY), spelled(TRAPS));
    author.execute(&traps).await.unwrap();
    let url = source.url_for(&format!("{mark}_victim"));
    let stored = Stored::of(&source, &url, BackupRequest::new()).await;
    let request = RestoreRequest::default().with_on_error(OnError::KeepGoing);
    let report = restore(&stored, &target.url(), request).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    assert!(report.failures.is_empty(), "{:#?}", report.failures);
    assert_eq!(report.rows, 2);
    assert!(!file.exists(), "a program was run");
    let made =
        format!("select count(*) from pg_roles where rolname in ('{mark}_made', '{mark}_super')");
    assert_eq!(target.psql(&made).await, "0");
    let victim = format!("select rolsuper from pg_roles where rolname = '{mark}_victim'");
    assert_eq!(target.psql(&victim).await, "f");
    assert_no_login_is_left(&target).await;
}
