//! How an object is called in SQL after its class: what `COMMENT ON`, `ALTER` and `GRANT` take.

use super::{CatalogId, Definition, Object, TextSearch};
use crate::name::{QualifiedName, quote_ident};

impl Object {
    /// The name as SQL takes it after [`Definition::sql_class`]: `"public"."f"(integer)`.
    ///
    /// ```no_run
    /// # fn example(object: &opskit_core::catalog::model::Object) {
    /// let sql = format!("COMMENT ON {} {} IS NULL", object.definition.sql_class(), object.sql_identity());
    /// # }
    /// ```
    #[must_use]
    pub fn sql_identity(&self) -> String {
        let suffix = self.definition.suffix(QualifiedName::to_sql);
        let name = match self.definition {
            // These have a name of the server's making, or one that is no identifier.
            Definition::Cast(_) | Definition::Transform(_) | Definition::Operator(_) => {
                self.name.clone()
            }
            _ => quote_ident(&self.name),
        };
        match &self.schema {
            Some(schema) if !matches!(self.definition, Definition::DomainConstraint(_)) => {
                format!("{}.{name}{suffix}", quote_ident(schema))
            }
            _ => format!("{name}{suffix}"),
        }
    }
}

impl Definition {
    /// The catalog that has rows of this class.
    #[must_use]
    pub fn catalog(&self) -> CatalogId {
        match self {
            Self::Schema => CatalogId::NAMESPACE,
            Self::Table(_)
            | Self::Sequence(_)
            | Self::Index(_)
            | Self::View(_)
            | Self::MaterializedView(_)
            | Self::ForeignTable(_) => CatalogId::CLASS,
            Self::Default(_) => CatalogId::DEFAULT,
            Self::Constraint(_) | Self::DomainConstraint(_) => CatalogId::CONSTRAINT,
            Self::Statistics(_) => CatalogId::STATISTICS,
            Self::Extension(_) => CatalogId::EXTENSION,
            Self::Type(_) | Self::Domain(_) => CatalogId::TYPE,
            Self::Collation(_) => CatalogId::COLLATION,
            Self::Function(_) | Self::Aggregate(_) => CatalogId::PROC,
            Self::Operator(_) => CatalogId::OPERATOR,
            Self::OperatorFamily(_) => CatalogId::OPERATOR_FAMILY,
            Self::OperatorClass(_) => CatalogId::OPERATOR_CLASS,
            Self::Cast(_) => CatalogId::CAST,
            Self::Conversion(_) => CatalogId::CONVERSION,
            Self::Language(_) => CatalogId::LANGUAGE,
            Self::Transform(_) => CatalogId::TRANSFORM,
            Self::TextSearch(TextSearch::Configuration(_)) => CatalogId::TS_CONFIGURATION,
            Self::TextSearch(TextSearch::Dictionary(_)) => CatalogId::TS_DICTIONARY,
            Self::TextSearch(TextSearch::Parser(_)) => CatalogId::TS_PARSER,
            Self::TextSearch(TextSearch::Template(_)) => CatalogId::TS_TEMPLATE,
            Self::AccessMethod(_) => CatalogId::ACCESS_METHOD,
            Self::Trigger(_) => CatalogId::TRIGGER,
            Self::Rule(_) => CatalogId::RULE,
            Self::EventTrigger(_) => CatalogId::EVENT_TRIGGER,
            Self::Policy(_) => CatalogId::POLICY,
            Self::Publication(_) => CatalogId::PUBLICATION,
            Self::PublicationTable(_) => CatalogId::PUBLICATION_TABLE,
            Self::PublicationSchema(_) => CatalogId::PUBLICATION_SCHEMA,
            Self::Subscription(_) => CatalogId::SUBSCRIPTION,
            Self::ForeignDataWrapper(_) => CatalogId::FOREIGN_DATA_WRAPPER,
            Self::ForeignServer(_) => CatalogId::FOREIGN_SERVER,
            Self::UserMapping(_) => CatalogId::USER_MAPPING,
            Self::LargeObject => CatalogId::LARGE_OBJECT,
            Self::DefaultAcl(_) => CatalogId::DEFAULT_ACL,
        }
    }

    /// What stands after the name, to tell the object from others of that name.
    pub(super) fn suffix(&self, name: fn(&QualifiedName) -> String) -> String {
        match self {
            Self::Function(it) => format!("({})", it.arguments),
            Self::Aggregate(it) if it.arguments.is_empty() => "(*)".to_owned(),
            Self::Aggregate(it) => format!("({})", it.arguments),
            Self::Operator(it) => {
                let side = |side: &Option<String>| side.clone().unwrap_or("NONE".to_owned());
                format!(" ({}, {})", side(&it.left), side(&it.right))
            }
            Self::OperatorClass(it) => format!(" USING {}", quote_ident(&it.method)),
            Self::OperatorFamily(it) => format!(" USING {}", quote_ident(&it.method)),
            Self::DomainConstraint(it) => format!(" ON DOMAIN {}", name(&it.domain)),
            _ => String::new(),
        }
    }
}

impl TextSearch {
    /// The class in SQL's words.
    pub(super) fn sql_class(&self) -> &'static str {
        match self {
            Self::Configuration(_) => "TEXT SEARCH CONFIGURATION",
            Self::Dictionary(_) => "TEXT SEARCH DICTIONARY",
            Self::Parser(_) => "TEXT SEARCH PARSER",
            Self::Template(_) => "TEXT SEARCH TEMPLATE",
        }
    }
}
