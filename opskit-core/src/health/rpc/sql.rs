//! The statements, from quoted names and literals only.

use super::settings::{Counts, RpcSettings};
use crate::name::{QualifiedName, quote_ident, quote_literal};

/// What marks the function as ours, and of which version. A function of that name without it is somebody else's.
pub(super) const MARK: &str = "opskit health_check, version 1";

/// Statements that install the function for `callers`, or bring it up to date; one transaction.
///
/// ```
/// use opskit_core::health::rpc::{RpcSettings, install_sql};
/// let sql = install_sql(&RpcSettings::default());
/// assert!(sql.contains("create or replace function public.health_check()"));
/// ```
#[must_use]
pub fn install_sql(settings: &RpcSettings) -> String {
    let callers = list(settings.callers.iter().map(|role| quote_ident(role)));
    let to = |sql: &str| match callers.is_empty() {
        true => String::new(),
        false => format!("{sql} {callers};\n"),
    };
    let parts = [
        "begin;\n".to_owned(),
        KEPT.to_owned(),
        to("grant usage on schema opskit_health to"),
        // What default privileges gave.
        to("revoke all on opskit_health.published from"),
        to("grant select on opskit_health.published to"),
        policy(&callers),
        refresh_function(settings),
        to("revoke all on function opskit_health.refresh() from"),
        check_function(settings),
        "revoke all on function public.health_check() from public;\n".to_owned(),
        to("grant execute on function public.health_check() to"),
        // PostgREST learns of new functions.
        "notify pgrst, 'reload schema';\ncommit;\n".to_owned(),
    ];
    parts.concat()
}

/// Statements that take everything away again; one transaction.
#[must_use]
pub fn uninstall_sql() -> String {
    // What others keep in our schema stops it.
    "begin;
drop function if exists public.health_check();
drop function if exists opskit_health.refresh();
drop table if exists opskit_health.published;
drop schema if exists opskit_health;
notify pgrst, 'reload schema';
commit;
"
    .to_owned()
}

/// One row at most, which callers may read and nobody but its owner may write.
const KEPT: &str = "\
create schema if not exists opskit_health;
revoke all on schema opskit_health from public;
create table if not exists opskit_health.published (
  only_row boolean primary key default true check (only_row),
  taken_at timestamptz not null,
  problems jsonb not null,
  body jsonb not null
);
alter table opskit_health.published enable row level security;
revoke all on opskit_health.published from public;
";

fn policy(callers: &str) -> String {
    let drop = "drop policy if exists callers_read on opskit_health.published;\n";
    match callers.is_empty() {
        true => drop.to_owned(),
        false => format!(
            "{drop}create policy callers_read on opskit_health.published for select to {callers} using (true);\n"
        ),
    }
}

/// A table that is gone is a problem of the answer, and no error of the refresh.
fn refresh_function(settings: &RpcSettings) -> String {
    let mut steps = String::new();
    for table in &settings.tables {
        steps.push_str(&count_step(table, settings.counts));
    }
    for latest in &settings.latest {
        let sql = format!(
            "select pg_catalog.to_jsonb(max({})) from {}",
            quote_ident(&latest.column),
            latest.table.to_sql()
        );
        steps.push_str(&step(&latest.key, &latest.table, &sql));
    }
    let counts = match settings.counts {
        Counts::Withheld => "withheld",
        Counts::Estimated => "estimated",
        Counts::Exact => "exact",
    };
    let body = format!(
        "
declare
  found_value jsonb;
  body jsonb := pg_catalog.jsonb_build_object('counts', {});
  problems jsonb := '[]';
begin
{steps}  insert into opskit_health.published (taken_at, problems, body) values (pg_catalog.now(), problems, body)
    on conflict (only_row) do update
    set taken_at = excluded.taken_at, problems = excluded.problems, body = excluded.body;
  return pg_catalog.jsonb_build_object('problems', problems, 'database', body);
end
",
        quote_literal(counts)
    );
    format!(
        "create or replace function opskit_health.refresh() returns jsonb
language plpgsql volatile security invoker set search_path = '' as {};
revoke all on function opskit_health.refresh() from public;
",
        dollar_quoted(&body)
    )
}

fn count_step(table: &QualifiedName, counts: Counts) -> String {
    let sql = match counts {
        Counts::Withheld => return String::new(),
        Counts::Exact => format!(
            "select pg_catalog.to_jsonb(pg_catalog.count(*)) from {}",
            table.to_sql()
        ),
        // A table that was never analysed has -1 rows, or 0 before 14: both say nothing.
        Counts::Estimated => format!(
            "select pg_catalog.to_jsonb(nullif(greatest(c.reltuples, 0), 0)::pg_catalog.int8) \
             from pg_catalog.pg_class c where c.oid = {}::pg_catalog.regclass",
            quote_literal(&table.to_sql())
        ),
    };
    step(&table.name, table, &sql)
}

/// Asks for a value, in a block of its own: what cannot be read is named, and the rest is told all the same. The text
/// is executed as such, so that a table that is gone does not keep the function from being made.
fn step(key: &str, table: &QualifiedName, sql: &str) -> String {
    let (key, sql) = (quote_literal(key), quote_literal(sql));
    let problem = quote_literal(&format!("cannot read {table}"));
    format!(
        "  begin
    execute {sql} into found_value;
    body := body || pg_catalog.jsonb_build_object({key}, found_value);
  exception when others then
    problems := problems || pg_catalog.to_jsonb({problem}::pg_catalog.text);
  end;
"
    )
}

