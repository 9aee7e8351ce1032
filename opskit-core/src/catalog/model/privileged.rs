//! What only a superuser may create.

use super::cast::CastMethod;
use super::{Aggregate, Cast, Definition, Extension, Function, Object, Operator};
use super::{TextSearch, TypeDefinition};

impl Object {
    /// Why only a superuser may create this object; `None` for what every owner of a database may.
    ///
    /// A plan names such objects before anything runs, and its role then says whether it can go on.
    ///
    /// ```no_run
    /// # fn example(model: &opskit_core::catalog::model::Model) {
    /// for object in &model.objects {
    ///     if let Some(reason) = object.needs_superuser() {
    ///         println!("{}: {reason}", object.describe());
    ///     }
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn needs_superuser(&self) -> Option<&'static str> {
        match &self.definition {
            Definition::Extension(it) => extension(it),
            Definition::Type(TypeDefinition::Base(_)) => {
                Some("its functions decide how memory is read")
            }
            Definition::Type(TypeDefinition::Shell) => Some("it is a name for a base type"),
            Definition::Type(TypeDefinition::Range(it)) if it.canonical.is_some() => {
                Some("its name must exist before its function, as that of a base type")
            }
            Definition::Function(it) => function(it),
            Definition::Aggregate(it) => aggregate(it),
            Definition::Operator(it) => operator(it),
            Definition::OperatorFamily(_) | Definition::OperatorClass(_) => {
                Some("a wrong one makes the server give wrong answers or end")
            }
            Definition::Cast(it) => cast(it),
            Definition::Language(_) => Some("a language is code on the server's machine"),
            // Whoever owns its functions may make it, and nobody else could make those.
            Definition::Transform(_) => Some("its functions are code on the server's machine"),
            Definition::AccessMethod(_) => Some("an access method is code on the server's machine"),
            Definition::EventTrigger(_) => Some("it runs for what everybody does"),
            Definition::ForeignDataWrapper(_) => {
                Some("its functions are code on the server's machine")
            }
            Definition::TextSearch(TextSearch::Parser(_) | TextSearch::Template(_)) => {
                Some("its functions are code on the server's machine")
            }
            _ => None,
        }
    }
}

fn extension(it: &Extension) -> Option<&'static str> {
    match it.control {
        Some(control) if control.superuser && !control.trusted => {
            Some("the extension is not trusted")
        }
        Some(_) => None,
        None => Some("the server has no files of this version that say who may create it"),
    }
}

fn function(it: &Function) -> Option<&'static str> {
    if matches!(it.language.as_str(), "c" | "internal") {
        Some("it calls code on the server's machine")
    } else if !it.language_is_trusted {
        Some("its language is not trusted")
    } else if it.leakproof {
        Some("it is declared LEAKPROOF")
    } else if it.has_support {
        Some("it has a support function")
    } else if it.sets_reserved {
        Some("it sets a parameter that only a superuser may set")
    } else {
        None
    }
}

fn aggregate(it: &Aggregate) -> Option<&'static str> {
    let mut states = std::iter::once(&it.plain).chain(&it.moving);
    states
        .any(|state| state.data_type == "internal")
        .then_some("its state is of the type internal")
}

fn operator(it: &Operator) -> Option<&'static str> {
    let mut estimators = it.restrict.iter().chain(&it.join);
    estimators
        .any(|estimator| estimator.schema != "pg_catalog")
        .then_some("its selectivity is estimated by a function that is not the server's")
}

fn cast(it: &Cast) -> Option<&'static str> {
    if it.method == CastMethod::Binary {
        Some("it takes the bytes of one type for another")
    } else if !it.has_user_type {
        Some("none of its types is the user's")
    } else {
        None
    }
}
