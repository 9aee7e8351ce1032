//! Collations.

use super::parameters::Parameters;
use super::{Emitter, Section};
use crate::catalog::model::{Collation, CollationProvider, Object};

pub(super) fn create(object: &Object, it: &Collation, out: &mut Emitter<'_>) {
    let mut parameters = Parameters::default();
    let provider = match it.provider {
        CollationProvider::Libc => "libc",
        CollationProvider::Icu => "icu",
        CollationProvider::Builtin => "builtin",
    };
    parameters.set("PROVIDER", provider);
    match &it.ctype {
        Some(ctype) if *ctype != it.locale => {
            parameters.text("LC_COLLATE", Some(&it.locale));
            parameters.text("LC_CTYPE", Some(ctype));
        }
        _ => parameters.text("LOCALE", Some(&it.locale)),
    }
    if !it.deterministic {
        parameters.set("DETERMINISTIC", "false");
    }
    parameters.text("RULES", it.rules.as_deref());
    // Not the version: indexes are built by the target's rules.
    let sql = format!(
        "CREATE COLLATION {} {}",
        object.sql_identity(),
        parameters.to_sql()
    );
    out.create(Section::PreData, object, sql);
}
