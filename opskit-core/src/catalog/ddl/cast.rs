//! Casts and conversions.

use super::{Emitter, Section};
use crate::catalog::model::{Cast, CastContext, CastMethod, Conversion, Object};
use crate::name::quote_literal;

pub(super) fn create(object: &Object, it: &Cast, out: &mut Emitter<'_>) {
    let how = match (it.method, &it.function) {
        (CastMethod::InOut, _) => "WITH INOUT".to_owned(),
        (CastMethod::Function, Some(function)) => format!("WITH FUNCTION {function}"),
        (CastMethod::Function | CastMethod::Binary, _) => "WITHOUT FUNCTION".to_owned(),
    };
    let when = match it.context {
        CastContext::Explicit => "",
        CastContext::Assignment => " AS ASSIGNMENT",
        CastContext::Implicit => " AS IMPLICIT",
    };
    let sql = format!("CREATE CAST {} {how}{when}", object.name);
    out.create(Section::PreData, object, sql);
}

pub(super) fn create_conversion(object: &Object, it: &Conversion, out: &mut Emitter<'_>) {
    let default = if it.is_default { "DEFAULT " } else { "" };
    let sql = format!(
        "CREATE {default}CONVERSION {} FOR {} TO {} FROM {}",
        object.sql_identity(),
        quote_literal(&it.from),
        quote_literal(&it.to),
        it.function.to_sql()
    );
    out.create(Section::PreData, object, sql);
}
