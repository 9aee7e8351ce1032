//! `sequences.exhaustion`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "sequences.exhaustion",
    about: "how much of a sequence is used up, in percent of what its column can hold",
    remedy: "Widen the column to bigint before it ends.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Number(
        Threshold {
            warn: 70.0,
            fail: 85.0,
        },
        "%",
        Reason::Privilege,
    ),
    sql: "\
with feeds as (select d.objid as seq, d.refobjid as rel, d.refobjsubid as att from pg_depend d join pg_class s on s.oid = d.objid and s.relkind = 'S' \
where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0 \
union select d.refobjid, a.adrelid, a.adnum from pg_attrdef a join pg_depend d on d.classid = 'pg_attrdef'::regclass and d.objid = a.oid \
and d.refclassid = 'pg_class'::regclass join pg_class s on s.oid = d.refobjid and s.relkind = 'S'), \
found as (select q.seqrelid, q.seqincrement, q.seqmin, has_sequence_privilege(q.seqrelid, 'USAGE, SELECT') as seen, s.last_value, q.seqstart, \
f.rel, a.attname, least(q.seqmax, case coalesce(nullif(t.typbasetype, 0), a.atttypid) \
when 'int2'::regtype then 32767 when 'int4'::regtype then 2147483647 else q.seqmax end) as top \
from pg_sequence q join pg_class c on c.oid = q.seqrelid join pg_namespace n on n.oid = c.relnamespace \
left join pg_sequences s on s.schemaname = n.nspname and s.sequencename = c.relname \
left join feeds f on f.seq = q.seqrelid left join pg_attribute a on a.attrelid = f.rel and a.attnum = f.att \
left join pg_type t on t.oid = a.atttypid where not q.seqcycle and q.seqincrement > 0 and c.relpersistence <> 't') \
select seqrelid::regclass::text, case when seen then (100.0 * (coalesce(last_value, seqstart)::numeric - least(seqmin, 0)) / greatest(top::numeric - least(seqmin, 0), 1))::text end, \
case when seen then coalesce('of ' || rel::regclass || '.' || quote_ident(attname), '') \
else format('GRANT SELECT ON SEQUENCE %s TO %I;', seqrelid::regclass, current_user) end \
from found where not seen or coalesce(last_value, seqstart) > 0.01 * top",
};
