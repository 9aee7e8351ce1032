//! The order of the core's modules: a module uses only what stands before it, never a peer.

use super::source::Source;

/// The modules, lowest first; those of one line are peers.
///
/// Events name tables, so `name` stands before `event`; the configuration holds patterns, so `config`
/// stands above `catalog`.
const ORDER: [&[&str]; 16] = [
    &["error"],
    &["secret", "name", "http"],
    &["cancel", "event", "seal"],
    &["context"],
    &["pgtype", "hook"],
    &["catalog"],
    &["export", "config"],
    &["environment"],
    &["sink"],
    &["repository"],
    &["postgres"],
    &["scratch"],
    &["backup"],
    &["migrate", "health", "state", "validate"],
    &["testing"],
    &["lib"],
];

/// What `lib.rs` re-exports, and from where.
const REEXPORTED: [&str; 3] = ["Error", "ErrorKind", "Result"];

/// The upward and sideways uses of a file of the core.
pub(super) fn offences(source: &Source) -> Vec<String> {
    let below = source
        .path
        .strip_prefix("opskit-core/src/")
        .unwrap_or(&source.path);
    let module = below
        .split('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".rs");
    if module == "lib" {
        return Vec::new();
    }
    let Some(own) = rank(module) else {
        return vec![format!("{}: module \"{module}\" has no rank", source.path)];
    };
    let used = uses(source, below);
    let wrong = used
        .iter()
        .filter(|used| *used != module && rank(used).is_none_or(|rank| rank >= own));
    wrong
        .map(|used| format!("{}: \"{module}\" may not use \"{used}\"", source.path))
        .collect()
}

fn rank(module: &str) -> Option<usize> {
    if REEXPORTED.contains(&module) {
        return Some(0);
    }
    ORDER.iter().position(|peers| peers.contains(&module))
}

/// The top-level modules that a file names.
fn uses(source: &Source, below: &str) -> Vec<String> {
    let code: String = source
        .code()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    // `a/mod.rs` and `a.rs` are one level down, `a/b.rs` two; tests in a file one more.
    let parts = below.split('/').filter(|part| *part != "mod.rs").count();
    let (before, tests) = code.split_once("#[cfg(test)] mod ").unwrap_or((&code, ""));
    let mut used = Vec::new();
    for (code, depth) in [(before, parts), (tests, parts + 1)] {
        // The same module written without `crate`.
        let up = "super::".repeat(depth);
        for root in ["crate::", up.as_str()] {
            for (at, _) in code.match_indices(root) {
                if !code[..at]
                    .ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$')
                {
                    used.extend(first_segments(&code[at + root.len()..]));
                }
            }
        }
    }
    used.sort();
    used.dedup();
    used
}

/// The first segment of each path in `a::b …` or `{a::b, c::{d, e}, f} …`.
fn first_segments(rest: &str) -> Vec<String> {
    let segment = |text: &str| {
        text.trim()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let Some(list) = rest.strip_prefix('{') else {
        return vec![segment(rest)];
    };
    let mut depth = 0;
    let mut items = vec![String::new()];
    for c in list.chars() {
        match c {
            '}' if depth == 0 => break,
            ',' if depth == 0 => items.push(String::new()),
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 => items.last_mut().expect("it starts with one").push(c),
            _ => {}
        }
    }
    items
        .iter()
        .map(|item| segment(item))
        .filter(|item: &String| !item.is_empty())
        .collect()
}

#[test]
fn an_upward_use_is_found() {
    let found = |path: &str, text: &str| {
        offences(&Source::planted(&format!("opskit-core/src/{path}"), text)).len()
    };
    assert_eq!(
        found(
            "export/decode.rs",
            "use crate::{\n  error::{Error, Result},\n  pgtype::Oid,\n};"
        ),
        0
    );
    assert_eq!(
        found(
            "export/decode.rs",
            "use crate::export::plan; use crate::Error;"
        ),
        0
    );
    assert_eq!(found("export/decode.rs", "use crate::sink::Part;"), 1);
    assert_eq!(
        found(
            "export/decode.rs",
            "use crate::{error::{self, Kind}, postgres::{a, b}, scratch};"
        ),
        2
    );
    assert_eq!(
        found(
            "export/decode.rs",
            "fn a() { crate::postgres::wire::connect() }"
        ),
        1
    );
    assert_eq!(found("name.rs", "use crate::secret::Secret;"), 1, "peers");
    assert_eq!(found("export/decode.rs", "use super::super::sink;"), 1);
    assert_eq!(
        found(
            "export/mod.rs",
            "use super::sink; #[cfg(test)]\nmod tests { use super::plan; }"
        ),
        1
    );
    assert_eq!(
        found(
            "export/decode.rs",
            "// crate::sink\nfn a() { \"crate::sink\"; }"
        ),
        0
    );
    assert_eq!(found("utils.rs", ""), 1, "a module without rank");
    assert_eq!(found("export/mod.rs", "use crate::utils;"), 1);
    assert_eq!(found("lib.rs", "pub use crate::testing::x;"), 0);
}
