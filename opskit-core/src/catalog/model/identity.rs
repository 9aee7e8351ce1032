//! How an object is called in SQL after its class: what `COMMENT ON`, `ALTER` and `GRANT` take.

use super::{Definition, Object, TextSearch};
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
