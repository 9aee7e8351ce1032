//! The cluster, and the database as a whole.

use super::{C, Columns, Group, Object, WALK, Walk};
use crate::catalog::scope::login_prefix;

/// That a role is none of those that a restore makes for as long as it runs.
macro_rules! is_no_login {
    ($role:literal) => {
        concat!(
            "pg_catalog.pg_get_userbyid(",
            $role,
            ") !~ '^",
            login_prefix!(),
            "'"
        )
    };
}

const CLUSTER: Walk = Walk {
    group: Group::Cluster,
    ..WALK
};

/// What is said about roles, tablespaces and this database.
const OF_CLUSTER: &str = concat!(
    "(x.classoid = 1213 and x.objoid >= 16384 or x.classoid = 1262 and x.objoid = d.oid \
    or x.classoid = 1260 and x.objoid >= 16384 and ",
    is_no_login!("x.objoid"),
    ")"
);

/// The database that is read.
const THIS_DATABASE: &str =
    "join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()";

pub(super) const WALKS: &[Walk] = &[
    Walk {
        catalog: "pg_authid",
        source: Some("pg_roles"),
        // Predefined roles are the server's, and those of a restore that runs are nobody's.
        rows: concat!("x.rolname !~ '^(pg_|", login_prefix!(), ")'"),
        object: ("1260", "x.oid"),
        // Settings have a catalog of their own; passwords are nobody's to compare.
        columns: Columns::AllBut(&["oid", "rolname", "rolpassword", "rolconfig"]),
        ..CLUSTER
    },
    Walk {
        catalog: "pg_auth_members",
        // What the server's roles are to each other is the server's.
        rows: concat!(
            "(x.member >= 16384 or x.roleid >= 16384) and ",
            is_no_login!("x.member"),
            " and ",
            is_no_login!("x.roleid")
        ),
        object: ("1260", "x.member"),
        part: &["roleid", "grantor"],
        columns: Columns::AllBut(&["oid", "member"]),
        targets: &[("roleid", Object(C::ROLE)), ("grantor", Object(C::ROLE))],
        ..CLUSTER
    },
    Walk {
        catalog: "pg_db_role_setting",
        joins: THIS_DATABASE,
        rows: concat!(
            "x.setdatabase in (0, d.oid) and ",
            is_no_login!("x.setrole")
        ),
        object: (
            "case when x.setrole = 0 then 1262 else 1260 end",
            "case when x.setrole = 0 then d.oid else x.setrole end",
        ),
        part: &["setdatabase"],
        columns: Columns::AllBut(&["setrole"]),
        options: &["setconfig"],
        targets: &[("setdatabase", Object(C::DATABASE))],
        ..CLUSTER
    },
    Walk {
        catalog: "pg_database",
        rows: "x.datname = pg_catalog.current_database()",
        object: ("1262", "x.oid"),
        columns: Columns::AllBut(&[
            "oid",
            "datname",
            "datlastsysoid",
            "datfrozenxid",
            "datminmxid",
            "dathasloginevt",
            // The version is the provider's library's.
            "datcollversion",
        ]),
        acl: Some(("datacl", "pg_catalog.acldefault('d', x.datdba)")),
        targets: &[
            ("datdba", Object(C::ROLE)),
            ("dattablespace", Object(C::TABLESPACE)),
        ],
        ..CLUSTER
    },
    Walk {
        catalog: "pg_tablespace",
        object: ("1213", "x.oid"),
        columns: Columns::AllBut(&["oid", "spcname"]),
        acl: Some(("spcacl", "pg_catalog.acldefault('t', x.spcowner)")),
        options: &["spcoptions"],
        targets: &[("spcowner", Object(C::ROLE))],
        ..CLUSTER
    },
    Walk {
        catalog: "pg_parameter_acl",
        rows: "true",
        object: ("6243", "x.oid"),
        columns: Columns::AllBut(&["oid", "parname"]),
        acl: Some(("paracl", "pg_catalog.acldefault('p', 10)")),
        ..CLUSTER
    },
    Walk {
        catalog: "pg_shdescription",
        joins: THIS_DATABASE,
        rows: OF_CLUSTER,
        object: ("x.classoid", "x.objoid"),
        columns: Columns::AllBut(&["objoid", "classoid"]),
        ..CLUSTER
    },
    Walk {
        catalog: "pg_shseclabel",
        joins: THIS_DATABASE,
        rows: OF_CLUSTER,
        object: ("x.classoid", "x.objoid"),
        part: &["provider"],
        columns: Columns::AllBut(&["objoid", "classoid"]),
        ..CLUSTER
    },
];
