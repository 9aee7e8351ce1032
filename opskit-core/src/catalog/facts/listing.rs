//! The SQL that lists all objects with what their names are made of.

use crate::catalog::scope::Scope;

/// The statements that list all objects, in one text: what is needed to name others stands first.
pub(super) fn sql(scope: &Scope, server_version: u32) -> String {
    let mut all = vec![
        "select 'member', d.classid, d.objid from pg_catalog.pg_depend d where d.deptype = 'e'"
            .to_owned(),
        format!(
            "select 'role', r.oid, r.rolname, not {} from pg_catalog.pg_roles r",
            scope.owner_condition("r.oid")
        ),
        format!(
            "select 'schema', n.oid, n.nspname, {}, n.nspowner from pg_catalog.pg_namespace n order by n.nspname",
            scope.condition("n")
        ),
    ];
    let since = |version, then, otherwise| {
        if server_version >= version {
            then
        } else {
            otherwise
        }
    };
    let multirange = since(140_000, "x.oid = g.rngmultitypid", "false");
    all.extend(OBJECTS.iter().map(|(class, columns, from)| {
        let from = from.replace("{multirange}", multirange);
        format!("select 'object', {class}, {columns} from {from}")
    }));
    all.push(since(140_000, SUBSCRIPTIONS, SUBSCRIPTIONS_13).to_owned());
    if server_version >= 150_000 {
        all.push("select 'object', 6243, x.oid, null, null, x.parname from pg_catalog.pg_parameter_acl x".to_owned());
    }
    all.join(";\n")
}

/// The columns of each relation in order of their numbers, with NULL for those that were dropped.
pub(super) const COLUMNS: &str = "select 'columns', k.attrelid, pg_catalog.json_agg(k.name) from ( \
    select a.attrelid, case when not a.attisdropped then a.attname end as name from pg_catalog.pg_attribute a \
    join pg_catalog.pg_class c on c.oid = a.attrelid where a.attnum > 0 \
    and c.relkind in ('r', 'p', 'f', 'v', 'm', 'c') and a.attrelid >= 16384 order by a.attrelid, a.attnum) k group by k.attrelid";

const SUBSCRIPTIONS: &str = "select 'object', 6100, x.oid, null, x.subowner, x.subname from pg_catalog.pg_subscription x \
    join pg_catalog.pg_database d on d.oid = x.subdbid and d.datname = pg_catalog.current_database()";

/// Only superusers may read the OIDs there; a view gives them to everyone.
const SUBSCRIPTIONS_13: &str = "select 'object', 6100, v.subid, null, x.subowner, x.subname from pg_catalog.pg_subscription x \
    join pg_catalog.pg_database d on d.oid = x.subdbid and d.datname = pg_catalog.current_database() \
    join pg_catalog.pg_stat_subscription v on v.subname = x.subname and v.relid is null";

