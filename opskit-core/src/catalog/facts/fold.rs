//! From rows to facts.

use super::catalogs::{About, Target};
use super::names::{Named, Names, Owned, ident};
use super::query::{FIRST_ATTRIBUTE, Reading};
use super::{Attributes, Fact};
use crate::catalog::address::{Address, CatalogId};
use crate::catalog::{TextRow, number, text};
use crate::error::Result;
use std::sync::Arc;

/// Makes the fact of a row; `None` where it is not the user's.
pub(super) fn fact(reading: &Reading, names: &Names, row: &mut TextRow) -> Result<Option<Fact>> {
    let address = Address::new(CatalogId(number(row, 1)?), number(row, 2)?);
    let named = names.get(address);
    if named.is_some_and(|named| named.owned != Owned::ByUser) {
        return Ok(None);
    }
    // A subscription that is dropped leaves its comment.
    if named.is_none() && address.catalog == CatalogId::SUBSCRIPTION {
        return Ok(None);
    }
    let about = match (reading.walk.about, named) {
        (About::Own(catalog, _), _) => Some(Address::new(catalog, number(row, 3)?)),
        (About::Object, Some(named)) => Some(top(names, named)),
        (About::Object, None) => None,
    };
    let mut attributes = Vec::with_capacity(reading.attributes.len());
    let mut part: Vec<Option<String>> = vec![None; reading.walk.part.len()];
    for (at, (name, target)) in reading.attributes.iter().enumerate() {
        let Some(value) = row.get_mut(FIRST_ATTRIBUTE + at).and_then(Option::take) else {
            continue;
        };
        let value = match target {
            None => value,
            Some(Target::Object(class)) => objects(&value, *class, names),
            Some(Target::ColumnsOf(relation)) => {
                columns(&value, relation_of(reading, relation, row)?, names)
            }
        };
        match reading.walk.part.iter().position(|of| **of == **name) {
            Some(at) => part[at] = Some(value),
            None => attributes.push((Arc::clone(name), value.into_boxed_str())),
        }
    }
    let part: Vec<String> = part.into_iter().flatten().collect();
    Ok(Some(Fact {
        about,
        object: named.map_or_else(
            || "an object without a name".into(),
            |named| Arc::clone(&named.label),
        ),
        catalog: Arc::clone(&reading.catalog),
        part: (!part.is_empty()).then(|| part.join(" ").into()),
        attributes: attributes.into_iter().collect(),
    }))
}

/// Makes the fact of changed privileges on an object of an extension or of the server.
pub(super) fn acl(reading: &Reading, names: &Names, row: &TextRow) -> Result<Option<Fact>> {
    let address = Address::new(CatalogId(number(row, 2)?), number(row, 3)?);
    let named = names
        .get(address)
        .filter(|named| named.owned == Owned::ByOthers);
    let (Some(named), Some((column, _))) = (named, reading.walk.acl) else {
        return Ok(None);
    };
    let current = text(row, 5)?;
    if row[6].as_deref() == Some(current) {
        return Ok(None);
    }
    let attributes: Attributes = [(Arc::from(column), Box::from(current))]
        .into_iter()
        .collect();
    Ok(Some(Fact {
        about: Some(top(names, named)),
        object: Arc::clone(&named.label),
        catalog: Arc::clone(&reading.catalog),
        part: row[4].as_deref().map(|column| ident(column).into()),
        attributes,
    }))
}

/// The object whose statement makes what `named` is; an index of a constraint of a … ends somewhere.
fn top(names: &Names, named: &Named) -> Address {
    let maker = names.get(named.made_by);
    maker.map_or(named.made_by, |maker| maker.made_by)
}

fn relation_of(reading: &Reading, relation: &str, row: &TextRow) -> Result<u32> {
    let at = reading.hidden.iter().position(|name| *name == relation);
    at.map_or(Ok(0), |at| {
        number(row, FIRST_ATTRIBUTE + reading.attributes.len() + at)
    })
}

/// OIDs, alone or in an array, as what they mean. In arrays zero stands for nothing in particular.
fn objects(value: &str, class: CatalogId, names: &Names) -> String {
    each_number(value, |oid| match oid.parse() {
        Ok(0) => "-".to_owned(),
        Ok(oid) => names.identity(class, oid),
        Err(_) => oid.to_owned(),
    })
}

/// Numbers of columns, alone or in an array, as their names. Zero is an expression of an index.
fn columns(value: &str, relation: u32, names: &Names) -> String {
    each_number(value, |number| {
        let name = number
            .parse()
            .ok()
            .and_then(|at| names.column(relation, at));
        name.map_or_else(
            || {
                if number == "0" {
                    "-".into()
                } else {
                    format!("#{number}")
                }
            },
            ident,
        )
    })
}

/// `17`, `1 2` or `{1,2}` with each number replaced, parted by commas.
fn each_number(value: &str, replace: impl Fn(&str) -> String) -> String {
    let numbers = value.split(|c: char| !c.is_ascii_digit() && c != '-');
    let named: Vec<String> = numbers
        .filter(|part| !part.is_empty())
        .map(replace)
        .collect();
    named.join(", ")
}
