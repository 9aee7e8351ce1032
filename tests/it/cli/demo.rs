//! The demonstration.

use super::{Call, names};
use std::path::Path;
use std::process::Command;

#[test]
fn the_demo_proves_what_it_shows() {
    let ended = Call::new(["demo"]).run().code(0);
    let out = ended.out();
    assert_eq!(ended.err(), "");
    let proofs = out.lines().filter(|line| line.starts_with("OK ")).count();
    assert_eq!(proofs, 9, "{out}");
    for words in [
        "$ opskit backup",
        "$ opskit list",
        "$ opskit verify latest --level decode",
        "DROP TABLE customers CASCADE",
        "gone: view public.best_customers",
        "the same by",
        "$ opskit schema diff",
        "no difference",
        "$ opskit drill latest",
        "drill passed: recovery took ",
        "$ opskit export 'public.*'",
        "byte for byte",
        "Odd.Name",
        "$ duckdb -c",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
}

/// The files that are kept: a repository of which DuckDB reads what the last line says.
#[test]
fn the_demo_keeps_files_on_demand() {
    let place = tempfile::tempdir().unwrap();
    let keep = place.path().join("kept");
    let document = Call::new(["demo", "--json", "--keep", keep.to_str().unwrap()])
        .run()
        .code(0)
        .json();
    assert_eq!(document["schema"], "opskit.demo/2");
    assert_eq!(document["target"], keep.to_str().unwrap());
    assert_eq!(document["verdict"], "holds");
    assert_eq!(document["steps"].as_array().unwrap().len(), 9);
    assert_eq!(document["proof"]["tables"], 11);
    assert!(document["proof"]["exact_values"].as_u64().unwrap() >= 5);
    assert_eq!(document["drill"]["outcome"], "passed");
    assert!(document["backup"]["rows"].as_u64().unwrap() > 50_000);
    assert_eq!(names(&keep), ["backups", "before.json", "export"]);
    reads_with_duckdb(document["duckdb"].as_str().unwrap());
    // It is somebody's now.
    Call::new(["demo", "--keep", keep.to_str().unwrap()])
        .run()
        .code(74)
        .says("kept");
    assert_eq!(names(place.path()), ["kept"]);
}

/// Runs the query of the last line with DuckDB's Python package.
fn reads_with_duckdb(command: &str) {
    let query = command
        .strip_prefix("duckdb -c \"")
        .and_then(|rest| rest.strip_suffix('"'));
    let query = query.unwrap_or_else(|| panic!("{command}"));
    let Some(python) = std::env::var_os("OPSKIT_TEST_PYTHON") else {
        println!("OPSKIT_TEST_PYTHON is not set: the query was not run");
        return;
    };
    let script =
        "import duckdb, sys; print(sum(row[1] for row in duckdb.sql(sys.argv[1]).fetchall()))";
    let output = Command::new(python)
        .args(["-c", script, query])
        .output()
        .unwrap();
    let rows = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        rows.trim(),
        "20000",
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn without_a_server_the_demo_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let keep = place.path().join("kept");
    let pg_bin = place.path().join("bin");
    std::fs::create_dir(&pg_bin).unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let args = ["demo", "--pg-bin", &path(&pg_bin), "--keep", &path(&keep)];
    Call::new(args).run().code(66).says("hint: ");
    assert_eq!(names(place.path()), ["bin"]);
}