/// Class; OID, schema, owner, name, and more; where from. In an order in which each finds what it is
/// named by.
#[rustfmt::skip] // a table
const OBJECTS: &[(u32, &str, &str)] = &[
    (2601, "x.oid, null, null, x.amname", "pg_catalog.pg_am x"),
    (1213, "x.oid, null, x.spcowner, x.spcname", "pg_catalog.pg_tablespace x"),
    (1262, "x.oid, null, x.datdba, x.datname", "pg_catalog.pg_database x where x.datname = pg_catalog.current_database()"),
    (2612, "x.oid, null, x.lanowner, x.lanname", "pg_catalog.pg_language x"),
    (3079, "x.oid, null, x.extowner, x.extname", "pg_catalog.pg_extension x"),
    (2328, "x.oid, null, x.fdwowner, x.fdwname", "pg_catalog.pg_foreign_data_wrapper x"),
    (1417, "x.oid, null, x.srvowner, x.srvname", "pg_catalog.pg_foreign_server x"),
    (1418, "x.umid, null, null, x.usename, x.srvid", "pg_catalog.pg_user_mappings x"),
    (6104, "x.oid, null, x.pubowner, x.pubname", "pg_catalog.pg_publication x"),
    (3466, "x.oid, null, x.evtowner, x.evtname", "pg_catalog.pg_event_trigger x"),
    (2613, "x.oid, null, x.lomowner, x.oid", "pg_catalog.pg_largeobject_metadata x"),
    (826, "x.oid, null, x.defaclrole, case x.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions' \
        when 'T' then 'types' when 'n' then 'schemas' when 'L' then 'large objects' else x.defaclobjtype::pg_catalog.text end, x.defaclnamespace",
        "pg_catalog.pg_default_acl x"),
    (3456, "x.oid, x.collnamespace, x.collowner, x.collname", "pg_catalog.pg_collation x"),
    (2607, "x.oid, x.connamespace, x.conowner, x.conname", "pg_catalog.pg_conversion x"),
    (2753, "x.oid, x.opfnamespace, x.opfowner, x.opfname, x.opfmethod", "pg_catalog.pg_opfamily x"),
    (2616, "x.oid, x.opcnamespace, x.opcowner, x.opcname, x.opcmethod", "pg_catalog.pg_opclass x"),
    (3601, "x.oid, x.prsnamespace, null, x.prsname", "pg_catalog.pg_ts_parser x"),
    (3764, "x.oid, x.tmplnamespace, null, x.tmplname", "pg_catalog.pg_ts_template x"),
    (3600, "x.oid, x.dictnamespace, x.dictowner, x.dictname", "pg_catalog.pg_ts_dict x"),
    (3602, "x.oid, x.cfgnamespace, x.cfgowner, x.cfgname", "pg_catalog.pg_ts_config x"),
    // Those of temporary and of large values are nobody's; indexes come after their tables.
    (1259, "x.oid, x.relnamespace, x.relowner, x.relname, x.relkind, i.indrelid, k.oid, case x.relkind when 'c' then x.reltype end",
        "pg_catalog.pg_class x left join pg_catalog.pg_index i on i.indexrelid = x.oid \
         left join pg_catalog.pg_constraint k on k.conindid = x.oid and k.contype in ('p', 'u', 'x') \
         where x.relnamespace <> 99 order by i.indrelid is not null"),
    // Array types come after their elements.
    (1247, "x.oid, x.typnamespace, x.typowner, x.typname, e.oid, x.typtype, case when r.relkind <> 'c' then r.oid end, g.rngtypid",
        "pg_catalog.pg_type x left join pg_catalog.pg_type e on e.typarray = x.oid \
         left join pg_catalog.pg_class r on r.oid = x.typrelid left join pg_catalog.pg_range g on {multirange} order by e.oid is not null"),
    (1255, "x.oid, x.pronamespace, x.proowner, x.proname, x.prokind, x.proargtypes, t.oid, coalesce(t.typtype, 'b'), coalesce(g.rngtypid, t.oid)",
        "pg_catalog.pg_proc x left join pg_catalog.pg_depend d on d.classid = 1255 and d.objid = x.oid and d.objsubid = 0 and d.refclassid = 1247 \
         and d.deptype = 'i' left join pg_catalog.pg_type t on t.oid = d.refobjid \
         left join (select x.oid, g.rngtypid from pg_catalog.pg_type x join pg_catalog.pg_range g on {multirange}) g on g.oid = t.oid"),
    (2617, "x.oid, x.oprnamespace, x.oprowner, x.oprname, x.oprleft, x.oprright", "pg_catalog.pg_operator x"),
    // That of a range to its multirange comes with the range.
    (2605, "x.oid, null, null, '', x.castsource, x.casttarget, coalesce(g.rngtypid, d.refobjid)",
        "pg_catalog.pg_cast x left join pg_catalog.pg_depend d on d.classid = 2605 and d.objid = x.oid \
         and d.refclassid = 1247 and d.deptype = 'i' \
         left join (select x.oid, g.rngtypid from pg_catalog.pg_type x join pg_catalog.pg_range g on {multirange}) g on g.oid = d.refobjid"),
    (3576, "x.oid, null, null, '', x.trftype, x.trflang", "pg_catalog.pg_transform x"),
    (2606, "x.oid, null, null, x.conname, x.conrelid, x.contypid", "pg_catalog.pg_constraint x"),
    (3381, "x.oid, x.stxnamespace, x.stxowner, x.stxname", "pg_catalog.pg_statistic_ext x"),
    (2620, "x.oid, null, null, x.tgname, x.tgrelid", "pg_catalog.pg_trigger x where not x.tgisinternal or x.tgparentid <> 0"),
    (2618, "x.oid, null, null, x.rulename, x.ev_class", "pg_catalog.pg_rewrite x"),
    (3256, "x.oid, null, null, x.polname, x.polrelid", "pg_catalog.pg_policy x"),
];
