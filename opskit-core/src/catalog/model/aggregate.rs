//! Aggregates.

use super::read::{ReadContext, Reading};
use super::shape::{Listing, Owner, function, json_value, operator, parse, type_text};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// An aggregate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Aggregate {
    /// `pg_aggregate.aggkind`: `n`ormal, `o`rdered set, `h`ypothetical set.
    pub kind: char,
    /// What tells it from others of its name.
    pub arguments: String,
    /// Its arguments as they are declared, with defaults and `ORDER BY`.
    pub declared: String,
    /// How it computes.
    pub plain: AggregateState,
    /// How it computes over a moving frame, where it can.
    pub moving: Option<AggregateState>,
    /// The function that takes a row out of the state of a moving frame.
    pub inverse: Option<QualifiedName>,
    /// Joins two states.
    pub combine: Option<QualifiedName>,
    /// Writes a state.
    pub serialize: Option<QualifiedName>,
    /// Reads what `serialize` wrote.
    pub deserialize: Option<QualifiedName>,
    /// The operator that orders, for those like `min`.
    pub sort_operator: Option<QualifiedName>,
    /// `pg_proc.proparallel`.
    pub parallel: char,
}

/// One way for an aggregate to compute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AggregateState {
    /// Takes a row into the state.
    pub transition: QualifiedName,
    /// The state's type, as the server spells it.
    pub data_type: String,
    /// About how many bytes a state has; 0: unknown.
    pub space_bytes: i32,
    /// Makes the result.
    pub finish: Option<QualifiedName>,
    /// The function that finishes gets the arguments too.
    pub finish_gets_arguments: bool,
    /// Whether finishing changes the state: `r`ead-only, `s`hareable, read-`w`rite.
    pub finish_modifies: char,
    /// The state before the first row, as a literal.
    pub initial: Option<String>,
}

pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let name = |column: &str| function(&of(column));
    let moving = format!(
        "case when {} <> 0 then {} end",
        of("aggmtranstype"),
        state("m")
    );
    Listing {
        what: "the aggregates",
        catalog: CatalogId::PROC,
        table: "pg_proc",
        prefix: "pro",
        owner: Owner::Role,
        fields: &[
            ("kind", &of("aggkind")),
            (
                "arguments",
                "pg_catalog.pg_get_function_identity_arguments(x.oid)",
            ),
            ("declared", "pg_catalog.pg_get_function_arguments(x.oid)"),
            ("plain", &state("")),
            ("moving", &moving),
            ("inverse", &name("aggminvtransfn")),
            ("combine", &name("aggcombinefn")),
            ("serialize", &name("aggserialfn")),
            ("deserialize", &name("aggdeserialfn")),
            ("sort_operator", &operator(&of("aggsortop"))),
            ("parallel", "x.proparallel"),
        ],
        filter: "x.prokind = 'a'",
        definition: |json| parse(json, |it| Definition::Aggregate(Box::new(it))),
    }
    .reading(cx)
}

/// The SQL of a column of the aggregate's other row.
fn of(column: &str) -> String {
    format!("(select a.{column} from pg_catalog.pg_aggregate a where a.aggfnoid = x.oid)")
}

/// The SQL of an [`AggregateState`]: the columns of the moving one have an `m` in their names.
fn state(m: &str) -> String {
    let of = |column: &str| of(&format!("agg{m}{column}"));
    json_value(&[
        ("transition", &function(&of("transfn"))),
        ("data_type", &type_text(&of("transtype"))),
        ("space_bytes", &of("transspace")),
        ("finish", &function(&of("finalfn"))),
        ("finish_gets_arguments", &of("finalextra")),
        ("finish_modifies", &of("finalmodify")),
        ("initial", &of("initval")),
    ])
}
