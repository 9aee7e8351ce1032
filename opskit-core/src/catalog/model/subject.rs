//! The classes of objects that something is said about: where their rows are, who owns them, what they
//! are granted.

use super::CatalogId;
use super::access::Condition;
use super::read::{ReadContext, not_of_extension};

/// A class of objects. The SQL speaks of its row as `o`.
#[derive(Debug)]
pub(super) struct Subject {
    catalog: CatalogId,
    /// The catalog's name, and what must be joined for the columns below.
    from: &'static str,
    /// Where it belongs.
    home: Home,
    /// The owner.
    pub(super) owner: Option<&'static str>,
    /// Which of them change their owner by themselves.
    owned: &'static str,
    /// The privileges, and the letter by which the server knows the kind.
    pub(super) acl: Option<(&'static str, &'static str)>,
    /// The server's word for its kind, where all that names it is `names`.
    kind: &'static str,
    /// Its name's parts, where the server gives them as quoted text or must look them up.
    names: &'static str,
}

/// What decides whether an object is in scope.
#[derive(Debug)]
enum Home {
    /// The schema with this OID.
    Schema(&'static str),
    /// The schema of the relation with this OID, which a platform may own.
    Relation(&'static str),
    /// The owner.
    Owner,
    /// Who made it: the server's own are outside.
    Maker,
}

const fn subject(catalog: CatalogId, from: &'static str, home: Home) -> Subject {
    Subject {
        catalog,
        from,
        home,
        owner: None,
        owned: "true",
        acl: None,
        kind: "null::pg_catalog.text",
        names: "null::pg_catalog.text[]",
    }
}

impl Subject {
    const fn owner(mut self, column: &'static str) -> Self {
        self.owner = Some(column);
        self
    }

    const fn owned(mut self, condition: &'static str) -> Self {
        self.owned = condition;
        self
    }

    const fn acl(mut self, column: &'static str, letter: &'static str) -> Self {
        self.acl = Some((column, letter));
        self
    }

    const fn kind(mut self, word: &'static str) -> Self {
        self.kind = word;
        self
    }

    const fn names(mut self, array: &'static str) -> Self {
        self.names = array;
        self
    }

    /// The rows of this class.
    pub(super) fn select(&self, cx: &ReadContext<'_>, condition: Condition) -> String {
        let (owner, acl, fresh) = match (self.owner, self.acl) {
            (Some(owner), Some((acl, letter))) => (
                owner,
                acl,
                format!("pg_catalog.acldefault({letter}, {owner})"),
            ),
            (owner, _) => (
                owner.unwrap_or("null::pg_catalog.oid"),
                "null::pg_catalog.aclitem[]",
                "null::pg_catalog.aclitem[]".to_owned(),
            ),
        };
        let subid = if self.catalog == CatalogId::CLASS && self.from.contains("pg_attribute") {
            "o.attnum::pg_catalog.int4"
        } else {
            "0"
        };
        let wanted = match condition {
            Condition::Owned => self.owned,
            Condition::Granted | Condition::Described => "true",
        };
        format!(
            "select {class}::pg_catalog.oid as classid, {oid} as objid, {subid} as objsubid, \
             {kind} as kind, {names} as names, {owner} as owner, {acl} as acl, {fresh} as fresh \
             from pg_catalog.{from} {join} where {wanted} and {scope}",
            class = self.catalog.0,
            oid = if subid == "0" { "o.oid" } else { "o.attrelid" },
            kind = self.kind,
            names = self.names,
            from = self.from,
            join = self.home.join(),
            scope = self.scope(cx, condition),
        )
    }

    fn scope(&self, cx: &ReadContext<'_>, condition: Condition) -> String {
        let own = not_of_extension(self.catalog, "o.oid");
        match (&self.home, condition) {
            (Home::Schema(_), Condition::Granted) => {
                format!("({} or n.nspname = 'pg_catalog')", cx.in_scope("n"))
            }
            (Home::Owner | Home::Maker, Condition::Granted) => {
                cx.scope.owner_condition(self.owner.unwrap_or("0"))
            }
            (Home::Schema(_), _) => format!("{} and {own}", cx.in_scope("n")),
            (Home::Relation(relation), _) => format!(
                "({} or {}) and {own} and {}",
                cx.in_scope("n"),
                cx.scope.platform_condition("n"),
                not_of_extension(CatalogId::CLASS, relation)
            ),
            (Home::Owner, _) => {
                format!(
                    "{} and {own}",
                    cx.scope.owner_condition(self.owner.unwrap_or("0"))
                )
            }
            (Home::Maker, _) => format!("o.oid >= 16384 and {own}"),
        }
    }
}

impl Home {
    fn join(&self) -> String {
        match self {
            Self::Schema(oid) => format!("join pg_catalog.pg_namespace n on n.oid = {oid}"),
            Self::Relation(oid) => format!(
                "join pg_catalog.pg_class r on r.oid = {oid} \
                 join pg_catalog.pg_namespace n on n.oid = r.relnamespace"
            ),
            Self::Owner | Self::Maker => String::new(),
        }
    }
}

/// Relations that have privileges, an owner of their own, or comments: sequences of columns follow
/// their table.
const OWN_RELATION: &str = "(o.relkind in ('r', 'p', 'v', 'm', 'f') or o.relkind = 'S' \
     and not exists (select from pg_catalog.pg_depend d where d.classid = 1259 and d.objid = o.oid \
       and d.refclassid = 1259 and d.objsubid = 0 and d.deptype in ('a', 'i')))";

/// Types that are no array's, no table's row, and no multirange's: those follow theirs.
const OWN_TYPE: &str = "(o.typtype <> 'm' \
     and not exists (select from pg_catalog.pg_type e where e.typarray = o.oid) \
     and (o.typrelid = 0 or exists (select from pg_catalog.pg_class r \
       where r.oid = o.typrelid and r.relkind = 'c')))";

/// All classes but columns.
pub(super) const SUBJECTS: &[Subject] = &[
    subject(
        CatalogId::NAMESPACE,
        "pg_namespace o",
        Home::Schema("o.oid"),
    )
    .owner("o.nspowner")
    .acl("o.nspacl", "'n'")
    .names("array[o.nspname::pg_catalog.text]"),
    subject(
        CatalogId::CLASS,
        "pg_class o",
        Home::Schema("o.relnamespace"),
    )
    .owner("o.relowner")
    .owned(OWN_RELATION)
    .acl(
        "o.relacl",
        "case o.relkind when 'S' then 's'::\"char\" else 'r' end",
    )
    .kind(
        "case o.relkind when 'r' then 'table' when 'p' then 'table' when 'S' then 'sequence' when 'i' then 'index' \
         when 'I' then 'index' when 'v' then 'view' when 'm' then 'materialized view' when 'f' then 'foreign table' end",
    )
    .names("array[n.nspname::pg_catalog.text, o.relname::pg_catalog.text]"),
    subject(CatalogId::PROC, "pg_proc o", Home::Schema("o.pronamespace"))
        .owner("o.proowner")
        .acl("o.proacl", "'f'"),
    subject(CatalogId::TYPE, "pg_type o", Home::Schema("o.typnamespace"))
        .owner("o.typowner")
        .owned(OWN_TYPE)
        .acl("o.typacl", "'T'")
        .names("array[n.nspname::pg_catalog.text, o.typname::pg_catalog.text]"),
    subject(CatalogId::LANGUAGE, "pg_language o", Home::Maker)
        .owner("o.lanowner")
        .acl("o.lanacl", "'l'"),
    subject(
        CatalogId::FOREIGN_DATA_WRAPPER,
        "pg_foreign_data_wrapper o",
        Home::Owner,
    )
    .owner("o.fdwowner")
    .acl("o.fdwacl", "'F'"),
    subject(
        CatalogId::FOREIGN_SERVER,
        "pg_foreign_server o",
        Home::Owner,
    )
    .owner("o.srvowner")
    .acl("o.srvacl", "'S'"),
    subject(
        CatalogId::LARGE_OBJECT,
        "pg_largeobject_metadata o",
        Home::Owner,
    )
    .owner("o.lomowner")
    .acl("o.lomacl", "'L'"),
    subject(
        CatalogId::COLLATION,
        "pg_collation o",
        Home::Schema("o.collnamespace"),
    )
    .owner("o.collowner"),
    subject(
        CatalogId::CONVERSION,
        "pg_conversion o",
        Home::Schema("o.connamespace"),
    )
    .owner("o.conowner"),
    subject(
        CatalogId::OPERATOR,
        "pg_operator o",
        Home::Schema("o.oprnamespace"),
    )
    .owner("o.oprowner"),
    subject(
        CatalogId::OPERATOR_CLASS,
        "pg_opclass o",
        Home::Schema("o.opcnamespace"),
    )
    .owner("o.opcowner"),
    subject(
        CatalogId::OPERATOR_FAMILY,
        "pg_opfamily o",
        Home::Schema("o.opfnamespace"),
    )
    .owner("o.opfowner"),
    subject(
        CatalogId::TS_CONFIGURATION,
        "pg_ts_config o",
        Home::Schema("o.cfgnamespace"),
    )
    .owner("o.cfgowner"),
    subject(
        CatalogId::TS_DICTIONARY,
        "pg_ts_dict o",
        Home::Schema("o.dictnamespace"),
    )
    .owner("o.dictowner"),
    subject(
        CatalogId::STATISTICS,
        "pg_statistic_ext o",
        Home::Schema("o.stxnamespace"),
    )
    .owner("o.stxowner"),
    subject(CatalogId::PUBLICATION, "pg_publication o", Home::Owner).owner("o.pubowner"),
    subject(CatalogId::EVENT_TRIGGER, "pg_event_trigger o", Home::Owner).owner("o.evtowner"),
    subject(
        CatalogId::CONSTRAINT,
        "pg_constraint o",
        Home::Schema("o.connamespace"),
    ),
    subject(
        CatalogId::RULE,
        "pg_rewrite o",
        Home::Relation("o.ev_class"),
    ),
    subject(
        CatalogId::TRIGGER,
        "pg_trigger o",
        Home::Relation("o.tgrelid"),
    ),
    subject(
        CatalogId::POLICY,
        "pg_policy o",
        Home::Relation("o.polrelid"),
    ),
    subject(
        CatalogId::TS_PARSER,
        "pg_ts_parser o",
        Home::Schema("o.prsnamespace"),
    ),
    subject(
        CatalogId::TS_TEMPLATE,
        "pg_ts_template o",
        Home::Schema("o.tmplnamespace"),
    ),
    subject(CatalogId::CAST, "pg_cast o", Home::Maker),
    subject(CatalogId::TRANSFORM, "pg_transform o", Home::Maker),
    subject(CatalogId::ACCESS_METHOD, "pg_am o", Home::Maker),
    subject(CatalogId::EXTENSION, "pg_extension o", Home::Maker),
];

/// Columns: they have privileges of their own.
pub(super) const COLUMN: Subject = subject(
    CatalogId::CLASS,
    "pg_attribute o join pg_catalog.pg_class c on c.oid = o.attrelid and o.attnum <> 0 \
     and not o.attisdropped and (o.attacl is not null or c.relnamespace = 11)",
    Home::Schema("c.relnamespace"),
)
.owner("c.relowner")
.acl("o.attacl", "'c'")
.kind(
    "case c.relkind when 'r' then 'table column' when 'p' then 'table column' when 'v' then 'view column' \
     when 'm' then 'materialized view column' when 'f' then 'foreign table column' end",
)
.names("array[n.nspname::pg_catalog.text, c.relname::pg_catalog.text, o.attname::pg_catalog.text]");
