//! Extended statistics.

use super::{Emitter, Section};
use crate::catalog::model::{Object, Statistics};

pub(super) fn create(object: &Object, statistics: &Statistics, out: &mut Emitter<'_>) {
    out.create(Section::PostData, object, statistics.definition.clone());
    if let Some(target) = statistics.target {
        let name = object.sql_name();
        let sql = format!("ALTER STATISTICS {name} SET STATISTICS {target}");
        out.create(Section::PostData, object, sql);
    }
}
