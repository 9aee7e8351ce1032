//! Types, functions, operators and what is made of them.

use super::{C, Columns, Object, WALK, Walk};

pub(super) const WALKS: &[Walk] = &[
    Walk {
        catalog: "pg_type",
        // Array types and the row types of relations come and go with what they are made for.
        joins: "left join pg_catalog.pg_type e on e.typarray = x.oid left join pg_catalog.pg_class k on k.oid = x.typrelid",
        rows: "x.oid >= 16384 and e.oid is null and coalesce(k.relkind, 'c') = 'c'",
        object: ("1247", "x.oid"),
        columns: Columns::AllBut(&[
            "oid",
            "typname",
            "typnamespace",
            "typrelid",
            "typarray",
            "typtypmod",
            "typndims",
        ]),
        spelled: &[
            (
                "typbasetype",
                "case when x.typbasetype <> 0 then pg_catalog.format_type(x.typbasetype, x.typtypmod) end",
            ),
            // The text is as old as the domain; the expression knows what was renamed since.
            (
                "typdefault",
                "case when x.typdefaultbin is null then x.typdefault end",
            ),
            (
                "typdefaultbin",
                "pg_catalog.pg_get_expr(x.typdefaultbin, 0)",
            ),
        ],
        acl: Some(("typacl", "pg_catalog.acldefault('T', x.typowner)")),
        targets: &[
            ("typowner", Object(C::ROLE)),
            ("typelem", Object(C::TYPE)),
            ("typcollation", Object(C::COLLATION)),
            ("typsubscript", Object(C::PROC)),
            ("typinput", Object(C::PROC)),
            ("typoutput", Object(C::PROC)),
            ("typreceive", Object(C::PROC)),
            ("typsend", Object(C::PROC)),
            ("typmodin", Object(C::PROC)),
            ("typmodout", Object(C::PROC)),
            ("typanalyze", Object(C::PROC)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_enum",
        object: ("1247", "x.enumtypid"),
        part: &["enumlabel"],
        columns: Columns::AllBut(&["oid", "enumtypid", "enumsortorder"]),
        extra: &[(
            "position",
            "pg_catalog.row_number() over (partition by x.enumtypid order by x.enumsortorder)",
        )],
        ..WALK
    },
    Walk {
        catalog: "pg_range",
        rows: "x.rngtypid >= 16384",
        object: ("1247", "x.rngtypid"),
        columns: Columns::AllBut(&["rngtypid"]),
        targets: &[
            ("rngsubtype", Object(C::TYPE)),
            ("rngmultitypid", Object(C::TYPE)),
            ("rngcollation", Object(C::COLLATION)),
            ("rngsubopc", Object(C::OPERATOR_CLASS)),
            ("rngcanonical", Object(C::PROC)),
            ("rngsubdiff", Object(C::PROC)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_proc",
        object: ("1255", "x.oid"),
        columns: Columns::AllBut(&["oid", "proname", "pronamespace", "pronargs"]),
        spelled: &[
            (
                "proargdefaults",
                "pg_catalog.pg_get_expr(x.proargdefaults, 0)",
            ),
            ("prosqlbody", "pg_catalog.pg_get_function_sqlbody(x.oid)"),
        ],
        acl: Some(("proacl", "pg_catalog.acldefault('f', x.proowner)")),
        options: &["proconfig"],
        targets: &[
            ("proowner", Object(C::ROLE)),
            ("prolang", Object(C::LANGUAGE)),
            ("provariadic", Object(C::TYPE)),
            ("prosupport", Object(C::PROC)),
            ("prorettype", Object(C::TYPE)),
            ("proargtypes", Object(C::TYPE)),
            ("proallargtypes", Object(C::TYPE)),
            ("protrftypes", Object(C::TYPE)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_aggregate",
        rows: "x.aggfnoid::pg_catalog.oid >= 16384",
        object: ("1255", "x.aggfnoid::pg_catalog.oid"),
        columns: Columns::AllBut(&["aggfnoid"]),
        targets: &[
            ("aggtransfn", Object(C::PROC)),
            ("aggfinalfn", Object(C::PROC)),
            ("aggcombinefn", Object(C::PROC)),
            ("aggserialfn", Object(C::PROC)),
            ("aggdeserialfn", Object(C::PROC)),
            ("aggmtransfn", Object(C::PROC)),
            ("aggminvtransfn", Object(C::PROC)),
            ("aggmfinalfn", Object(C::PROC)),
            ("aggsortop", Object(C::OPERATOR)),
            ("aggtranstype", Object(C::TYPE)),
            ("aggmtranstype", Object(C::TYPE)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_operator",
        // One without a function is a name that others had a use for, and no dump holds it.
        rows: "x.oid >= 16384 and x.oprcode <> 0",
        object: ("2617", "x.oid"),
        columns: Columns::AllBut(&["oid", "oprname", "oprnamespace", "oprleft", "oprright"]),
        targets: &[
            ("oprowner", Object(C::ROLE)),
            ("oprresult", Object(C::TYPE)),
            ("oprcom", Object(C::OPERATOR)),
            ("oprnegate", Object(C::OPERATOR)),
            ("oprcode", Object(C::PROC)),
            ("oprrest", Object(C::PROC)),
            ("oprjoin", Object(C::PROC)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_opfamily",
        object: ("2753", "x.oid"),
        columns: Columns::AllBut(&["oid", "opfname", "opfnamespace", "opfmethod"]),
        targets: &[("opfowner", Object(C::ROLE))],
        ..WALK
    },
    Walk {
        catalog: "pg_opclass",
        object: ("2616", "x.oid"),
        columns: Columns::AllBut(&["oid", "opcname", "opcnamespace", "opcmethod"]),
        targets: &[
            ("opcowner", Object(C::ROLE)),
            ("opcfamily", Object(C::OPERATOR_FAMILY)),
            ("opcintype", Object(C::TYPE)),
            ("opckeytype", Object(C::TYPE)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_amop",
        object: ("2753", "x.amopfamily"),
        part: &[
            "amoppurpose",
            "amopstrategy",
            "amoplefttype",
            "amoprighttype",
        ],
        columns: Columns::AllBut(&["oid", "amopfamily", "amopmethod"]),
        targets: &[
            ("amoplefttype", Object(C::TYPE)),
            ("amoprighttype", Object(C::TYPE)),
            ("amopopr", Object(C::OPERATOR)),
            ("amopsortfamily", Object(C::OPERATOR_FAMILY)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_amproc",
        object: ("2753", "x.amprocfamily"),
        part: &["amprocnum", "amproclefttype", "amprocrighttype"],
        columns: Columns::AllBut(&["oid", "amprocfamily"]),
        targets: &[
            ("amproclefttype", Object(C::TYPE)),
            ("amprocrighttype", Object(C::TYPE)),
            ("amproc", Object(C::PROC)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_cast",
        object: ("2605", "x.oid"),
        columns: Columns::AllBut(&["oid", "castsource", "casttarget"]),
        targets: &[("castfunc", Object(C::PROC))],
        ..WALK
    },
    Walk {
        catalog: "pg_transform",
        object: ("3576", "x.oid"),
        columns: Columns::AllBut(&["oid", "trftype", "trflang"]),
        targets: &[
            ("trffromsql", Object(C::PROC)),
            ("trftosql", Object(C::PROC)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_collation",
        object: ("3456", "x.oid"),
        // The version is the provider's library's.
        columns: Columns::AllBut(&["oid", "collname", "collnamespace", "collversion"]),
        targets: &[("collowner", Object(C::ROLE))],
        ..WALK
    },
    Walk {
        catalog: "pg_conversion",
        object: ("2607", "x.oid"),
        columns: Columns::AllBut(&["oid", "conname", "connamespace"]),
        targets: &[("conowner", Object(C::ROLE)), ("conproc", Object(C::PROC))],
        ..WALK
    },
];
