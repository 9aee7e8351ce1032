//! Help, statuses in the documentation, and what packages ship.

use super::{Call, names};
use opskit_core::ErrorKind;
use std::collections::BTreeMap;

/// The rows `| code | meaning |` of the README.
fn readme() -> BTreeMap<u8, String> {
    let text = include_str!("../../../README.md");
    let rows = text.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.strip_suffix(" |")?.split(" | ");
        let code = cells.next()?.trim().parse().ok()?;
        Some((code, cells.next()?.trim().to_owned()))
    });
    rows.collect()
}

#[test]
fn every_kind_of_error_has_a_row_in_the_readme() {
    let rows = readme();
    for kind in ErrorKind::ALL {
        assert!(rows.contains_key(&kind.exit_code()), "{kind}");
    }
}

#[test]
fn help_and_readme_tell_the_same_statuses() {
    let help = Call::new(["--help"]).run().code(0).out();
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let told: BTreeMap<u8, String> = codes
        .lines()
        .map(|line| line.trim().split_once("  ").unwrap())
        .map(|(code, meaning)| (code.parse().unwrap(), meaning.to_owned()))
        .collect();
    assert_eq!(told, readme());
}

#[test]
fn help_and_version_are_results() {
    for args in [
        &["--help"][..],
        &["-h"],
        &["export", "--help"],
        &["help", "demo"],
        &["--version"],
    ] {
        let ended = Call::new(args).run().code(0);
        assert_eq!(ended.err(), "", "{args:?}");
        assert!(!ended.out().contains('\x1b'), "no colour in a pipe");
    }
    // No command is no result.
    Call::new([""; 0]).run().code(64).says("hint: ");
}

#[test]
fn every_option_of_export_is_in_its_help() {
    let help = Call::new(["export", "--help"]).run().code(0).out();
    for option in [
        "--output",
        "--query",
        "--format",
        "--jobs",
        "--compression",
        "--exactness",
        "--overwrite",
        "--lock-timeout",
        "--part-size",
        "--memory",
        "--db",
        "--plan",
        "--json",
        "--quiet",
        "--verbose",
    ] {
        assert!(help.contains(option), "{option}");
    }
}

#[test]
fn man_pages_are_one_per_command() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("man");
    let args = ["generate", "man", "--out", out.to_str().unwrap()];
    Call::new(args).run().code(0);
    let pages = names(&out);
    for page in ["opskit.1", "opskit-export.1", "opskit-demo.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    let export = std::fs::read_to_string(out.join("opskit-export.1")).unwrap();
    assert!(export.contains("lock\\-timeout"), "{export}");
}

#[test]
fn completions_are_made_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ended = Call::new(["generate", "completions", shell]).run().code(0);
        assert!(ended.out().contains("lock-timeout"), "{shell}");
    }
    Call::new(["generate", "completions", "dos"]).run().code(64);
}

#[test]
fn the_commands_of_the_readme_parse() {
    let text = include_str!("../../../README.md");
    let commands = text
        .lines()
        .filter(|line| line.starts_with("opskit export"));
    let mut seen = 0;
    for command in commands {
        // Nothing answers there, so what is well said comes to 69.
        let place = tempfile::tempdir().unwrap();
        let script = format!("\"$OPSKIT\" {}", command.strip_prefix("opskit").unwrap());
        let status = std::process::Command::new("sh")
            .args(["-c", &script])
            .current_dir(place.path())
            .env("OPSKIT", super::program())
            .env(
                "DATABASE_URL",
                "postgresql://ann@127.0.0.1:1/x?sslmode=disable",
            )
            .stderr(std::process::Stdio::null())
            .status();
        assert_eq!(status.unwrap().code(), Some(69), "{command}");
        seen += 1;
    }
    assert!(seen > 2);
}
