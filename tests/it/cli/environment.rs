//! `env`: rules, digests, and no value anywhere.

use super::{Call, Ended};
use std::path::Path;

const FILE: &str = "[env.PROJECT_REF]\nclass = \"frozen\"\nrequired = true\npattern = '[a-z]{4}'\n\
    [env.API_KEY]\nclass = \"guarded\"\n[env.LOG_LEVEL]\n";
const SECRET: &str = "hunter2-s3cret";

fn project() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("opskit.toml"), FILE).unwrap();
    place
}

/// Runs it with these variables; whatever it says, no value is in it.
#[track_caller]
fn call(place: &Path, args: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut call = Call::new(["env"].iter().chain(args)).within(place);
    for (name, value) in variables {
        call = call.env(name, value);
    }
    let ended = call.run();
    let told = format!("{}{}", ended.out(), ended.err());
    for (_, value) in variables {
        assert!(!told.contains(value), "{told}");
    }
    ended
}

const FINE: [(&str, &str); 2] = [("PROJECT_REF", "abcd"), ("API_KEY", SECRET)];

#[test]
fn a_wrong_value_is_told_by_its_name_and_rule() {
    let place = project();
    let fine = call(place.path(), &["check"], &FINE).code(0).out();
    assert!(
        fine.contains("3 variables, 2 set: as they should be"),
        "{fine}"
    );
    let missing = call(place.path(), &["check"], &[]).code(1).out();
    assert!(
        missing.contains("PROJECT_REF is required, and not set"),
        "{missing}"
    );
    // An empty one is not set.
    let empty = Call::new(["env", "check"])
        .within(place.path())
        .env("PROJECT_REF", "");
    assert!(empty.run().code(1).out().contains("not set"));
    for wrong in [SECRET, "abcde", "xabcd\n"] {
        let told = call(place.path(), &["check"], &[("PROJECT_REF", wrong)])
            .code(1)
            .out();
        assert!(
            told.contains("PROJECT_REF is not as its pattern says"),
            "{told}"
        );
    }
    let document = call(
        place.path(),
        &["check", "--json"],
        &[("PROJECT_REF", SECRET)],
    )
    .code(1)
    .json();
    assert_eq!(document["schema"], "opskit.env-check/1");
    assert_eq!(document["problems"][0]["rule"], "pattern");
    let nowhere = tempfile::tempdir().unwrap();
    call(nowhere.path(), &["check"], &[])
        .code(66)
        .says("no environment variable is declared");
}

#[test]
fn a_frozen_variable_that_changed_fails() {
    let place = project();
    call(place.path(), &["freeze", "-o", "was.json"], &FINE).code(0);
    let text = std::fs::read_to_string(place.path().join("was.json")).unwrap();
    assert!(!text.contains("abcd\"") && !text.contains(SECRET), "{text}");
    call(place.path(), &["diff", "was.json"], &FINE)
        .code(0)
        .says("no difference");
    let other = [("PROJECT_REF", "abce"), FINE[1]];
    let ended = call(place.path(), &["diff", "was.json"], &other).code(1);
    assert_eq!(ended.out(), "frozen: PROJECT_REF has another value\n");
    let guarded = [
        FINE[0],
        ("API_KEY", "an0ther-s3cret"),
        ("LOG_LEVEL", "d3bug-l3vel"),
    ];
    let ended = call(place.path(), &["diff", "was.json"], &guarded).code(0);
    let ended = ended.says("warning: guarded variable API_KEY has another value");
    assert_eq!(
        ended.out(),
        "guarded: API_KEY has another value\nmutable: LOG_LEVEL was not set, and is now\n"
    );
    let document = call(place.path(), &["diff", "was.json", "--json"], &[])
        .code(1)
        .json();
    assert_eq!(document["schema"], "opskit.env-diff/1");
    assert_eq!(document["differences"][1]["change"], "unset");
}

#[test]
fn two_files_compare_under_one_salt() {
    let place = project();
    let freeze = |more: &[&str], variables: &[(&str, &str)]| {
        call(place.path(), &[&["freeze"], more].concat(), variables)
    };
    freeze(&["-o", "a.json"], &FINE).code(0);
    freeze(&["-o", "b.json"], &FINE).code(0);
    let ended = call(place.path(), &["diff", "a.json", "b.json"], &[]).code(64);
    ended.says("salts of their own").says("--like");
    freeze(&["-o", "b.json", "--like", "a.json"], &FINE).code(0);
    call(place.path(), &["diff", "a.json", "b.json"], &[]).code(0);
    freeze(
        &["-o", "b.json", "--like", "a.json"],
        &[("PROJECT_REF", "zzzz")],
    )
    .code(0);
    call(place.path(), &["diff", "a.json", "b.json"], &[]).code(1);
    // What is not as the rules say is not written down.
    freeze(&["-o", "c.json"], &[])
        .code(1)
        .says("PROJECT_REF is required")
        .says("env check");
    assert!(!place.path().join("c.json").exists());
    let printed = freeze(&[], &FINE).code(0).json();
    assert_eq!(printed["schema"], "opskit.env/1");
    std::fs::write(place.path().join("bad.json"), "{}").unwrap();
    call(place.path(), &["diff", "bad.json"], &FINE)
        .code(65)
        .says("bad.json");
    call(place.path(), &["diff", "none.json"], &FINE)
        .code(66)
        .says("none.json");
}
