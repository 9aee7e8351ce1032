//! The model: typed objects of a database, read to write DDL.
//!
//! Each class of objects has one file here (its structs and the query that reads them) and one in
//! [`ddl`](super::ddl) (the statements that make it). A query returns `oid, schema, name, owner,
//! definition`, the last as a JSON document with the fields of the class's struct, so that reading is
//! one generic step and the stored model has the same form.

mod access;
mod acl;
mod aggregate;
mod cast;
mod collation;
mod column;
mod constraint;
mod conversion;
mod data_type;
mod default;
mod default_acl;
mod domain;
mod extension;
mod foreign;
mod function;
mod identity;
mod index;
mod language;
mod large_object;
mod links;
mod operator;
mod operator_class;
mod outside;
mod policy;
mod privileged;
mod publication;
mod read;
mod schema;
mod sequence;
mod shape;
mod statistics;
mod subject;
mod table;
mod target;
mod text_search;
mod trigger;
mod view;
mod withheld;

pub use access::{About, Access, Comment, Maker, Owner, Privileges, RowSecurity, SecurityLabel};
pub use acl::{Acl, AclItem};
pub use aggregate::{Aggregate, AggregateState};
pub use cast::{Cast, CastContext, CastMethod};
pub use collation::{Collation, CollationProvider};
pub use column::{Column, Generated, Identity, IdentityKind, NotNull};
pub use constraint::{Check, Constraint, Exclusion, Foreign, Key, KeyKind};
pub use conversion::Conversion;
pub use data_type::{Attribute, BaseType, CompositeType, EnumType, RangeType, TypeDefinition};
pub use default::ColumnDefault;
pub use default_acl::DefaultAcl;
pub use domain::{Domain, DomainConstraint};
pub use extension::{ConfigurationTable, Extension, ExtensionControl};
pub use foreign::{
    ForeignColumn, ForeignDataWrapper, ForeignServer, ForeignTable, Options, UserMapping,
};
pub use function::{Function, FunctionKind};
pub use index::{Index, IndexState};
pub use language::{AccessMethod, Language, Transform};
pub use operator::Operator;
pub use operator_class::{MemberFunction, MemberOperator, Members, OperatorClass, OperatorFamily};
pub use outside::{Identity as OutsideIdentity, Outside};
pub use policy::{Policy, PolicyKind};
pub use publication::{
    Covers, GeneratedColumns, PartitionsAs, Publication, PublicationSchema, PublicationTable,
    Subscription,
};
pub use sequence::{Sequence, SequenceOptions};
pub use statistics::Statistics;
pub use table::{Inheritance, Partition, Table};
pub use target::Target;
pub use text_search::{TextSearch, TsConfiguration, TsDictionary, TsMapping, TsParser, TsTemplate};
pub use trigger::{EventTrigger, Firing, PartitionFiring, Rule, TableOwner, Trigger};
pub use view::{ColumnSettings, MaterializedView, View, ViewColumn};
pub use withheld::Withheld;

pub(crate) use acl::items as acl_items;
pub(crate) use outside::{identities_sql, identity_from};
pub(crate) use read::{ModelReader, ReadContext};
pub(crate) use target::args_sql;

use super::address::{Address, CatalogId};
use super::scope::MARK_SCHEMA;
use crate::error::{Error, ErrorKind, Result, unreadable_json};
use crate::name::{QualifiedName, quote_ident};
use serde::{Deserialize, Serialize};

/// The version of the stored form.
pub const MODEL_VERSION: u32 = 1;

/// Everything the user owns in one database, at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// [`MODEL_VERSION`].
    pub version: u32,
    /// The server's version, as a number: 150018.
    pub server_version: u32,
    /// The objects, in order of their addresses.
    pub objects: Vec<Object>,
    /// Which object needs which to exist first, within the model.
    pub needs: Vec<Need>,
    /// What objects need that is not in the model. Models from before this was told have none.
    #[serde(default)]
    pub outside: Vec<Outside>,
    /// What comes and goes with an object.
    pub parts: Vec<Part>,
    /// Owners, privileges, comments and what else is said about objects.
    pub access: Access,
}

/// Something with an address of its own that its object brings along: its row type, its array type,
/// its TOAST table, the index of a constraint, the sequence of an identity column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// The part.
    pub part: Address,
    /// The object of the model that brings it.
    pub of: Address,
}

