//! Types other than domains.

use super::parameters::Parameters;
use super::{Emitter, Section};
use crate::catalog::model::{BaseType, CompositeType, EnumType, Object, RangeType, TypeDefinition};
use crate::catalog::order::Form;
use crate::name::{quote_ident, quote_literal};

/// Multiranges exist from this version on.
const MULTIRANGES: u32 = 140_000;

/// Types say how they are subscripted from this version on.
const SUBSCRIPTS: u32 = 140_000;

pub(super) fn create(object: &Object, it: &TypeDefinition, out: &mut Emitter<'_>) {
    let version = out.options.target_version;
    let what = match it {
        // The type's own functions take or give it: its name comes first, then they do.
        _ if out.form() == Form::Placeholder => String::new(),
        TypeDefinition::Enum(it) => enumeration(it),
        TypeDefinition::Composite(it) => composite(it),
        TypeDefinition::Range(it) => range(it, version),
        TypeDefinition::Base(it) => format!(" {}", base(it, version)),
        TypeDefinition::Shell => String::new(),
    };
    let sql = format!("CREATE TYPE {}{what}", object.sql_identity());
    out.create(Section::PreData, object, sql);
}

fn enumeration(it: &EnumType) -> String {
    let labels: Vec<String> = it.labels.iter().map(|label| quote_literal(label)).collect();
    format!(" AS ENUM ({})", labels.join(", "))
}

fn composite(it: &CompositeType) -> String {
    let attributes = it.attributes.iter().map(|attribute| {
        let collation = attribute
            .collation
            .as_ref()
            .map(|name| format!(" COLLATE {}", name.to_sql()));
        format!(
            "{} {}{}",
            quote_ident(&attribute.name),
            attribute.data_type,
            collation.unwrap_or_default()
        )
    });
    let attributes: Vec<String> = attributes.collect();
    format!(" AS (\n    {}\n)", attributes.join(",\n    "))
}

fn range(it: &RangeType, target_version: u32) -> String {
    let mut parameters = Parameters::default();
    parameters.set("SUBTYPE", &it.subtype);
    parameters.name("SUBTYPE_OPCLASS", it.operator_class.as_ref());
    parameters.name("COLLATION", it.collation.as_ref());
    parameters.name("CANONICAL", it.canonical.as_ref());
    parameters.name("SUBTYPE_DIFF", it.difference.as_ref());
    if target_version >= MULTIRANGES {
        parameters.name("MULTIRANGE_TYPE_NAME", it.multirange.as_ref());
    }
    format!(" AS RANGE {}", parameters.to_sql())
}

fn base(it: &BaseType, target_version: u32) -> String {
    let mut parameters = Parameters::default();
    for (option, function) in &it.functions {
        if option != "SUBSCRIPT" || target_version >= SUBSCRIPTS {
            parameters.name(option, function.as_ref());
        }
    }
    match it.length {
        ..0 => parameters.set("INTERNALLENGTH", "VARIABLE"),
        bytes => parameters.set("INTERNALLENGTH", bytes.to_string()),
    }
    if it.by_value {
        parameters.word("PASSEDBYVALUE");
    }
    parameters.set("ALIGNMENT", alignment(it.alignment));
    parameters.set("STORAGE", storage(it.storage));
    parameters.text("CATEGORY", Some(&it.category));
    if it.preferred {
        parameters.set("PREFERRED", "true");
    }
    parameters.text("DEFAULT", it.default.as_deref());
    parameters.set_some("ELEMENT", it.element.as_ref());
    parameters.text("DELIMITER", Some(&it.delimiter));
    if it.collatable {
        parameters.set("COLLATABLE", "true");
    }
    parameters.to_sql()
}

fn alignment(letter: char) -> &'static str {
    match letter {
        'c' => "char",
        's' => "int2",
        'd' => "double",
        _ => "int4",
    }
}

fn storage(letter: char) -> &'static str {
    match letter {
        'e' => "external",
        'm' => "main",
        'x' => "extended",
        _ => "plain",
    }
}
