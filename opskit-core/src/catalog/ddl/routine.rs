//! Functions, procedures and aggregates.

use super::parameters::Parameters;
use super::{Emitter, Section};
use crate::catalog::model::{Aggregate, AggregateState, Function, Object};
use crate::name::QualifiedName;

pub(super) fn create(object: &Object, it: &Function, out: &mut Emitter<'_>) {
    // The server ends its text with a line break.
    out.create(Section::PreData, object, it.text.trim_end().to_owned());
}

pub(super) fn create_aggregate(object: &Object, it: &Aggregate, out: &mut Emitter<'_>) {
    let mut parameters = Parameters::default();
    let hypothetical = it.kind == 'h';
    let read_only = if it.kind == 'n' { 'r' } else { 'w' };
    state(&mut parameters, "", &it.plain, read_only);
    parameters.name("COMBINEFUNC", it.combine.as_ref());
    parameters.name("SERIALFUNC", it.serialize.as_ref());
    parameters.name("DESERIALFUNC", it.deserialize.as_ref());
    if let Some(moving) = &it.moving {
        state(&mut parameters, "M", moving, read_only);
        parameters.name("MINVFUNC", it.inverse.as_ref());
    }
    parameters.operator("SORTOP", it.sort_operator.as_ref());
    match it.parallel {
        's' => parameters.set("PARALLEL", "safe"),
        'r' => parameters.set("PARALLEL", "restricted"),
        _ => {}
    }
    if hypothetical {
        parameters.word("HYPOTHETICAL");
    }
    let arguments = match it.declared.as_str() {
        "" => "*",
        declared => declared,
    };
    let name = QualifiedName::new(object.schema.as_deref().unwrap_or_default(), &object.name);
    let sql = format!(
        "CREATE AGGREGATE {}({arguments}) {}",
        name.to_sql(),
        parameters.to_sql()
    );
    out.create(Section::PreData, object, sql);
}

/// The options of one way to compute; those of the moving one start with `M`.
fn state(parameters: &mut Parameters, m: &str, it: &AggregateState, modifies_by_default: char) {
    parameters.name(&format!("{m}SFUNC"), Some(&it.transition));
    parameters.set(&format!("{m}STYPE"), &it.data_type);
    if it.space_bytes != 0 {
        parameters.set(&format!("{m}SSPACE"), it.space_bytes.to_string());
    }
    parameters.name(&format!("{m}FINALFUNC"), it.finish.as_ref());
    if it.finish_gets_arguments {
        parameters.word(&format!("{m}FINALFUNC_EXTRA"));
    }
    if it.finish_modifies != modifies_by_default {
        let modifies = match it.finish_modifies {
            'r' => "read_only",
            's' => "shareable",
            _ => "read_write",
        };
        parameters.set(&format!("{m}FINALFUNC_MODIFY"), modifies);
    }
    parameters.text(&format!("{m}INITCOND"), it.initial.as_deref());
}