/// One object needs another to exist first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Need {
    /// The object that depends. For what the query of a view needs, but not its columns' types: the
    /// address of its rule, which is a part of the view.
    pub object: Address,
    /// What it depends on.
    pub on: Address,
}

/// One object of the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Where it was read.
    pub address: Address,
    /// Its schema, for objects that live in one.
    pub schema: Option<String>,
    /// Its name, without quotes.
    pub name: String,
    /// The role that owns it, for objects that have an owner of their own.
    pub owner: Option<String>,
    /// What it is.
    pub definition: Definition,
}

/// What an object is: one variant per class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Definition {
    /// A schema.
    Schema,
    /// A table of any kind.
    Table(Table),
    /// A sequence that belongs to no identity column.
    Sequence(Sequence),
    /// A default or a generation expression of a column.
    Default(ColumnDefault),
    /// A constraint of a table.
    Constraint(Constraint),
    /// An index that belongs to no constraint.
    Index(Index),
    /// Extended statistics.
    Statistics(Statistics),
    /// An extension.
    Extension(Extension),
    /// A type that is no domain.
    Type(TypeDefinition),
    /// A domain.
    Domain(Domain),
    /// A constraint of a domain.
    DomainConstraint(DomainConstraint),
    /// A collation.
    Collation(Collation),
    /// A function or procedure.
    Function(Function),
    /// An aggregate.
    Aggregate(Box<Aggregate>),
    /// An operator.
    Operator(Operator),
    /// An operator family.
    OperatorFamily(OperatorFamily),
    /// An operator class.
    OperatorClass(OperatorClass),
    /// A cast.
    Cast(Cast),
    /// A conversion between encodings.
    Conversion(Conversion),
    /// A procedural language.
    Language(Language),
    /// A transform.
    Transform(Transform),
    /// An object of text search.
    TextSearch(TextSearch),
    /// An access method.
    AccessMethod(AccessMethod),
    /// A view.
    View(View),
    /// A materialised view.
    MaterializedView(MaterializedView),
    /// A trigger.
    Trigger(Trigger),
    /// A rule.
    Rule(Rule),
    /// An event trigger.
    EventTrigger(EventTrigger),
    /// A row-level security policy.
    Policy(Policy),
    /// A publication.
    Publication(Publication),
    /// A table in a publication.
    PublicationTable(PublicationTable),
    /// A schema in a publication.
    PublicationSchema(PublicationSchema),
    /// A subscription.
    Subscription(Subscription),
    /// A foreign-data wrapper.
    ForeignDataWrapper(ForeignDataWrapper),
    /// A foreign server.
    ForeignServer(ForeignServer),
    /// A user mapping.
    UserMapping(UserMapping),
    /// A foreign table.
    ForeignTable(ForeignTable),
    /// A large object.
    LargeObject,
    /// Default privileges.
    DefaultAcl(DefaultAcl),
}

impl Model {
    /// Reads the stored form.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for one of a later version, [`ErrorKind::Damaged`] for what is no model.
    pub fn from_json(text: &[u8]) -> Result<Self> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let damaged = |source| unreadable_json("cannot understand a stored model", &source);
        let Versioned { version } = serde_json::from_slice(text).map_err(damaged)?;
        if version != MODEL_VERSION {
            let what = format!(
                "a stored model is of version {version}, and this opskit reads {MODEL_VERSION}"
            );
            return Err(Error::new(ErrorKind::Unsupported, what)
                .with_hint("Use the opskit that wrote it, or a newer one."));
        }
        let model: Self = serde_json::from_slice(text).map_err(damaged)?;
        model.check()?;
        Ok(model)
    }

    /// Refuses what no reader of a catalog writes. A stored model is a stranger's, and the class of an
    /// object decides whose session makes it.
    fn check(&self) -> Result<()> {
        let forged = |object: &Object, what: &str| {
            let name = object.describe();
            Error::new(
                ErrorKind::Damaged,
                format!("a stored model is forged: {name:?} {what}"),
            )
        };
        for object in &self.objects {
            if object.definition.catalog() != object.address.catalog {
                return Err(forged(object, "has the address of another class"));
            }
            let home = match &object.definition {
                Definition::Schema => Some(&object.name),
                _ => object.schema.as_ref(),
            };
            if home.is_some_and(|schema| is_servers(schema)) {
                return Err(forged(object, "is in a schema of the server's"));
            }
        }
        if self.access.kinds().any(|kind| kind.len() > KIND_BYTES_MAX) {
            let what =
                "a stored model is forged: it tells of a class of objects that no server has";
            return Err(Error::new(ErrorKind::Damaged, what));
        }
        Ok(())
    }
}

