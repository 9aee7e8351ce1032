//! Objects of a database that live in no schema, and what is said about any object.

use super::{C, Columns, ColumnsOf, Object, WALK, Walk};

/// Comments on objects that came with the server are not the user's; those on schemas and extensions
/// that came with it may be.
const MADE_OR_KEPT: &str = "(x.objoid >= 16384 or x.classoid in (2612, 2613, 2615, 3079))";

pub(super) const WALKS: &[Walk] = &[
    Walk {
        catalog: "pg_namespace",
        // The schema "public" is older than any user.
        rows: "true",
        object: ("2615", "x.oid"),
        columns: Columns::AllBut(&["oid", "nspname"]),
        acl: Some(("nspacl", "pg_catalog.acldefault('n', x.nspowner)")),
        targets: &[("nspowner", Object(C::ROLE))],
        ..WALK
    },
    Walk {
        catalog: "pg_extension",
        rows: "true",
        object: ("3079", "x.oid"),
        // No statement changes the owner.
        columns: Columns::AllBut(&["oid", "extname", "extowner"]),
        targets: &[
            ("extnamespace", Object(C::NAMESPACE)),
            ("extconfig", Object(C::CLASS)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_language",
        object: ("2612", "x.oid"),
        columns: Columns::AllBut(&["oid", "lanname"]),
        acl: Some(("lanacl", "pg_catalog.acldefault('l', x.lanowner)")),
        targets: &[
            ("lanowner", Object(C::ROLE)),
            ("lanplcallfoid", Object(C::PROC)),
            ("laninline", Object(C::PROC)),
            ("lanvalidator", Object(C::PROC)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_am",
        object: ("2601", "x.oid"),
        columns: Columns::AllBut(&["oid", "amname"]),
        targets: &[("amhandler", Object(C::PROC))],
        ..WALK
    },
    Walk {
        catalog: "pg_foreign_data_wrapper",
        object: ("2328", "x.oid"),
        columns: Columns::AllBut(&["oid", "fdwname"]),
        acl: Some(("fdwacl", "pg_catalog.acldefault('F', x.fdwowner)")),
        options: &["fdwoptions"],
        targets: &[
            ("fdwowner", Object(C::ROLE)),
            ("fdwhandler", Object(C::PROC)),
            ("fdwvalidator", Object(C::PROC)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_foreign_server",
        object: ("1417", "x.oid"),
        columns: Columns::AllBut(&["oid", "srvname"]),
        acl: Some(("srvacl", "pg_catalog.acldefault('S', x.srvowner)")),
        options: &["srvoptions"],
        targets: &[
            ("srvowner", Object(C::ROLE)),
            ("srvfdw", Object(C::FOREIGN_DATA_WRAPPER)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_user_mapping",
        source: Some("pg_user_mappings"),
        joins: "join pg_catalog.pg_foreign_server s on s.oid = x.srvid \
                join pg_catalog.pg_roles me on me.rolname = current_user",
        rows: "true",
        object: ("1418", "x.umid"),
        columns: Columns::Only(&[]),
        // The view gives NULL for no options and for those that the role may not see; this is its rule.
        spelled: &[(
            "umoptions",
            "case when x.umoptions is not null then (select pg_catalog.array_agg(pg_catalog.split_part(o, '=', 1) || '=' || {digest:o} order by o) from pg_catalog.unnest(x.umoptions) o)::pg_catalog.text \
             when me.rolsuper or (x.umuser = 0 and pg_catalog.pg_has_role(s.srvowner, 'USAGE')) \
               or (x.usename = current_user and (pg_catalog.pg_has_role(s.srvowner, 'USAGE') or pg_catalog.has_server_privilege(s.oid, 'USAGE'))) then null \
             else 'unreadable' end",
        )],
        ..WALK
    },
    Walk {
        catalog: "pg_publication",
        object: ("6104", "x.oid"),
        columns: Columns::AllBut(&["oid", "pubname"]),
        targets: &[("pubowner", Object(C::ROLE))],
        ..WALK
    },
    Walk {
        catalog: "pg_publication_rel",
        object: ("6104", "x.prpubid"),
        part: &["prrelid"],
        columns: Columns::AllBut(&["oid", "prpubid"]),
        spelled: &[("prqual", "pg_catalog.pg_get_expr(x.prqual, x.prrelid)")],
        targets: &[
            ("prrelid", Object(C::CLASS)),
            ("prattrs", ColumnsOf("prrelid")),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_publication_namespace",
        object: ("6104", "x.pnpubid"),
        part: &["pnnspid"],
        columns: Columns::AllBut(&["oid", "pnpubid"]),
        targets: &[("pnnspid", Object(C::NAMESPACE))],
        ..WALK
    },
    Walk {
        catalog: "pg_subscription",
        joins: "join pg_catalog.pg_database d on d.oid = x.subdbid and d.datname = pg_catalog.current_database()",
        object: ("6100", "x.oid"),
        // The position to skip to is a state of replication.
        columns: Columns::AllBut(&["oid", "subname", "subdbid", "subskiplsn"]),
        spelled: &[("subconninfo", "{digest:x.subconninfo}")],
        targets: &[("subowner", Object(C::ROLE))],
        ..WALK
    },
    Walk {
        catalog: "pg_event_trigger",
        object: ("3466", "x.oid"),
        columns: Columns::AllBut(&["oid", "evtname"]),
        targets: &[("evtowner", Object(C::ROLE)), ("evtfoid", Object(C::PROC))],
        ..WALK
    },
    Walk {
        catalog: "pg_default_acl",
        object: ("826", "x.oid"),
        columns: Columns::AllBut(&["oid", "defaclrole", "defaclnamespace", "defaclobjtype"]),
        // What is granted by default differs by role; the row holds all that applies.
        acl: Some(("defaclacl", "null::pg_catalog.aclitem[]")),
        ..WALK
    },
    Walk {
        catalog: "pg_largeobject_metadata",
        // Restored large objects keep their OIDs, whatever those are.
        rows: "true",
        object: ("2613", "x.oid"),
        acl: Some(("lomacl", "pg_catalog.acldefault('L', x.lomowner)")),
        targets: &[("lomowner", Object(C::ROLE))],
        ..WALK
    },
    Walk {
        catalog: "pg_description",
        rows: MADE_OR_KEPT,
        object: ("x.classoid", "x.objoid"),
        part: &["objsubid"],
        columns: Columns::AllBut(&["objoid", "classoid"]),
        targets: &[("objsubid", ColumnsOf("objoid"))],
        ..WALK
    },
    Walk {
        catalog: "pg_seclabel",
        rows: MADE_OR_KEPT,
        object: ("x.classoid", "x.objoid"),
        part: &["objsubid", "provider"],
        columns: Columns::AllBut(&["objoid", "classoid"]),
        targets: &[("objsubid", ColumnsOf("objoid"))],
        ..WALK
    },
];
