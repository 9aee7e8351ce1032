//! The rules of the house (DESIGN §5, ARCHITECTURE.md): who may use whom, and how files look.
//!
//! Each rule is a function from text to a list of offences; beside it stands a test that plants an
//! offender and sees it found.

mod crates;
mod ranks;
mod source;
mod style;

#[test]
fn modules_use_only_what_stands_before_them() {
    let sources = source::tracked("opskit-core/src/", ".rs");
    assert!(sources.len() > 20, "the core is looked at");
    report(sources.iter().flat_map(ranks::offences));
}

#[test]
fn crates_depend_only_on_what_they_may() {
    let direct = crates::direct_dependencies(&crates::metadata());
    assert!(direct.len() > 20, "the manifests are looked at");
    report(crates::offences(&direct));
}

#[test]
fn crates_that_cross_interfaces_have_one_version() {
    let lock = std::fs::read_to_string(source::root().join("Cargo.lock")).unwrap();
    report(crates::several_versions(&lock));
}

#[test]
fn files_are_short_and_follow_the_style() {
    let sources = source::tracked("", ".rs");
    assert!(sources.len() > 30, "the workspace is looked at");
    report(sources.iter().flat_map(style::offences));
}

#[test]
fn no_file_names_a_machine() {
    report(
        source::tracked("", "")
            .iter()
            .flat_map(style::machine_paths),
    );
}

/// Fails with every offence, not only the first.
fn report(offences: impl IntoIterator<Item = String>) {
    let offences: Vec<_> = offences.into_iter().collect();
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}
