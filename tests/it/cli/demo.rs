//! The demonstration.

use super::{Call, names};

#[test]
fn the_demo_proves_what_it_shows() {
    let ended = Call::new(["demo"]).run().code(0);
    let out = ended.out();
    assert_eq!(ended.err(), "");
    assert_eq!(
        out.lines().filter(|line| line.starts_with("OK ")).count(),
        2,
        "{out}"
    );
    for words in [
        "$ opskit export 'public.*'",
        "Odd.Name",
        ".exact",
        "xxh3-128:",
    ] {
        assert!(out.contains(words), "{words}: {out}");
    }
}

#[test]
fn the_demo_keeps_files_on_demand() {
    let place = tempfile::tempdir().unwrap();
    let keep = place.path().join("kept");
    let document = Call::new(["demo", "--json", "--keep", keep.to_str().unwrap()])
        .run()
        .code(0)
        .json();
    assert_eq!(document["schema"], "opskit.demo/1");
    assert_eq!(document["target"], keep.to_str().unwrap());
    assert_eq!(document["proof"]["tables"], 6);
    assert!(document["proof"]["exact_values"].as_u64().unwrap() >= 5);
    assert!(names(&keep).contains(&"manifest.json".to_owned()));
}

#[test]
fn without_a_server_the_demo_says_what_is_missing() {
    let place = tempfile::tempdir().unwrap();
    let ended = Call::new(["demo", "--pg-bin", place.path().to_str().unwrap()]).run();
    ended.code(66).says("hint: ");
}
