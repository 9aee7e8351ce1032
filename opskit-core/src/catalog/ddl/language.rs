//! Languages, transforms and access methods.

use super::{Emitter, Section};
use crate::catalog::model::{AccessMethod, Language, Object, Transform};
use crate::name::QualifiedName;

pub(super) fn create(object: &Object, it: &Language, out: &mut Emitter<'_>) {
    let trusted = if it.trusted { "TRUSTED " } else { "" };
    let mut sql = format!(
        "CREATE {trusted}LANGUAGE {} HANDLER {}",
        object.sql_identity(),
        it.handler.to_sql()
    );
    for (word, function) in [("INLINE", &it.inline), ("VALIDATOR", &it.validator)] {
        if let Some(function) = function.as_ref().map(QualifiedName::to_sql) {
            sql.push_str(&format!(" {word} {function}"));
        }
    }
    out.create(Section::PreData, object, sql);
}

pub(super) fn create_transform(object: &Object, it: &Transform, out: &mut Emitter<'_>) {
    let functions = [("FROM SQL", &it.from_sql), ("TO SQL", &it.to_sql)];
    let functions: Vec<String> = functions
        .iter()
        .filter_map(|(word, function)| {
            let function = function.as_ref()?;
            Some(format!("{word} WITH FUNCTION {function}"))
        })
        .collect();
    let sql = format!(
        "CREATE TRANSFORM {} ({})",
        object.sql_identity(),
        functions.join(", ")
    );
    out.create(Section::PreData, object, sql);
}

pub(super) fn create_access_method(object: &Object, it: &AccessMethod, out: &mut Emitter<'_>) {
    let kind = if it.kind == 't' { "TABLE" } else { "INDEX" };
    let sql = format!(
        "CREATE ACCESS METHOD {} TYPE {kind} HANDLER {}",
        object.sql_identity(),
        it.handler.to_sql()
    );
    out.create(Section::PreData, object, sql);
}
