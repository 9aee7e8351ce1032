//! `vacuum.bloat`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "vacuum.bloat",
    about: "tables of 16 MB or more that are mostly empty space, by statistics that can be trusted",
    remedy: "Rewrite the table with pg_repack or VACUUM FULL, and let autovacuum run more often.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    // What the rows should take is their number by the width of their columns; all of it is as it was when the statistics
    // were taken. Where columns cannot be seen nothing is known; where much changed and autovacuum did not come, that is
    // what there is to say.
    sql: "\
with big as (select c.oid, c.relpages::numeric * current_setting('block_size')::int as bytes, c.reltuples::numeric as rows, \
coalesce((select option_value from pg_options_to_table(c.reloptions) where option_name = 'fillfactor')::numeric, 100) / 100 as fill, \
(select count(*) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns, \
coalesce(s.n_mod_since_analyze, 0) as changed, greatest(s.last_analyze, s.last_autoanalyze) as analysed \
from pg_class c join pg_namespace n on n.oid = c.relnamespace left join pg_stat_all_tables s on s.relid = c.oid \
where c.relkind in ('r', 'm') and c.relpages * current_setting('block_size')::bigint >= 16777216 and {user}), \
seen as (select b.*, count(t.attname) as known, coalesce(sum((1 - t.null_frac) * t.avg_width), 0)::numeric as width from big b \
join pg_class c on c.oid = b.oid join pg_namespace n on n.oid = c.relnamespace \
left join pg_stats t on t.schemaname = n.nspname and t.tablename = c.relname and not t.inherited \
group by b.oid, b.bytes, b.rows, b.fill, b.columns, b.changed, b.analysed), \
judged as (select *, 100 * (1 - rows * (width + 28) / fill / bytes) as wasted, \
changed > 0.2 * greatest(rows, 0) + 1000 and analysed < clock_timestamp() - greatest(3 * current_setting('autovacuum_naptime')::interval, interval '5 min') as stale from seen) \
select oid::regclass::text, case when known < columns and analysed is not null and not has_table_privilege(oid, 'SELECT') then 'unknown' \
when stale or known < columns then 'warn' when wasted >= 80 then 'fail' else 'warn' end, \
case when known < columns and analysed is not null and not has_table_privilege(oid, 'SELECT') \
then format('GRANT SELECT ON %s TO %I;', oid::regclass, current_user) \
when stale or known < columns then 'its statistics are too old to tell' \
else round(wasted) || ' % of ' || pg_size_pretty(bytes) || ' hold no rows' end \
from judged where known < columns or stale or wasted >= 50",
};
