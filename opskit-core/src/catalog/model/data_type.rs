//! Types other than domains: enums, composites, ranges, base types and shells.

use super::read::{ReadContext, Reading};
use super::shape::{
    Listing, Owner, function, json_value, own_collation, parse, qualified, type_text,
};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// A type that is no domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TypeDefinition {
    /// `AS ENUM`.
    Enum(EnumType),
    /// A stand-alone composite type.
    Composite(CompositeType),
    /// `AS RANGE`.
    Range(RangeType),
    /// A base type, made of functions in C.
    Base(BaseType),
    /// A name without anything behind it yet.
    Shell,
}

/// An enum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnumType {
    /// Its labels, in their order.
    pub labels: Vec<String>,
}

/// A composite type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CompositeType {
    /// Its attributes, in their order.
    pub attributes: Vec<Attribute>,
}

/// An attribute of a composite type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type, as the server spells it.
    pub data_type: String,
    /// Its collation, where it is not its type's.
    pub collation: Option<QualifiedName>,
}

/// A range type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RangeType {
    /// What it is a range of.
    pub subtype: String,
    /// Its operator class, where it is not the subtype's default.
    pub operator_class: Option<QualifiedName>,
    /// Its collation, where it is not the subtype's.
    pub collation: Option<QualifiedName>,
    /// The function that makes bounds canonical. It takes the range itself.
    pub canonical: Option<QualifiedName>,
    /// The function that subtracts values of the subtype.
    pub difference: Option<QualifiedName>,
    /// The type of its multiranges, from version 14 on.
    pub multirange: Option<QualifiedName>,
}

/// A base type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaseType {
    /// Its functions, by the names of the options of `CREATE TYPE`.
    pub functions: Vec<(String, Option<QualifiedName>)>,
    /// Bytes of a value; -1: they vary.
    pub length: i32,
    /// Whether values fit into a machine word.
    pub by_value: bool,
    /// `c`, `s`, `i` or `d`.
    pub alignment: char,
    /// `p`, `e`, `m` or `x`.
    pub storage: char,
    /// Its category for implicit casts.
    pub category: String,
    /// Whether it is preferred within its category.
    pub preferred: bool,
    /// The default of columns, as a literal.
    pub default: Option<String>,
    /// The type of its elements, where it can be subscripted.
    pub element: Option<String>,
    /// Between the elements of its arrays.
    pub delimiter: String,
    /// Whether it takes collations.
    pub collatable: bool,
}

/// The query for types of one kind, all of which are rows of `pg_type`.
fn listing<'a>(
    what: &'static str,
    filter: &'a str,
    fields: &'a [(&'a str, &'a str)],
    definition: fn(&str) -> serde_json::Result<Definition>,
) -> Listing<'a> {
    Listing {
        what,
        catalog: CatalogId::TYPE,
        table: "pg_type",
        prefix: "typ",
        owner: Owner::Role,
        fields,
        filter,
        definition,
    }
}

pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    vec![
        enums(cx),
        composites(cx),
        ranges(cx),
        base_types(cx),
        undefined(cx),
    ]
}

fn enums(cx: &ReadContext<'_>) -> Reading {
    let labels = "array(select e.enumlabel from pg_catalog.pg_enum e where e.enumtypid = x.oid \
                  order by e.enumsortorder)";
    listing(
        "the enums",
        "x.typtype = 'e'",
        &[("labels", labels)],
        |json| parse(json, |it| Definition::Type(TypeDefinition::Enum(it))),
    )
    .reading(cx)
}

fn composites(cx: &ReadContext<'_>) -> Reading {
    let collation = own_collation("a.attcollation", "a.atttypid");
    let attribute = json_value(&[
        ("name", "a.attname"),
        (
            "data_type",
            "pg_catalog.format_type(a.atttypid, a.atttypmod)",
        ),
        ("collation", &collation),
    ]);
    let attributes = format!(
        "array(select {attribute} from pg_catalog.pg_attribute a where a.attrelid = x.typrelid \
         and a.attnum > 0 and not a.attisdropped order by a.attnum)"
    );
    listing(
        "the composite types",
        // The row types of tables belong to their tables.
        "x.typtype = 'c' and exists (select from pg_catalog.pg_class c \
         where c.oid = x.typrelid and c.relkind = 'c')",
        &[("attributes", &attributes)],
        |json| parse(json, |it| Definition::Type(TypeDefinition::Composite(it))),
    )
    .reading(cx)
}

fn ranges(cx: &ReadContext<'_>) -> Reading {
    let of = |column: &str| {
        format!("(select r.{column} from pg_catalog.pg_range r where r.rngtypid = x.oid)")
    };
    let class = qualified(
        "pg_opclass",
        "opc",
        &format!("{} and not q.opcdefault", of("rngsubopc")),
    );
    let multirange = if cx.server_version >= 140_000 {
        qualified("pg_type", "typ", &of("rngmultitypid"))
    } else {
        "null".to_owned()
    };
    listing(
        "the ranges",
        "x.typtype = 'r'",
        &[
            ("subtype", &type_text(&of("rngsubtype"))),
            ("operator_class", &class),
            (
                "collation",
                &own_collation(&of("rngcollation"), &of("rngsubtype")),
            ),
            ("canonical", &function(&of("rngcanonical"))),
            ("difference", &function(&of("rngsubdiff"))),
            ("multirange", &multirange),
        ],
        |json| parse(json, |it| Definition::Type(TypeDefinition::Range(it))),
    )
    .reading(cx)
}

/// Base types, without the arrays that come with every type.
const BASE: &str = "x.typtype = 'b' and x.typisdefined and not exists \
                    (select from pg_catalog.pg_type el where el.typarray = x.oid)";

fn base_types(cx: &ReadContext<'_>) -> Reading {
    let mut options = vec![
        ("INPUT", "x.typinput"),
        ("OUTPUT", "x.typoutput"),
        ("RECEIVE", "x.typreceive"),
        ("SEND", "x.typsend"),
        ("TYPMOD_IN", "x.typmodin"),
        ("TYPMOD_OUT", "x.typmodout"),
        ("ANALYZE", "x.typanalyze"),
    ];
    if cx.server_version >= 140_000 {
        options.push(("SUBSCRIPT", "x.typsubscript"));
    }
    let functions: Vec<String> = options
        .iter()
        .map(|(option, oid)| {
            format!(
                "pg_catalog.json_build_array('{option}', {})",
                function(&format!("{oid}::pg_catalog.oid"))
            )
        })
        .collect();
    let functions = format!("pg_catalog.json_build_array({})", functions.join(", "));
    listing(
        "the base types",
        BASE,
        &[
            ("functions", &functions),
            ("length", "x.typlen"),
            ("by_value", "x.typbyval"),
            ("alignment", "x.typalign"),
            ("storage", "x.typstorage"),
            ("category", "x.typcategory"),
            ("preferred", "x.typispreferred"),
            ("default", "x.typdefault"),
            ("element", &type_text("x.typelem")),
            ("delimiter", "x.typdelim"),
            ("collatable", "x.typcollation <> 0"),
        ],
        |json| parse(json, |it| Definition::Type(TypeDefinition::Base(it))),
    )
    .reading(cx)
}

fn undefined(cx: &ReadContext<'_>) -> Reading {
    listing(
        "the shell types",
        "x.typtype = 'p' and not x.typisdefined",
        &[],
        |_| Ok(Definition::Type(TypeDefinition::Shell)),
    )
    .reading(cx)
}
