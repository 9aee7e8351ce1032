//! Comparing facts of literals.

use super::*;
use crate::catalog::Scope;
use crate::catalog::facts::FACTS_SCHEMA;
use std::sync::Arc;

fn fact(object: &str, catalog: &str, part: Option<&str>, attributes: &[(&str, &str)]) -> Fact {
    Fact {
        about: None,
        object: object.into(),
        catalog: catalog.into(),
        part: part.map(Into::into),
        attributes: attributes
            .iter()
            .map(|(name, value)| (Arc::from(*name), Box::from(*value)))
            .collect(),
    }
}

fn facts(major: u32, salt: &str, mut objects: Vec<Fact>) -> Facts {
    objects.sort_by(|a, b| a.key().cmp(&b.key()));
    Facts {
        schema: FACTS_SCHEMA.to_owned(),
        server_version: major * 10_000,
        salt: salt.to_owned(),
        scope: Scope::default(),
        outside: Vec::new(),
        objects,
        cluster: Vec::new(),
    }
}

fn text(a: &Facts, b: &Facts) -> String {
    FactsDiff::between(a, b, Compared::ObjectsAndCluster).to_string()
}

#[test]
fn objects_rows_and_attributes_are_told_apart() {
    let column = |name, kind| fact("table t", "pg_attribute", Some(name), &[("atttypid", kind)]);
    let a = facts(
        15,
        "s",
        vec![
            column("id", "integer"),
            column("old", "text"),
            fact("view v", "pg_class", None, &[]),
        ],
    );
    let b = facts(
        15,
        "s",
        vec![
            column("id", "bigint"),
            column("new", "text"),
            fact("view w", "pg_class", None, &[]),
        ],
    );
    assert_eq!(
        text(&a, &b),
        "changed: table t\n  column id: atttypid: integer → bigint\n  column new: only in B\n  column old: only in A\n\
         only in A: view v\nonly in B: view w\n"
    );
    assert!(FactsDiff::between(&a, &a.clone(), Compared::Objects).is_empty());
}

#[test]
fn a_name_cannot_fake_a_line() {
    let a = facts(
        15,
        "s",
        vec![fact(
            "table \"a\nonly in B: table x\"",
            "pg_class",
            None,
            &[],
        )],
    );
    let b = facts(15, "s", Vec::new());
    assert_eq!(
        text(&a, &b),
        "only in A: table \"a\\nonly in B: table x\"\n"
    );
}

#[test]
fn long_values_are_shown_where_they_differ() {
    let body = |end: &str| {
        facts(
            15,
            "s",
            vec![fact(
                "function f()",
                "pg_proc",
                None,
                &[("prosrc", &("x".repeat(500) + end))],
            )],
        )
    };
    let shown = text(&body("one"), &body("two"));
    assert!(
        shown.contains("one → …") && shown.ends_with("two\n"),
        "{shown}"
    );
    assert!(shown.len() < 200, "{shown}");
}

#[test]
fn secrets_of_different_salts_are_unknown_and_not_equal() {
    let mapping = |digest: &str| {
        fact(
            "user mapping m",
            "pg_user_mapping",
            None,
            &[("umoptions", &format!("{{password=sha256:{digest}}}"))],
        )
    };
    let (a, b) = (
        facts(15, "s", vec![mapping("aa11")]),
        facts(15, "t", vec![mapping("bb22")]),
    );
    let diff = FactsDiff::between(&a, &b, Compared::Objects);
    assert!(diff.objects.is_empty() && diff.unknown.len() == 1 && !diff.is_empty());
    let same_salt = FactsDiff::between(&a, &facts(15, "s", b.objects), Compared::Objects);
    assert!(same_salt.unknown.is_empty() && same_salt.objects.len() == 1);
}

#[test]
fn other_majors_may_spell_expressions_otherwise() {
    let view = |sql: &str| {
        vec![fact(
            "query of v",
            "pg_rewrite",
            None,
            &[("definition", sql)],
        )]
    };
    let (a, b) = (
        facts(15, "s", view("SELECT t.a")),
        facts(16, "s", view("SELECT a")),
    );
    let diff = FactsDiff::between(&a, &b, Compared::Objects);
    assert!(diff.is_empty() && diff.respelled.len() == 1);
    assert!(!FactsDiff::between(&a, &facts(15, "s", b.objects), Compared::Objects).is_empty());
}

#[test]
fn what_only_newer_majors_say_is_no_difference() {
    let check = |extra: &[(&str, &str)]| {
        let mut all = vec![("contype", "c")];
        all.extend(extra);
        fact("constraint c on t", "pg_constraint", None, &all)
    };
    let table = |acl: &str| fact("table t", "pg_class", None, &[("relacl", acl)]);
    let old = facts(13, "s", vec![check(&[]), table("{=r/o,o=arwdDxt/o}")]);
    let not_null = "constraint t_id_not_null on t";
    let new = vec![
        check(&[("conenforced", "t")]),
        table("{=r/o,o=arwdDxtm/o}"),
        fact(
            not_null,
            "pg_constraint",
            None,
            &[("contype", "n"), ("conkey", "id")],
        ),
        fact(not_null, "pg_description", None, &[("description", "why")]),
        fact("multirange m", "pg_type", None, &[("typtype", "m")]),
    ];
    assert_eq!(text(&old, &facts(18, "s", new)), "");
}