/// `STABLE`, so that PostgREST lets it be called by GET, in a transaction that only reads.
fn check_function(settings: &RpcSettings) -> String {
    let (schemas, callers) = (array(&settings.schemas), array(&settings.callers));
    let open = settings.open.iter().map(|one| {
        format!(
            " and not (n.nspname = {} and c.relname = {})",
            quote_literal(&one.schema),
            quote_literal(&one.name)
        )
    });
    let open = open.collect::<String>();
    let body = format!(
        "
declare
  kept record;
  rls jsonb;
  age_seconds pg_catalog.int8;
  status pg_catalog.text := 'ok';
  reasons jsonb := '[]';
begin
  select p.taken_at, p.problems, p.body into kept from opskit_health.published p;
  age_seconds := extract(epoch from pg_catalog.now() - kept.taken_at);
  {rls}
  if (rls ->> 'policies')::pg_catalog.int8 = 0 then
    status := 'error'; reasons := reasons || '[\"no_policies\"]'::pg_catalog.jsonb;
  end if;
  if (rls ->> 'exposed')::pg_catalog.int8 > 0 then
    status := 'error'; reasons := reasons || '[\"exposed_tables\"]'::pg_catalog.jsonb;
  end if;{stale}
  if status = 'error' then
    perform pg_catalog.set_config('response.status', '503', true);
  end if;
  perform pg_catalog.set_config('response.headers', '[{{\"Cache-Control\": \"no-store\"}}]', true);
  return pg_catalog.jsonb_build_object(
    'status', status,
    'reasons', reasons,
    'time', pg_catalog.now(),
    'app', pg_catalog.jsonb_build_object({app}),
    'database', pg_catalog.jsonb_build_object(
      'version', pg_catalog.current_setting('server_version'),
      'in_recovery', pg_catalog.pg_is_in_recovery(),
      'as_of', kept.taken_at,
      'age_seconds', age_seconds
    ) || coalesce(kept.body, '{{}}'),
    'rls', rls
  );
end
",
        rls = rls_query(&schemas, &callers, &open),
        app = app(settings),
        stale = stale(settings),
    );
    format!(
        "create or replace function public.health_check() returns jsonb
language plpgsql stable security invoker set search_path = '' as {};
comment on function public.health_check() is {};
",
        dollar_quoted(&body),
        quote_literal(MARK),
    )
}

/// What is told of the service, as pairs.
fn app(settings: &RpcSettings) -> String {
    let mut app = vec!["'status', 'ok'".to_owned()];
    for (key, value) in [
        ("service", &settings.service),
        ("release", &settings.release),
    ] {
        if let Some(value) = value {
            app.push(format!("{}, {}", quote_literal(key), quote_literal(value)));
        }
    }
    app.join(", ")
}

/// What is wrong with the numbers that are kept, where some are.
fn stale(settings: &RpcSettings) -> String {
    match settings.keeps() {
        true => format!(
            "
  if kept.taken_at is null then
    status := 'error'; reasons := reasons || '[\"never_refreshed\"]'::pg_catalog.jsonb;
  elsif pg_catalog.jsonb_array_length(kept.problems) > 0 then
    status := 'error'; reasons := reasons || '[\"refresh_failed\"]'::pg_catalog.jsonb;
  elsif age_seconds > {} then
    status := case status when 'ok' then 'warn' else status end;
    reasons := reasons || '[\"stale\"]'::pg_catalog.jsonb;
  end if;",
            settings.max_age.as_secs()
        ),
        false => String::new(),
    }
}

/// Policies, and what callers reach with no policy in between: tables without row-level security, and materialised
/// views and foreign tables, which have none.
fn rls_query(schemas: &str, callers: &str, open: &str) -> String {
    format!(
        "select pg_catalog.jsonb_build_object(
      'policies', (
        select pg_catalog.count(*) from pg_catalog.pg_policy pol
        join pg_catalog.pg_class pc on pc.oid = pol.polrelid
        join pg_catalog.pg_namespace pn on pn.oid = pc.relnamespace
        where pn.nspname = any ({schemas})),
      'tables', pg_catalog.count(*) filter (where c.relkind in ('r', 'p')),
      'with_rls', pg_catalog.count(*) filter (where c.relrowsecurity),
      'exposed', pg_catalog.count(*) filter (where not c.relrowsecurity{open}
        and exists (
          select from pg_catalog.pg_roles r
          where r.rolname = any ({callers}) and not r.rolbypassrls and not r.rolsuper
          and pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
          and (pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
            or pg_catalog.has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE')))))
    into rls
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = any ({schemas}) and c.relkind in ('r', 'p', 'm', 'f');"
    )
}

fn array<T: AsRef<str>>(items: &[T]) -> String {
    let items = items.iter().map(|item| quote_literal(item.as_ref()));
    format!("array[{}]::pg_catalog.text[]", list(items))
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// A text as it stands, between marks that it does not have itself.
fn dollar_quoted(text: &str) -> String {
    let marks = (0..).map(|number| match number {
        0 => "$opskit$".to_owned(),
        number => format!("$opskit{number}$"),
    });
    let mut marks = marks.filter(|mark| !text.contains(mark));
    let mark = marks.next().unwrap_or_default();
    format!("{mark}{text}{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_ends_the_text_of_a_function() {
        let settings = RpcSettings {
            release: Some("it's $opskit$; drop table t; --".to_owned()),
            ..RpcSettings::default()
        };
        let sql = install_sql(&settings);
        assert!(sql.contains("$opskit1$"));
        assert!(sql.contains("'it''s $opskit$; drop table t; --'"));
    }
}
