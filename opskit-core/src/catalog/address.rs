//! The address of an object in one database's catalog.

use serde::{Deserialize, Serialize};

/// The system catalog that holds an object's row, by its OID; those OIDs are fixed by the server's
/// bootstrap files and the same in every version from 13 to 18.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CatalogId(pub u32);

impl CatalogId {
    /// `pg_type`.
    pub const TYPE: Self = Self(1247);
    /// `pg_proc`.
    pub const PROC: Self = Self(1255);
    /// `pg_class`.
    pub const CLASS: Self = Self(1259);
    /// `pg_authid`.
    pub const ROLE: Self = Self(1260);
    /// `pg_tablespace`.
    pub const TABLESPACE: Self = Self(1213);
    /// `pg_parameter_acl`.
    pub const PARAMETER_ACL: Self = Self(6243);
    /// `pg_database`.
    pub const DATABASE: Self = Self(1262);
    /// `pg_foreign_server`.
    pub const FOREIGN_SERVER: Self = Self(1417);
    /// `pg_user_mapping`.
    pub const USER_MAPPING: Self = Self(1418);
    /// `pg_foreign_data_wrapper`.
    pub const FOREIGN_DATA_WRAPPER: Self = Self(2328);
    /// `pg_attrdef`.
    pub const DEFAULT: Self = Self(2604);
    /// `pg_cast`.
    pub const CAST: Self = Self(2605);
    /// `pg_constraint`.
    pub const CONSTRAINT: Self = Self(2606);
    /// `pg_conversion`.
    pub const CONVERSION: Self = Self(2607);
    /// `pg_language`.
    pub const LANGUAGE: Self = Self(2612);
    /// `pg_largeobject`.
    pub const LARGE_OBJECT: Self = Self(2613);
    /// `pg_namespace`.
    pub const NAMESPACE: Self = Self(2615);
    /// `pg_opclass`.
    pub const OPERATOR_CLASS: Self = Self(2616);
    /// `pg_operator`.
    pub const OPERATOR: Self = Self(2617);
    /// `pg_rewrite`.
    pub const RULE: Self = Self(2618);
    /// `pg_trigger`.
    pub const TRIGGER: Self = Self(2620);
    /// `pg_opfamily`.
    pub const OPERATOR_FAMILY: Self = Self(2753);
    /// `pg_extension`.
    pub const EXTENSION: Self = Self(3079);
    /// `pg_policy`.
    pub const POLICY: Self = Self(3256);
    /// `pg_statistic_ext`.
    pub const STATISTICS: Self = Self(3381);
    /// `pg_collation`.
    pub const COLLATION: Self = Self(3456);
    /// `pg_event_trigger`.
    pub const EVENT_TRIGGER: Self = Self(3466);
    /// `pg_transform`.
    pub const TRANSFORM: Self = Self(3576);
    /// `pg_ts_dict`.
    pub const TS_DICTIONARY: Self = Self(3600);
    /// `pg_ts_parser`.
    pub const TS_PARSER: Self = Self(3601);
    /// `pg_ts_config`.
    pub const TS_CONFIGURATION: Self = Self(3602);
    /// `pg_ts_template`.
    pub const TS_TEMPLATE: Self = Self(3764);
    /// `pg_subscription`.
    pub const SUBSCRIPTION: Self = Self(6100);
    /// `pg_publication`.
    pub const PUBLICATION: Self = Self(6104);
    /// `pg_publication_rel`.
    pub const PUBLICATION_TABLE: Self = Self(6106);
    /// `pg_publication_namespace`.
    pub const PUBLICATION_SCHEMA: Self = Self(6237);
    /// `pg_am`.
    pub const ACCESS_METHOD: Self = Self(2601);
    /// `pg_default_acl`.
    pub const DEFAULT_ACL: Self = Self(826);
}

/// An object as `pg_depend` names it. Only meaningful within the database it was read from.
///
/// Stored as a pair: a model holds a great many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "(u32, u32)", into = "(u32, u32)")]
pub struct Address {
    /// The catalog its row is in.
    pub catalog: CatalogId,
    /// Its OID there.
    pub oid: u32,
}

impl Address {
    /// An address from its two halves.
    #[must_use]
    pub const fn new(catalog: CatalogId, oid: u32) -> Self {
        Self { catalog, oid }
    }
}

impl From<(u32, u32)> for Address {
    fn from((catalog, oid): (u32, u32)) -> Self {
        Self::new(CatalogId(catalog), oid)
    }
}

impl From<Address> for (u32, u32) {
    fn from(address: Address) -> Self {
        (address.catalog.0, address.oid)
    }
}
