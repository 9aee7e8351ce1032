//! How files look: short, documented, and free of what belongs elsewhere.

use super::source::Source;

/// The most lines of code in a file, tests apart.
const CODE_LINES_MAX: usize = 500;

/// The directories that machines of ours have; spelled so that this file does not offend.
const MACHINE: [&str; 3] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
];

/// What is wrong with a Rust file.
pub(super) fn offences(source: &Source) -> Vec<String> {
    let path = source.path.as_str();
    let code = source.code();
    let before_tests = source.code_before_tests();
    let is_test =
        path.starts_with("tests/") || path.starts_with("benches/") || path.ends_with("/tests.rs");
    let may_be_unchecked = path == "opskit-core/src/export/decode.rs"
        || path.starts_with("opskit-core/src/export/decode/");
    let may_ask_sqlx = is_test || path.starts_with("opskit-core/src/postgres/");
    let lines = before_tests
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count();
    let checks = [
        (
            !source.text.starts_with("//!"),
            "does not start with `//!`".to_owned(),
        ),
        (
            lines > CODE_LINES_MAX,
            format!("has {lines} lines of code, more than {CODE_LINES_MAX}"),
        ),
        (
            !may_ask_sqlx && has_word(&code, "sqlx"),
            "names sqlx outside of `postgres`".to_owned(),
        ),
        (
            !is_test && before_tests.contains(".unwrap()"),
            "unwraps outside of tests".to_owned(),
        ),
        (
            !may_be_unchecked && has_word(&code, "unsafe"),
            "has unsafe code outside of `export/decode`".to_owned(),
        ),
        (code.contains("#[ignore"), "ignores a test".to_owned()),
        (
            code.contains("todo!") || code.contains("unimplemented!"),
            "is not finished".to_owned(),
        ),
    ];
    let wrong = checks.into_iter().filter(|(wrong, _)| *wrong);
    wrong.map(|(_, why)| format!("{path}: {why}")).collect()
}

/// The lines of any text file that name a directory of one machine.
pub(super) fn machine_paths(source: &Source) -> Vec<String> {
    let names_one = |line: &&str| {
        MACHINE.iter().any(|dir| {
            let mut found = line.match_indices(dir);
            // Within a longer path it is somebody else's.
            found.any(|(at, _)| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.~}*>".contains(c))
            })
        })
    };
    let lines = source.text.lines().filter(names_one);
    lines
        .map(|line| {
            format!(
                "{}: names a path of one machine: {}",
                source.path,
                line.trim()
            )
        })
        .collect()
}

fn has_word(code: &str, word: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].ends_with(in_word);
        let after = code[at + word.len()..].starts_with(in_word);
        !before && !after
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, code: &str) -> Vec<String> {
        offences(&Source::planted(path, &format!("//! Doc.\n{code}")))
    }

    #[test]
    fn clean_files_are_clean() {
        assert_eq!(
            found(
                "opskit-core/src/a.rs",
                "fn a() { \"sqlx::query unsafe todo!\"; } // .unwrap()"
            ),
            [""; 0]
        );
        assert_eq!(
            found(
                "opskit-core/src/a.rs",
                "#[cfg(test)]\nmod tests {\n a.unwrap()\n}"
            ),
            [""; 0]
        );
        assert_eq!(
            found("opskit-core/src/postgres/a.rs", "use sqlx::Row;"),
            [""; 0]
        );
        assert_eq!(
            found("opskit-core/src/export/decode/utf8.rs", "unsafe { a() }"),
            [""; 0]
        );
        assert_eq!(
            found("opskit-core/src/a.rs", "#![deny(unsafe_code)]"),
            [""; 0]
        );
        assert_eq!(found("tests/it/a.rs", "a.unwrap()"), [""; 0]);
    }

    #[test]
    fn every_offender_is_found() {
        for (path, code) in [
            ("opskit-core/src/export/a.rs", "use sqlx::Row;".to_owned()),
            ("opskit-cli/src/a.rs", "use sqlx as db;".to_owned()),
            ("opskit-cli/src/a.rs", "fn a() { b.unwrap() }".to_owned()),
            (
                "opskit-core/src/export/frames.rs",
                "fn a() { unsafe { b() } }".to_owned(),
            ),
            ("tests/it/a.rs", "#[ignore]\nfn a() {}".to_owned()),
            (
                "tests/it/a.rs",
                "#[ignore = \"slow\"]\nfn a() {}".to_owned(),
            ),
            ("opskit-core/src/a.rs", "fn a() { todo!() }".to_owned()),
            (
                "opskit-core/src/a.rs",
                "let a = 1;\n".repeat(CODE_LINES_MAX + 1),
            ),
        ] {
            assert_eq!(found(path, &code).len(), 1, "{path}: {code:.40}");
        }
        assert_eq!(
            offences(&Source::planted("opskit-core/src/a.rs", "fn a() {}")).len(),
            1
        );
        let long = format!("{}// comment\n\n", "let a = 1;\n".repeat(CODE_LINES_MAX));
        assert_eq!(
            found("opskit-core/src/a.rs", &long),
            [""; 0],
            "comments and blank lines do not count"
        );
    }

    #[test]
    fn machine_paths_are_found_anywhere() {
        let found = |text: String| machine_paths(&Source::planted("README.md", &text)).len();
        for dir in MACHINE {
            assert_eq!(found(format!("fine\nsee {dir}x")), 1);
            assert_eq!(found(format!("\"{dir}x\"")), 1);
            assert_eq!(found(format!("docs{dir}x")), 0);
        }
    }
}
