//! Which crates may depend on which.

use super::source::root;
use serde_json::Value;
use std::process::Command;

/// Crates that a member must not name among its normal dependencies.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    (
        "opskit-core",
        &[
            "clap",
            "anyhow",
            "pyo3",
            "indicatif",
            "tracing-subscriber",
            "axum",
        ],
    ),
    (
        "opskit-cli",
        &["sqlx", "sqlx-core", "sqlx-postgres", "parquet"],
    ),
    (
        "opskit-py",
        &["sqlx", "sqlx-core", "sqlx-postgres", "parquet"],
    ),
];

/// Members that know of the project nothing but the core, and what they may use beside it.
const CORE_ONLY: [&str; 2] = ["opskit-benches", "opskit-examples"];
const BESIDE_CORE: [&str; 3] = ["opskit-core", "criterion", "tokio"];

/// Crates whose types cross interfaces, so that a second version would not fit.
const ONE_VERSION: [&str; 5] = [
    "arrow-array",
    "object_store",
    "parquet",
    "sqlx-core",
    "tokio",
];

/// A normal dependency of a member.
pub(super) struct Direct {
    member: String,
    on: String,
}

/// What cargo says about the workspace.
pub(super) fn metadata() -> Value {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["metadata", "--no-deps", "--format-version=1", "--offline"])
        .current_dir(root());
    let output = cargo.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The direct normal dependencies of all members.
pub(super) fn direct_dependencies(metadata: &Value) -> Vec<Direct> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut direct = Vec::new();
    for package in list(&metadata["packages"]) {
        for dependency in list(&package["dependencies"]) {
            if dependency["kind"].is_null() {
                direct.push(Direct {
                    member: text(&package["name"]),
                    on: text(&dependency["name"]),
                });
            }
        }
    }
    direct
}

/// The dependencies that must not be.
pub(super) fn offences(direct: &[Direct]) -> Vec<String> {
    let forbidden = |Direct { member, on }: &&Direct| {
        let listed = FORBIDDEN
            .iter()
            .any(|(name, list)| name == member && list.contains(&on.as_str()));
        let foreign = CORE_ONLY.contains(&member.as_str()) && !BESIDE_CORE.contains(&on.as_str());
        let downward = member == "opskit-core" && on.starts_with("opskit");
        listed || foreign || downward
    };
    let wrong = direct.iter().filter(forbidden);
    wrong
        .map(|Direct { member, on }| format!("\"{member}\" may not depend on \"{on}\""))
        .collect()
}

/// The crates of [`ONE_VERSION`] that are not in the lock file exactly once.
pub(super) fn several_versions(lock: &str) -> Vec<String> {
    let count = |name: &str| {
        lock.lines()
            .filter(|line| *line == format!("name = \"{name}\""))
            .count()
    };
    let wrong = ONE_VERSION.iter().filter(|name| count(name) != 1);
    wrong
        .map(|name| format!("\"{name}\" is in Cargo.lock {} times", count(name)))
        .collect()
}

#[test]
fn a_forbidden_dependency_is_found() {
    let with = |member: &str, on: &str, kind: Value| {
        let dependency = serde_json::json!({ "name": on, "kind": kind });
        let metadata =
            serde_json::json!({ "packages": [{ "name": member, "dependencies": [dependency] }] });
        offences(&direct_dependencies(&metadata)).len()
    };
    assert_eq!(with("opskit-core", "clap", Value::Null), 1);
    assert_eq!(with("opskit-core", "clap", "dev".into()), 0);
    assert_eq!(with("opskit-core", "opskit-cli", Value::Null), 1);
    assert_eq!(with("opskit-core", "sqlx", Value::Null), 0);
    assert_eq!(with("opskit-cli", "sqlx", Value::Null), 1);
    assert_eq!(with("opskit-py", "parquet", Value::Null), 1);
    assert_eq!(with("opskit-benches", "criterion", Value::Null), 0);
    assert_eq!(with("opskit-examples", "arrow", Value::Null), 1);
}

#[test]
fn a_second_version_is_found() {
    let once: String = ONE_VERSION
        .iter()
        .map(|name| format!("[[package]]\nname = \"{name}\"\nversion = \"1\"\n"))
        .collect();
    assert!(several_versions(&once).is_empty());
    assert_eq!(
        several_versions(&format!(
            "{once}[[package]]\nname = \"tokio\"\nversion = \"2\"\n"
        ))
        .len(),
        1
    );
    assert_eq!(
        several_versions("").len(),
        ONE_VERSION.len(),
        "a crate that is gone makes the rule empty"
    );
}
