//! Operators, operator families and operator classes.

use super::parameters::Parameters;
use super::{Emitter, Section};
use crate::catalog::model::{Members, Object, Operator, OperatorClass, OperatorFamily};
use crate::name::quote_ident;

pub(super) fn create(object: &Object, it: &Operator, out: &mut Emitter<'_>) {
    let mut parameters = Parameters::default();
    parameters.name("FUNCTION", Some(&it.function));
    parameters.set_some("LEFTARG", it.left.as_ref());
    parameters.set_some("RIGHTARG", it.right.as_ref());
    // One that does not exist yet is made as a name, and filled when its turn comes.
    parameters.operator("COMMUTATOR", it.commutator.as_ref());
    parameters.operator("NEGATOR", it.negator.as_ref());
    parameters.name("RESTRICT", it.restrict.as_ref());
    parameters.name("JOIN", it.join.as_ref());
    if it.hashes {
        parameters.word("HASHES");
    }
    if it.merges {
        parameters.word("MERGES");
    }
    let schema = quote_ident(object.schema.as_deref().unwrap_or_default());
    let sql = format!(
        "CREATE OPERATOR {schema}.{} {}",
        object.name,
        parameters.to_sql()
    );
    out.create(Section::PreData, object, sql);
}

pub(super) fn create_family(object: &Object, it: &OperatorFamily, out: &mut Emitter<'_>) {
    let identity = object.sql_identity();
    let sql = format!("CREATE OPERATOR FAMILY {identity}");
    out.create(Section::PreData, object, sql);
    let members = members(&it.members);
    if !members.is_empty() {
        let sql = format!(
            "ALTER OPERATOR FAMILY {identity} ADD\n    {}",
            members.join(",\n    ")
        );
        out.create(Section::PreData, object, sql);
    }
}

pub(super) fn create_class(object: &Object, it: &OperatorClass, out: &mut Emitter<'_>) {
    let schema = quote_ident(object.schema.as_deref().unwrap_or_default());
    let name = quote_ident(&object.name);
    let default = if it.is_default { " DEFAULT" } else { "" };
    let mut items = members(&it.members);
    // There must be something in it; this says what is so anyway.
    if let Some(storage) = it
        .storage
        .as_ref()
        .or(items.is_empty().then_some(&it.data_type))
    {
        items.push(format!("STORAGE {storage}"));
    }
    let sql = format!(
        "CREATE OPERATOR CLASS {schema}.{name}{default} FOR TYPE {} USING {} FAMILY {} AS\n    {}",
        it.data_type,
        quote_ident(&it.method),
        it.family.to_sql(),
        items.join(",\n    ")
    );
    out.create(Section::PreData, object, sql);
}

fn members(it: &Members) -> Vec<String> {
    let operators = it.operators.iter().map(|member| {
        let order = member
            .orders_by
            .as_ref()
            .map(|family| format!(" FOR ORDER BY {}", family.to_sql()));
        format!(
            "OPERATOR {} {}{}",
            member.strategy,
            member.operator,
            order.unwrap_or_default()
        )
    });
    let functions = it.functions.iter().map(|member| {
        format!(
            "FUNCTION {} ({}, {}) {}",
            member.number, member.left, member.right, member.function
        )
    });
    operators.chain(functions).collect()
}
