//! Orders of models that stand for databases with circles in them.

use super::class::{Apart, Bend, Class};
use super::{Form, order_by};
use crate::catalog::address::{Address, CatalogId};
use crate::catalog::ddl::Section;
use crate::catalog::model::{Access, Definition, MODEL_VERSION, Model, Need, Object, Part};
use proptest::prelude::*;

/// The first letter of a name says the class: table, default (of the table with the rest of the name),
/// generation expression, view, function, key, foreign key.
fn class(object: &Object) -> Class {
    let (letter, rest) = object.name.split_at(1);
    let owner = Address::new(CatalogId::CLASS, rest.parse().unwrap_or(0));
    match letter {
        "t" => Class::new(Section::PreData, 10).taking_parts(),
        "d" => Class::new(Section::PreData, 20).within(owner, Apart::Possible),
        "g" => Class::new(Section::PreData, 20).within(owner, Apart::Impossible),
        "f" => Class::new(Section::PreData, 5).bending(Bend::Late),
        "v" => Class::new(Section::PreData, 30).bending(Bend::TwoSteps),
        "k" => Class::new(Section::PostData, 10),
        _ => Class::new(Section::PostData, 90),
    }
}

/// A model of objects with these names; their numbers are their places, from 1 on. A view's rule has
/// its view's number and 100 more.
fn model(names: &[&str], needs: &[(u32, u32)]) -> Model {
    let address = |oid| Address::new(CatalogId::CLASS, oid);
    let objects = (1..).zip(names).map(|(oid, name)| Object {
        address: address(oid),
        schema: None,
        name: (*name).to_owned(),
        owner: None,
        definition: Definition::Schema,
    });
    let need = |(object, on): &(u32, u32)| Need {
        object: address(*object),
        on: address(*on),
    };
    let rule = |oid| Part {
        part: address(oid + 100),
        of: address(oid),
    };
    Model {
        version: MODEL_VERSION,
        server_version: 150_000,
        objects: objects.collect(),
        needs: needs.iter().map(need).collect(),
        parts: (1..).zip(names).map(|(oid, _)| rule(oid)).collect(),
        outside: Vec::new(),
        access: Access::default(),
    }
}

/// The steps in words: `-` before a placeholder, `+` before a completion, parts in parentheses, `|` at
/// the rows.
fn ordered(names: &[&str], needs: &[(u32, u32)]) -> Result<String, String> {
    let model = model(names, needs);
    let steps = order_by(&model, &class).map_err(|error| error.to_string())?;
    let mut words = Vec::new();
    let mut section = Section::PreData;
    for step in steps {
        if step.section != section {
            words.push("|".to_owned());
            section = step.section;
        }
        let sign = match step.form {
            Form::Whole => "",
            Form::Placeholder => "-",
            Form::Completion => "+",
        };
        let parts: Vec<&str> = step.parts.iter().map(|part| part.name.as_str()).collect();
        let parts = match parts.as_slice() {
            [] => String::new(),
            parts => format!("({})", parts.join(" ")),
        };
        words.push(format!("{sign}{}{parts}", step.object.name));
    }
    Ok(words.join(" "))
}

#[test]
fn classes_and_names_decide_where_needs_do_not() {
    assert_eq!(
        ordered(&["v1", "t2", "k1", "t1", "x1"], &[]).unwrap(),
        "t1 t2 v1 | k1 x1"
    );
    assert_eq!(ordered(&["t1", "v1"], &[(1, 2)]).unwrap(), "v1 t1");
}

#[test]
fn defaults_are_made_within_their_table() {
    assert_eq!(
        ordered(&["t1", "d1", "f9"], &[(2, 1), (2, 3)]).unwrap(),
        "f9 t1(d1)"
    );
}

#[test]
fn a_default_that_needs_a_function_of_its_table_comes_apart() {
    // The function takes a row of the table.
    assert_eq!(
        ordered(&["t1", "d1", "f9"], &[(2, 1), (2, 3), (3, 1)]).unwrap(),
        "t1 f9 d1"
    );
}

#[test]
fn a_generation_expression_cannot_come_apart() {
    let said = ordered(&["t1", "g1", "f9"], &[(2, 1), (2, 3), (3, 1)]).unwrap_err();
    assert!(
        said.contains("circle") && said.contains("f9") && said.contains("t1"),
        "{said}"
    );
}

#[test]
fn views_in_a_circle_are_made_in_two_steps() {
    // Each reads the other.
    assert_eq!(
        ordered(&["v1", "v2"], &[(101, 2), (102, 1)]).unwrap(),
        "-v1 -v2 +v1 +v2"
    );
    // Who is not in the circle waits for the whole view.
    assert_eq!(
        ordered(&["v1", "f9", "v3"], &[(101, 2), (2, 1), (103, 1)]).unwrap(),
        "-v1 f9 +v1 v3"
    );
    // The columns' types come before the first step.
    assert_eq!(
        ordered(&["v1", "f9", "t7"], &[(1, 3), (101, 2), (2, 1)]).unwrap(),
        "t7 -v1 f9 +v1"
    );
}

#[test]
fn what_needs_a_key_comes_after_the_rows() {
    // A view that groups by a primary key, a view of that view, and a function that reads it.
    let needs = [(101, 2), (2, 3), (104, 1), (5, 1)];
    assert_eq!(
        ordered(&["v1", "k1", "t1", "v2", "f9"], &needs).unwrap(),
        "t1 | k1 v1 f9 v2"
    );
    // A table with a column of that view's type holds rows itself.
    assert_eq!(
        ordered(&["v1", "k1", "t1", "t2"], &[(101, 2), (2, 3), (4, 1)]).unwrap(),
        "t1 -v1 t2 | k1 +v1"
    );
    // A default is not needed for the rows.
    assert_eq!(
        ordered(&["t1", "d1", "f9", "k1"], &[(2, 1), (2, 3), (3, 4), (4, 1)]).unwrap(),
        "t1 | k1 f9 d1"
    );
}

#[test]
fn a_circle_that_cannot_be_broken_is_named() {
    let said = ordered(&["t1", "t2", "t3"], &[(1, 2), (2, 1), (3, 1)]).unwrap_err();
    assert_eq!(
        said,
        "objects need each other in a circle: schema t1, schema t2"
    );
}

#[test]
fn long_chains_do_not_end_the_stack() {
    let names: Vec<String> = (0..50_000).map(|at| format!("v{at}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let circle: Vec<(u32, u32)> = (1..=50_000).map(|at| (at, at % 50_000 + 1)).collect();
    assert!(ordered(&names, &circle[..49_999]).is_ok());
    assert!(
        ordered(&names, &circle).is_err(),
        "the columns need each other"
    );
}

proptest! {
    /// Whatever the needs: every object comes once, and after what it needs.
    #[test]
    fn needs_come_first(needs in proptest::collection::vec((1_u32..=20, 1_u32..=20), 0..60)) {
        // Without circles: the later needs the earlier.
        let needs: Vec<(u32, u32)> = needs.into_iter().filter(|(a, b)| a > b).collect();
        let names: Vec<String> = (1..=20).map(|at| format!("{}{at}", ["t", "f", "v"][at % 3])).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let model = model(&names, &needs);
        let steps = order_by(&model, &class).unwrap();
        let places: Vec<u32> = steps.iter().map(|step| step.object.address.oid).collect();
        prop_assert_eq!(places.len(), names.len());
        let place = |oid| places.iter().position(|at| *at == oid);
        for (object, on) in needs {
            prop_assert!(place(on) < place(object));
        }
    }
}
