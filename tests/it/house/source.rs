//! Source files, and their text without comments and literals.

use std::path::PathBuf;
use std::process::Command;

/// A file of the repository.
pub(super) struct Source {
    /// Its path below the root, with `/`.
    pub(super) path: String,
    /// Its text.
    pub(super) text: String,
}

impl Source {
    /// A file that exists only in a test.
    pub(super) fn planted(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The text, with everything that is not code blanked out; lines stay where they are.
    pub(super) fn code(&self) -> String {
        code_only(&self.text)
    }

    /// The code before the tests of this file: all of it for files that are tests.
    pub(super) fn code_before_tests(&self) -> String {
        let code = self.code();
        match tests_start(&code) {
            Some(start) => code[..start].to_owned(),
            None => code,
        }
    }
}

/// Where the module of tests starts; attributes may stand between its condition and its name.
fn tests_start(code: &str) -> Option<usize> {
    code.match_indices("#[cfg(test)]\n")
        .map(|(at, _)| at)
        .find(|at| {
            let mut rest = code[*at..].trim_start();
            while let Some(attribute) = rest.strip_prefix("#[") {
                rest = attribute
                    .split_once("]\n")
                    .map_or("", |(_, after)| after)
                    .trim_start();
            }
            rest.starts_with("mod ")
        })
}

/// The root of the workspace.
pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// The text files that git knows or would add, whose path starts and ends like this.
pub(super) fn tracked(start: &str, end: &str) -> Vec<Source> {
    let mut git = Command::new("git");
    // The owner of a checkout may be another user, as in containers of CI.
    git.args([
        "-c",
        "safe.directory=*",
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let output = git.current_dir(root()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let paths = String::from_utf8(output.stdout).unwrap();
    let wanted = paths
        .split('\0')
        .filter(|path| !path.is_empty() && path.starts_with(start) && path.ends_with(end));
    wanted
        .filter_map(|path| {
            // Deleted files are still listed, and not all files are text.
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(Source {
                path: path.to_owned(),
                text,
            })
        })
        .collect()
}

/// Replaces comments and the insides of literals by blanks.
fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = skip(&chars, at);
        if end > at {
            out.extend(
                chars[at..end]
                    .iter()
                    .map(|c| if *c == '\n' { '\n' } else { ' ' }),
            );
            at = end;
        } else {
            out.push(chars[at]);
            at += 1;
        }
    }
    out
}

/// Where the comment or literal that starts at `at` ends; `at` when none does.
fn skip(chars: &[char], at: usize) -> usize {
    let rest = &chars[at..];
    let in_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    match rest {
        ['/', '/', ..] => at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ['/', '*', ..] => at + 2 + find(&rest[2..], &['*', '/']),
        ['"', ..] => at + 1 + quoted(&rest[1..], '"'),
        ['r', '"' | '#', ..] if !in_word || chars[at - 1] == 'b' => raw(chars, at),
        ['\'', '\\', ..] => at + 1 + quoted(&rest[1..], '\''),
        ['\'', _, '\'', ..] => at + 3,
        _ => at,
    }
}

fn raw(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let mut close = vec!['"'];
    close.resize(hashes + 1, '#');
    let start = at + hashes + 2;
    start + find(&chars[start..], &close)
}

/// The length up to and with `close`.
fn find(chars: &[char], close: &[char]) -> usize {
    chars
        .windows(close.len())
        .position(|window| window == close)
        .map_or(chars.len(), |at| at + close.len())
}

/// The length up to and with an unescaped `close`.
fn quoted(chars: &[char], close: char) -> usize {
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            c if c == close => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

#[test]
fn only_code_is_left() {
    let kept = |text| {
        code_only(text)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(kept("a // b\nc /* d\n e */ f"), "a c f");
    assert_eq!(kept(r#"a("b\"c", 'd', '\'', '"', x) e"#), "a( , , , , x) e");
    assert_eq!(
        kept("a(r#\"b \" c\"#) br\"x\" d<'e>(r) f"),
        "a( ) b d<'e>(r) f"
    );
    let source = Source::planted("a.rs", "fn a() {}\n#[cfg(test)]\nmod tests {\n}\n");
    assert_eq!(source.code_before_tests(), "fn a() {}\n");
    let source = Source::planted(
        "a.rs",
        "fn a() {}\n#[cfg(test)]\n#[expect(x)]\nmod tests {\n}\n",
    );
    assert_eq!(source.code_before_tests(), "fn a() {}\n");
    let source = Source::planted("a.rs", "#[cfg(test)]\nfn a() {}\n");
    assert_eq!(source.code_before_tests(), source.text);
}
