//! Text search.

use super::{C, Columns, Object, WALK, Walk};

pub(super) const WALKS: &[Walk] = &[
    Walk {
        catalog: "pg_ts_config",
        object: ("3602", "x.oid"),
        columns: Columns::AllBut(&["oid", "cfgname", "cfgnamespace"]),
        targets: &[
            ("cfgowner", Object(C::ROLE)),
            ("cfgparser", Object(C::TS_PARSER)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_ts_config_map",
        joins: "join pg_catalog.pg_ts_config g on g.oid = x.mapcfg",
        rows: "x.mapcfg >= 16384",
        object: ("3602", "x.mapcfg"),
        part: &["maptokentype", "mapseqno"],
        columns: Columns::AllBut(&["mapcfg"]),
        spelled: &[
            (
                "maptokentype",
                "(select k.alias from pg_catalog.ts_token_type(g.cfgparser) k where k.tokid = x.maptokentype)",
            ),
            (
                "mapseqno",
                "pg_catalog.row_number() over (partition by x.mapcfg, x.maptokentype order by x.mapseqno)",
            ),
        ],
        targets: &[("mapdict", Object(C::TS_DICTIONARY))],
        ..WALK
    },
    Walk {
        catalog: "pg_ts_dict",
        object: ("3600", "x.oid"),
        columns: Columns::AllBut(&["oid", "dictname", "dictnamespace"]),
        targets: &[
            ("dictowner", Object(C::ROLE)),
            ("dicttemplate", Object(C::TS_TEMPLATE)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_ts_parser",
        object: ("3601", "x.oid"),
        columns: Columns::AllBut(&["oid", "prsname", "prsnamespace"]),
        targets: &[
            ("prsstart", Object(C::PROC)),
            ("prstoken", Object(C::PROC)),
            ("prsend", Object(C::PROC)),
            ("prsheadline", Object(C::PROC)),
            ("prslextype", Object(C::PROC)),
        ],
        ..WALK
    },
    Walk {
        catalog: "pg_ts_template",
        object: ("3764", "x.oid"),
        columns: Columns::AllBut(&["oid", "tmplname", "tmplnamespace"]),
        targets: &[
            ("tmplinit", Object(C::PROC)),
            ("tmpllexize", Object(C::PROC)),
        ],
        ..WALK
    },
];
