//! Relations and what hangs on them.

use super::{About, C, Columns, ColumnsOf, Object, WALK, Walk};

/// Rows of relations that are the server's or hold the large values of others.
const OF_RELATION: &str = "join pg_catalog.pg_class c on c.oid = x.attrelid";

pub(super) const WALKS: &[Walk] = &[
    Walk {
        catalog: "pg_class",
        // Options of the TOAST table are options of its table; nothing else of it is a fact.
        joins: "left join pg_catalog.pg_class tt on tt.oid = x.reltoastrelid",
        // Composite types have a row here that says nothing that their type does not.
        rows: "x.oid >= 16384 and x.relkind not in ('t', 'c') and x.relnamespace <> 99",
        object: ("1259", "x.oid"),
        columns: Columns::AllBut(&[
            "oid",
            "relname",
            "relnamespace",
            "reltype",
            "relfilenode",
            "relpages",
            "reltuples",
            "relallvisible",
            "relallfrozen",
            "reltoastrelid",
            "relhasindex",
            "relisshared",
            "relnatts",
            "relchecks",
            "relhasrules",
            "relhastriggers",
            "relhassubclass",
            "relrewrite",
            "relfrozenxid",
            "relminmxid",
        ]),
        spelled: &[(
            "relpartbound",
            "pg_catalog.pg_get_expr(x.relpartbound, x.oid)",
        )],
        extra: &[(
            "toast_reloptions",
            "(select pg_catalog.array_agg(o order by o) from pg_catalog.unnest(tt.reloptions) o)::pg_catalog.text",
        )],
        acl: Some((
            "relacl",
            "pg_catalog.acldefault((case x.relkind when 'S' then 's' else 'r' end)::pg_catalog.\"char\", x.relowner)",
        )),
        options: &["reloptions"],
        targets: &[
            ("relowner", Object(C::ROLE)),
            ("relam", Object(C::ACCESS_METHOD)),
            ("reltablespace", Object(C::TABLESPACE)),
            ("reloftype", Object(C::TYPE)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_attribute",
        joins: "join pg_catalog.pg_class c on c.oid = x.attrelid left join pg_catalog.pg_type t on t.oid = x.atttypid",
        rows: "x.attrelid >= 16384 and x.attnum > 0 and not x.attisdropped and c.relkind in ('r', 'p', 'f', 'v', 'm', 'c')",
        object: ("1259", "x.attrelid"),
        part: &["attname"],
        columns: Columns::AllBut(&[
            // Copies of the type's, and bookkeeping.
            "attrelid",
            "attnum",
            "atttypmod",
            "attlen",
            "attbyval",
            "attalign",
            "attndims",
            "attcacheoff",
            "attisdropped",
            "atthasdef",
            // Where a table was rewritten, the value is in its rows.
            "atthasmissing",
            "attmissingval",
        ]),
        spelled: &[
            (
                "atttypid",
                "pg_catalog.format_type(x.atttypid, x.atttypmod)",
            ),
            ("attstorage", "nullif(x.attstorage, t.typstorage)"),
            (
                "attcollation",
                "nullif(nullif(x.attcollation, t.typcollation), 0)",
            ),
            // NULL says the same from 17 on.
            ("attstattarget", "nullif(x.attstattarget, -1)"),
            // From 17 on a partition has its parent's.
            (
                "attidentity",
                "case when c.relispartition and exists (select from pg_catalog.pg_inherits i \
                 join pg_catalog.pg_attribute p on p.attrelid = i.inhparent and p.attname = x.attname \
                 and p.attidentity <> '' where i.inhrelid = x.attrelid) then '' else x.attidentity end",
            ),
        ],
        extra: &[(
            "position",
            "pg_catalog.row_number() over (partition by x.attrelid order by x.attnum)",
        )],
        acl: Some(("attacl", "pg_catalog.acldefault('c', c.relowner)")),
        options: &["attoptions", "attfdwoptions"],
        targets: &[("attcollation", Object(C::COLLATION))],
        ..WALK
    },
    Walk {
        // The columns of an index follow from its definition; what is set on them does not.
        catalog: "pg_attribute",
        joins: OF_RELATION,
        rows: "x.attrelid >= 16384 and c.relkind in ('i', 'I') and c.relnamespace <> 99 \
               and (coalesce(x.attstattarget, -1) <> -1 or x.attoptions is not null)",
        object: ("1259", "x.attrelid"),
        part: &["position"],
        columns: Columns::Only(&["attoptions"]),
        spelled: &[("attstattarget", "nullif(x.attstattarget, -1)")],
        extra: &[("position", "x.attnum")],
        options: &["attoptions"],
        ..WALK
    },
    Walk {
        catalog: "pg_attrdef",
        joins: "join pg_catalog.pg_attribute a on a.attrelid = x.adrelid and a.attnum = x.adnum",
        object: ("1259", "x.adrelid"),
        about: About::Own(C::DEFAULT, "x.oid"),
        part: &["column"],
        columns: Columns::AllBut(&["oid", "adrelid", "adnum"]),
        // A default names no column, so that the server need not open the relation to spell it out.
        spelled: &[(
            "adbin",
            "pg_catalog.pg_get_expr(x.adbin, case when a.attgenerated <> '' then x.adrelid else 0 end)",
        )],
        extra: &[("column", "a.attname")],
        ..WALK
    },
    Walk {
        catalog: "pg_constraint",
        // A constraint trigger is a trigger. Foreign keys of partitions that follow from the parent's
        // get names from the server, and a dump does not hold them.
        rows: "x.oid >= 16384 and x.contype <> 't' and not (x.contype = 'f' and x.conparentid <> 0)",
        object: ("2606", "x.oid"),
        columns: Columns::AllBut(&[
            "oid",
            "conname",
            "connamespace",
            "conrelid",
            "contypid",
            "conbin",
        ]),
        // The key of a partition says one thing when it came with the partition and another when it was
        // attached or detached, and means the same.
        spelled: &[(
            "connoinherit",
            "case when x.connoinherit and x.contype not in ('p', 'u', 'x') then 't' end",
        )],
        extra: &[("definition", "pg_catalog.pg_get_constraintdef(x.oid)")],
        targets: &[
            ("conindid", Object(C::CLASS)),
            ("conparentid", Object(C::CONSTRAINT)),
            ("confrelid", Object(C::CLASS)),
            ("conkey", ColumnsOf("conrelid")),
            ("confkey", ColumnsOf("confrelid")),
            ("confdelsetcols", ColumnsOf("conrelid")),
            ("conpfeqop", Object(C::OPERATOR)),
            ("conppeqop", Object(C::OPERATOR)),
            ("conffeqop", Object(C::OPERATOR)),
            ("conexclop", Object(C::OPERATOR)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_index",
        joins: "join pg_catalog.pg_class c on c.oid = x.indexrelid",
        rows: "x.indexrelid >= 16384 and c.relnamespace <> 99",
        object: ("1259", "x.indexrelid"),
        columns: Columns::AllBut(&[
            "indexrelid",
            "indnatts",
            "indnkeyatts",
            "indexprs",
            "indpred",
            // States of a build that is under way, or once was.
            "indcheckxmin",
            "indisready",
            "indislive",
        ]),
        extra: &[("definition", "pg_catalog.pg_get_indexdef(x.indexrelid)")],
        targets: &[
            ("indrelid", Object(C::CLASS)),
            ("indkey", ColumnsOf("indrelid")),
            ("indclass", Object(C::OPERATOR_CLASS)),
            ("indcollation", Object(C::COLLATION)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_inherits",
        rows: "x.inhrelid >= 16384",
        object: ("1259", "x.inhrelid"),
        part: &["inhparent"],
        columns: Columns::AllBut(&["inhrelid"]),
        // Parents that were left behind leave gaps.
        spelled: &[(
            "inhseqno",
            "pg_catalog.row_number() over (partition by x.inhrelid order by x.inhseqno)",
        )],
        targets: &[("inhparent", Object(C::CLASS))],
        ..WALK
    },
    Walk {
        catalog: "pg_partitioned_table",
        rows: "x.partrelid >= 16384",
        object: ("1259", "x.partrelid"),
        columns: Columns::AllBut(&["partrelid", "partnatts", "partexprs"]),
        extra: &[("definition", "pg_catalog.pg_get_partkeydef(x.partrelid)")],
        targets: &[
            ("partdefid", Object(C::CLASS)),
            ("partattrs", ColumnsOf("partrelid")),
            ("partclass", Object(C::OPERATOR_CLASS)),
            ("partcollation", Object(C::COLLATION)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_sequence",
        rows: "x.seqrelid >= 16384",
        object: ("1259", "x.seqrelid"),
        columns: Columns::AllBut(&["seqrelid"]),
        targets: &[("seqtypid", Object(C::TYPE))],
        ..WALK
    },
    Walk {
        // Which column a sequence belongs to is written nowhere else.
        catalog: "pg_depend",
        joins: "join pg_catalog.pg_class c on c.oid = x.objid",
        rows: "x.classid = 1259 and x.refclassid = 1259 and x.objsubid = 0 and x.refobjsubid > 0 \
               and x.deptype in ('a', 'i') and c.relkind = 'S' and x.objid >= 16384",
        object: ("1259", "x.objid"),
        columns: Columns::Only(&["refobjid", "refobjsubid", "deptype"]),
        targets: &[
            ("refobjid", Object(C::CLASS)),
            ("refobjsubid", ColumnsOf("refobjid")),
        ],
        ..WALK
    },
    Walk {
        // ALTER … DEPENDS ON EXTENSION.
        catalog: "pg_depend",
        rows: "x.deptype = 'x' and x.refclassid = 3079",
        object: ("x.classid", "x.objid"),
        part: &["refobjid"],
        columns: Columns::Only(&["refobjid", "deptype"]),
        targets: &[("refobjid", Object(C::EXTENSION))],
        ..WALK
    },
    Walk {
        catalog: "pg_foreign_table",
        rows: "x.ftrelid >= 16384",
        object: ("1259", "x.ftrelid"),
        columns: Columns::AllBut(&["ftrelid"]),
        options: &["ftoptions"],
        targets: &[("ftserver", Object(C::FOREIGN_SERVER))],
        ..WALK
    },
    Walk {
        catalog: "pg_rewrite",
        object: ("2618", "x.oid"),
        columns: Columns::AllBut(&["oid", "rulename", "ev_class", "ev_qual", "ev_action"]),
        extra: &[("definition", "pg_catalog.pg_get_ruledef(x.oid)")],
        ..WALK
    },
    Walk {
        catalog: "pg_trigger",
        joins: "left join pg_catalog.pg_constraint k on k.oid = x.tgconstraint",
        // Those that enforce constraints are not made by anyone; copies on partitions are, although
        // servers before 15 call them internal.
        rows: "x.oid >= 16384 and (not x.tgisinternal or x.tgparentid <> 0) and coalesce(k.contype, 't') = 't'",
        object: ("2620", "x.oid"),
        columns: Columns::AllBut(&[
            "oid",
            "tgrelid",
            "tgname",
            "tgisinternal",
            "tgconstraint",
            "tgnargs",
            "tgargs",
            "tgqual",
        ]),
        extra: &[("definition", "pg_catalog.pg_get_triggerdef(x.oid)")],
        targets: &[
            ("tgparentid", Object(C::TRIGGER)),
            ("tgfoid", Object(C::PROC)),
            ("tgconstrrelid", Object(C::CLASS)),
            ("tgconstrindid", Object(C::CLASS)),
            ("tgattr", ColumnsOf("tgrelid")),
        ],
        ..WALK
    },
    Walk {
        // ALTER TABLE … DISABLE TRIGGER ALL stops foreign keys, too.
        catalog: "pg_trigger",
        joins: "join pg_catalog.pg_constraint k on k.oid = x.tgconstraint",
        rows: "x.oid >= 16384 and x.tgisinternal and x.tgenabled <> 'O' and k.contype <> 't' and k.conparentid = 0",
        object: ("2606", "x.tgconstraint"),
        part: &["tgfoid"],
        columns: Columns::Only(&["tgfoid", "tgenabled"]),
        targets: &[("tgfoid", Object(C::PROC))],
        ..WALK
    },
    Walk {
        catalog: "pg_policy",
        object: ("3256", "x.oid"),
        columns: Columns::AllBut(&["oid", "polname", "polrelid"]),
        spelled: &[
            ("polqual", "pg_catalog.pg_get_expr(x.polqual, x.polrelid)"),
            (
                "polwithcheck",
                "pg_catalog.pg_get_expr(x.polwithcheck, x.polrelid)",
            ),
        ],
        targets: &[("polroles", Object(C::ROLE))],
        ..WALK
    },
    Walk {
        catalog: "pg_statistic_ext",
        object: ("3381", "x.oid"),
        columns: Columns::AllBut(&["oid", "stxname", "stxnamespace", "stxexprs"]),
        spelled: &[("stxstattarget", "nullif(x.stxstattarget, -1)")],
        extra: &[("definition", "pg_catalog.pg_get_statisticsobjdef(x.oid)")],
        targets: &[
            ("stxowner", Object(C::ROLE)),
            ("stxrelid", Object(C::CLASS)),
            ("stxkeys", ColumnsOf("stxrelid")),
        ],
        ..WALK
    },
];