/// More than the server's longest word for a class.
const KIND_BYTES_MAX: usize = 64;

/// Whether a schema is the server's, or where restores keep their mark.
pub(crate) fn is_servers(schema: &str) -> bool {
    schema.starts_with("pg_") || schema == "information_schema" || schema == MARK_SCHEMA
}

impl Definition {
    /// The class in SQL's words: `SCHEMA`, as `COMMENT ON` and `ALTER` want it.
    #[must_use]
    pub fn sql_class(&self) -> &'static str {
        match self {
            Self::Schema => "SCHEMA",
            Self::Table(_) => "TABLE",
            Self::Sequence(_) => "SEQUENCE",
            Self::Default(_) => "DEFAULT",
            Self::Constraint(_) => "CONSTRAINT",
            Self::Index(_) => "INDEX",
            Self::Statistics(_) => "STATISTICS",
            Self::Extension(_) => "EXTENSION",
            Self::Type(_) => "TYPE",
            Self::Domain(_) => "DOMAIN",
            Self::DomainConstraint(_) => "CONSTRAINT",
            Self::Collation(_) => "COLLATION",
            Self::Function(it) if it.kind == FunctionKind::Procedure => "PROCEDURE",
            Self::Function(_) => "FUNCTION",
            Self::Aggregate(_) => "AGGREGATE",
            Self::Operator(_) => "OPERATOR",
            Self::OperatorFamily(_) => "OPERATOR FAMILY",
            Self::OperatorClass(_) => "OPERATOR CLASS",
            Self::Cast(_) => "CAST",
            Self::Conversion(_) => "CONVERSION",
            Self::Language(_) => "LANGUAGE",
            Self::Transform(_) => "TRANSFORM",
            Self::TextSearch(it) => it.sql_class(),
            Self::AccessMethod(_) => "ACCESS METHOD",
            Self::View(_) => "VIEW",
            Self::MaterializedView(_) => "MATERIALIZED VIEW",
            Self::Trigger(_) => "TRIGGER",
            Self::Rule(_) => "RULE",
            Self::EventTrigger(_) => "EVENT TRIGGER",
            Self::Policy(_) => "POLICY",
            Self::Publication(_) => "PUBLICATION",
            Self::PublicationTable(_) => "PUBLICATION TABLE",
            Self::PublicationSchema(_) => "PUBLICATION SCHEMA",
            Self::Subscription(_) => "SUBSCRIPTION",
            Self::ForeignDataWrapper(_) => "FOREIGN DATA WRAPPER",
            Self::ForeignServer(_) => "SERVER",
            Self::UserMapping(_) => "USER MAPPING",
            Self::ForeignTable(_) => "FOREIGN TABLE",
            Self::LargeObject => "LARGE OBJECT",
            Self::DefaultAcl(_) => "DEFAULT PRIVILEGES",
        }
    }
}

impl Object {
    /// The object in words, for people: `table public.orders`.
    #[must_use]
    pub fn describe(&self) -> String {
        let class = self.definition.sql_class().to_lowercase();
        let suffix = self.definition.suffix(QualifiedName::to_string);
        let part_of = match &self.definition {
            Definition::Trigger(trigger) => Some(&trigger.table),
            Definition::Rule(rule) => Some(&rule.table),
            Definition::Policy(policy) => Some(&policy.table),
            Definition::PublicationTable(member) => Some(&member.table),
            _ => None,
        };
        if let (Some(schema), Some(relation)) = (&self.schema, part_of) {
            return format!("{class} {} on {schema}.{relation}", self.name);
        }
        match (&self.definition, &self.schema) {
            (Definition::Constraint(constraint), _) => {
                format!("{class} {} on {}", self.name, constraint.table())
            }
            (_, Some(schema)) => format!("{class} {schema}.{}{suffix}", self.name),
            (_, None) => format!("{class} {}{suffix}", self.name),
        }
    }

    /// The object's name for SQL, quoted and with its schema.
    #[must_use]
    pub fn sql_name(&self) -> String {
        match &self.schema {
            Some(schema) => QualifiedName::new(schema, &self.name).to_sql(),
            None => quote_ident(&self.name),
        }
    }
}
