//! Publications.

use super::options::qualified;
use super::{Emitter, Section};
use crate::catalog::model::{
    Covers, GeneratedColumns, Object, PartitionsAs, Publication, PublicationSchema,
    PublicationTable,
};
use crate::name::{quote_ident, quote_literal};

pub(super) fn create(object: &Object, publication: &Publication, out: &mut Emitter<'_>) {
    let covers = match publication.covers {
        Covers::Listed => "",
        Covers::AllTables => " FOR ALL TABLES",
    };
    let mut sql = format!(
        "CREATE PUBLICATION {}{covers} WITH (publish = {}",
        quote_ident(&object.name),
        quote_literal(&publication.operations.join(", "))
    );
    if publication.partitions_as == PartitionsAs::Root {
        sql.push_str(", publish_via_partition_root = true");
    }
    if publication.generated_columns == GeneratedColumns::Stored {
        sql.push_str(", publish_generated_columns = stored");
    }
    sql.push(')');
    out.create(Section::PostData, object, sql);
}

pub(super) fn add_table(object: &Object, member: &PublicationTable, out: &mut Emitter<'_>) {
    let mut sql = format!(
        "ALTER PUBLICATION {} ADD TABLE ONLY {}",
        quote_ident(&object.name),
        qualified(object.schema.as_deref(), &member.table)
    );
    if !member.columns.is_empty() {
        let columns: Vec<String> = member
            .columns
            .iter()
            .map(|name| quote_ident(name))
            .collect();
        sql.push_str(&format!(" ({})", columns.join(", ")));
    }
    if let Some(filter) = &member.filter {
        sql.push_str(&format!(" WHERE ({filter})"));
    }
    out.create(Section::PostData, object, sql);
}

pub(super) fn add_schema(object: &Object, member: &PublicationSchema, out: &mut Emitter<'_>) {
    let sql = format!(
        "ALTER PUBLICATION {} ADD TABLES IN SCHEMA {}",
        quote_ident(&object.name),
        quote_ident(&member.published)
    );
    out.create(Section::PostData, object, sql);
}
