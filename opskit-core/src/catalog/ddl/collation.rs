//! Collations.

use super::options::Options;
use super::{Emitter, Section};
use crate::catalog::model::{Collation, CollationProvider, Object};

pub(super) fn create(object: &Object, it: &Collation, out: &mut Emitter<'_>) {
    let mut options = Options::default();
    let provider = match it.provider {
        CollationProvider::Libc => "libc",
        CollationProvider::Icu => "icu",
        CollationProvider::Builtin => "builtin",
    };
    options.set("PROVIDER", provider);
    match &it.ctype {
        Some(ctype) if *ctype != it.locale => {
            options.text("LC_COLLATE", Some(&it.locale));
            options.text("LC_CTYPE", Some(ctype));
        }
        _ => options.text("LOCALE", Some(&it.locale)),
    }
    if !it.deterministic {
        options.set("DETERMINISTIC", "false");
    }
    options.text("RULES", it.rules.as_deref());
    // Not the version: indexes are built by the target's rules.
    let sql = format!(
        "CREATE COLLATION {} {}",
        object.sql_identity(),
        options.to_sql()
    );
    out.create(Section::PreData, object, sql);
}
