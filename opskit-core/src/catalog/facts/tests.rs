//! The fold of rows, and what files of facts hold.

use super::*;
use crate::catalog::TextRow;
use crate::catalog::address::CatalogId;
use crate::error::ErrorKind;

fn row(fields: &[&str]) -> TextRow {
    let field = |text: &&str| (*text != "~").then(|| (*text).to_owned());
    fields.iter().map(field).collect()
}

/// A reader that knows a schema, a table with a column and an index of a constraint.
fn reader() -> FactsReader {
    let mut reader = FactsReader::new(FactsOptions::default(), 150_000);
    let opening: &[&[&str]] = &[
        &["salt", "pepper"],
        &["attribute", "pg_class", "relowner", "oid", "f", "t"],
        &["attribute", "pg_class", "relrowsecurity", "bool", "f", "t"],
        &["attribute", "pg_index", "indkey", "int2vector", "f", "t"],
        &[
            "attribute",
            "pg_subscription",
            "subconninfo",
            "text",
            "t",
            "f",
        ],
        &["role", "10", "Bob", "f"],
        &["schema", "2200", "public", "t", "10"],
        &["schema", "5000", "storage", "f", "10"],
        &["columns", "20000", "[\"id\"]"],
        &[
            "object", "1259", "20000", "2200", "10", "t", "r", "~", "~", "~",
        ],
        &[
            "object", "1259", "20001", "2200", "10", "t_pkey", "i", "20000", "20002", "~",
        ],
        &[
            "object", "1259", "20003", "5000", "10", "objects", "r", "~", "~", "~",
        ],
        &["object", "2606", "20002", "~", "~", "t_pkey", "20000", "0"],
        &["object", "6100", "20004", "~", "10", "sub"],
    ];
    for fields in opening {
        reader.take_opening(&row(fields)).unwrap();
    }
    reader
}

/// The number of the walk over a catalog, as the statements have it.
fn walk_of(statements: &str, catalog: &str) -> String {
    let from = format!(" from pg_catalog.{catalog} x");
    let statement = statements
        .split(";\n")
        .find(|statement| statement.contains(&from));
    let words = statement.and_then(|statement| statement.strip_prefix("select "));
    words
        .and_then(|words| words.split(',').next())
        .unwrap()
        .to_owned()
}

#[test]
fn rows_become_facts_that_hold_names() {
    let mut reader = reader();
    let statements = reader.walks().join(";\n");
    let (class, index) = (
        walk_of(&statements, "pg_class"),
        walk_of(&statements, "pg_index"),
    );
    reader
        .take_walk(row(&[&class, "1259", "20000", "~", "10", "~", "{a=1}"]))
        .unwrap();
    reader
        .take_walk(row(&[
            &index,
            "1259",
            "20001",
            "~",
            "1 0",
            "CREATE …",
            "20000",
        ]))
        .unwrap();
    reader
        .take_walk(row(&[&class, "1259", "20003", "~", "10", "t", "~"]))
        .unwrap();
    let facts = reader.finish();
    assert_eq!(facts.outside, ["storage"]);
    let [index, unreadable, table] = facts.objects.as_slice() else {
        panic!("{:?}", facts.objects);
    };
    assert_eq!(
        unreadable.key(),
        ("subscription sub", "pg_subscription", "")
    );
    assert_eq!(table.key(), ("table public.t", "pg_class", ""));
    assert_eq!(table.attributes.get("relowner"), Some("\"Bob\""));
    assert_eq!(table.attributes.get("relrowsecurity"), None);
    assert_eq!(table.about, Some(Address::new(CatalogId::CLASS, 20000)));
    assert_eq!(index.key(), ("index public.t_pkey", "pg_index", ""));
    assert_eq!(index.attributes.get("indkey"), Some("id, -"));
    // The constraint's statement makes it.
    assert_eq!(
        index.about,
        Some(Address::new(CatalogId::CONSTRAINT, 20002))
    );
}

#[test]
fn what_no_statement_makes_is_named() {
    let mut reader = reader();
    let statements = reader.walks().join(";\n");
    let class = walk_of(&statements, "pg_class");
    reader
        .take_walk(row(&[&class, "1259", "20000", "~", "10", "~", "~"]))
        .unwrap();
    reader
        .take_walk(row(&[&class, "1259", "20001", "~", "10", "~", "~"]))
        .unwrap();
    let facts = reader.finish();
    let names = |explained: &[Address]| -> Vec<String> {
        let lost = facts.unexplained(&explained.iter().copied().collect());
        lost.into_iter().map(|lost| lost.object).collect()
    };
    let (table, constraint) = (
        Address::new(CatalogId::CLASS, 20000),
        Address::new(CatalogId::CONSTRAINT, 20002),
    );
    let unreadable = "subscription sub";
    assert_eq!(
        names(&[]),
        ["index public.t_pkey", unreadable, "table public.t"]
    );
    assert_eq!(names(&[table]), ["index public.t_pkey", unreadable]);
    assert_eq!(names(&[table, constraint]), [unreadable]);
}

#[test]
fn the_digest_is_of_every_word() {
    let fact = |part: &str, name: &str, value: &str| Fact {
        about: None,
        object: "table t".into(),
        catalog: "pg_attribute".into(),
        part: Some(part.into()),
        attributes: [(Arc::from(name), Box::from(value))].into_iter().collect(),
    };
    let all = [
        digest(&[]),
        digest(&[fact("a", "b", "c")]),
        digest(&[fact("ab", "", "c")]),
        digest(&[fact("a", "bc", "")]),
        digest(&[fact("a", "b", "c"), fact("a", "b", "c")]),
    ];
    let different: HashSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

/// A file that the first version wrote.
const FIRST: &[u8] = include_bytes!("fixtures/facts-1.json");

#[test]
fn files_of_every_version_are_read() {
    let facts = Facts::from_json(FIRST).unwrap();
    assert_eq!(facts.major(), 18);
    assert_eq!(
        facts.digest(),
        "196e2452cd1a6fba843e02e865383f5ac9c0741c88a18fb11780d3a9cc4869b2"
    );
    assert_eq!(
        facts.cluster_digest(),
        "914b2da0ffae7e7a581d5b57c37816e80cbafcbea4584c279362d2780252f31d"
    );
    let again = Facts::from_json(facts.to_json().unwrap().as_bytes()).unwrap();
    assert_eq!(again, facts);
    assert_eq!(facts.to_json().unwrap().as_bytes(), FIRST);
}

#[test]
fn other_files_are_refused() {
    let kind = |text: &str| Facts::from_json(text.as_bytes()).unwrap_err().kind();
    assert_eq!(kind("{"), ErrorKind::Damaged);
    assert_eq!(kind("{}"), ErrorKind::Damaged);
    assert_eq!(kind(r#"{"schema": "opskit.facts/1"}"#), ErrorKind::Damaged);
    assert_eq!(
        kind(r#"{"schema": "opskit.facts/99"}"#),
        ErrorKind::Unsupported
    );
}
