//! What differs between the facts of two databases, by object.

use super::facts::{Attributes, Fact, Facts, rewrites};
use serde::Serialize;
use std::cmp::Ordering;
use std::fmt;

/// The version of the document.
const DIFF_SCHEMA: &str = "opskit.schema-diff/1";

/// How a digest of a secret begins.
const DIGEST: &str = "sha256:";

/// Which facts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// The objects of the databases.
    Objects,
    /// Those, roles and tablespaces, and what is set for the database as a whole.
    ObjectsAndCluster,
}

/// One of the two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// What differs between two databases.
///
/// ```
/// use opskit_core::catalog::diff::{Compared, FactsDiff};
/// # fn example(before: &opskit_core::catalog::facts::Facts, after: &opskit_core::catalog::facts::Facts) {
/// let diff = FactsDiff::between(before, after, Compared::Objects);
/// if !diff.is_empty() {
///     println!("{diff}");
/// }
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FactsDiff {
    /// `opskit.schema-diff/1`.
    pub schema: &'static str,
    /// The major versions of the two servers.
    pub majors: [u32; 2],
    /// Objects that differ.
    pub objects: Vec<ObjectDiff>,
    /// Differences of the cluster, and of the database as a whole.
    pub cluster: Vec<ObjectDiff>,
    /// Expressions that servers of different major versions spell differently. Whether they mean the
    /// same, a person must say.
    pub respelled: Vec<ObjectDiff>,
    /// Secrets that cannot be compared, because the two were read with different salts.
    pub unknown: Vec<ObjectDiff>,
}

/// What differs about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ObjectDiff {
    /// The object in words: `table public.orders`.
    pub object: String,
    /// The only database that has it, where the other does not.
    pub only_in: Option<Side>,
    /// What differs about it, where both have it.
    pub rows: Vec<RowDiff>,
}

/// What differs in one row of a catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowDiff {
    /// The catalog: `pg_attribute`.
    pub catalog: String,
    /// Which row of the object: the name of a column.
    pub part: Option<String>,
    /// The only database that has it, where the other does not.
    pub only_in: Option<Side>,
    /// What it says in each; for a row of one database all that it says.
    pub attributes: Vec<AttributeDiff>,
}

/// An attribute that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttributeDiff {
    /// Its name: the column of the catalog.
    pub name: String,
    /// Its value in the first database.
    pub from: Option<String>,
    /// Its value in the second.
    pub to: Option<String>,
}

impl FactsDiff {
    /// Compares two databases.
    #[must_use]
    pub fn between(a: &Facts, b: &Facts, compared: Compared) -> Self {
        let mut diff = Self {
            schema: DIFF_SCHEMA,
            majors: [a.major(), b.major()],
            objects: Vec::new(),
            cluster: Vec::new(),
            respelled: Vec::new(),
            unknown: Vec::new(),
        };
        let rule = Rule {
            is_other_major: a.major() != b.major(),
            is_other_salt: a.salt != b.salt,
        };
        diff.objects = diff.lists(&a.objects, &b.objects, rule);
        if compared == Compared::ObjectsAndCluster {
            diff.cluster = diff.lists(&a.cluster, &b.cluster, rule);
        }
        diff
    }

    /// Whether the two are the same. Expressions that other versions spell differently are no
    /// difference; secrets that cannot be compared are one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.cluster.is_empty() && self.unknown.is_empty()
    }

    fn lists(&mut self, a: &[Fact], b: &[Fact], rule: Rule) -> Vec<ObjectDiff> {
        let [major_a, major_b] = self.majors;
        let a = rewrites::common(a, major_a, major_b);
        let b = rewrites::common(b, major_b, major_a);
        let mut differing = Vec::new();
        for (a, b) in joined(&a, &b, |fact| &*fact.object) {
            let object = a.first().or(b.first()).map_or("", |fact| &*fact.object);
            let found = match (a.is_empty(), b.is_empty()) {
                (false, true) => vec![(&mut differing, only(object, Side::A))],
                (true, false) => vec![(&mut differing, only(object, Side::B))],
                _ => {
                    let [differs, respelled, unknown] =
                        rows(a, b, rule).map(|rows| both(object, rows));
                    vec![
                        (&mut differing, differs),
                        (&mut self.respelled, respelled),
                        (&mut self.unknown, unknown),
                    ]
                }
            };
            for (list, diff) in found {
                if diff.only_in.is_some() || !diff.rows.is_empty() {
                    list.push(diff);
                }
            }
        }
        differing
    }
}

/// What makes two values incomparable.
#[derive(Debug, Clone, Copy)]
struct Rule {
    is_other_major: bool,
    is_other_salt: bool,
}

/// What it means that two values differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Differs,
    Respelled,
    Unknown,
}

impl Rule {
    fn judge(self, attribute: &AttributeDiff) -> Verdict {
        let (Some(from), Some(to)) = (&attribute.from, &attribute.to) else {
            return Verdict::Differs;
        };
        if self.is_other_major && rewrites::is_expression(&attribute.name) {
            Verdict::Respelled
        } else if self.is_other_salt && without_digests(from) == without_digests(to) {
            Verdict::Unknown
        } else {
            Verdict::Differs
        }
    }
}

/// A value without what depends on the salt.
fn without_digests(value: &str) -> String {
    let mut parts = value.split(DIGEST);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str(DIGEST);
        out.push_str(part.trim_start_matches(|c: char| c.is_ascii_hexdigit()));
    }
    out
}

fn only(object: &str, side: Side) -> ObjectDiff {
    ObjectDiff {
        object: object.to_owned(),
        only_in: Some(side),
        rows: Vec::new(),
    }
}

fn both(object: &str, rows: Vec<RowDiff>) -> ObjectDiff {
    ObjectDiff {
        object: object.to_owned(),
        only_in: None,
        rows,
    }
}

/// The rows of one object that differ, are spelled differently, and cannot be compared.
fn rows(a: &[Fact], b: &[Fact], rule: Rule) -> [Vec<RowDiff>; 3] {
    let mut found = [Verdict::Differs, Verdict::Respelled, Verdict::Unknown]
        .map(|verdict| (verdict, Vec::new()));
    for (a, b) in joined(a, b, Fact::key) {
        let nothing = Attributes::default();
        let (fact, other) = (a.first(), b.first());
        let Some(any) = fact.or(other) else { continue };
        let only_in = match (fact, other) {
            (Some(_), None) => Some(Side::A),
            (None, Some(_)) => Some(Side::B),
            _ => None,
        };
        let differing = attributes(
            fact.map_or(&nothing, |fact| &fact.attributes),
            other.map_or(&nothing, |fact| &fact.attributes),
        );
        for (verdict, rows) in &mut found {
            let attributes: Vec<AttributeDiff> = differing
                .iter()
                .filter(|attribute| rule.judge(attribute) == *verdict)
                .cloned()
                .collect();
            if !attributes.is_empty() || (only_in.is_some() && *verdict == Verdict::Differs) {
                rows.push(RowDiff {
                    catalog: any.catalog.to_string(),
                    part: any.part.as_deref().map(str::to_owned),
                    only_in,
                    attributes,
                });
            }
        }
    }
    found.map(|(_, rows)| rows)
}

fn attributes(a: &Attributes, b: &Attributes) -> Vec<AttributeDiff> {
    let mut names: Vec<&str> = a.iter().chain(b.iter()).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    names
        .into_iter()
        .map(|name| AttributeDiff {
            name: name.to_owned(),
            from: a.get(name).map(str::to_owned),
            to: b.get(name).map(str::to_owned),
        })
        .filter(|attribute| attribute.from != attribute.to)
        .collect()
}

/// Runs of equal keys of two ordered lists, side by side.
fn joined<'a, K: Ord>(
    mut a: &'a [Fact],
    mut b: &'a [Fact],
    key: impl Fn(&'a Fact) -> K,
) -> Vec<(&'a [Fact], &'a [Fact])> {
    let mut all = Vec::new();
    loop {
        let order = match (a.first(), b.first()) {
            (None, None) => return all,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(a), Some(b)) => key(a).cmp(&key(b)),
        };
        let run = |list: &'a [Fact]| {
            let first = list.first().map(&key);
            list.iter()
                .take_while(|fact| Some(key(fact)) == first)
                .count()
        };
        let (of_a, of_b) = match order {
            Ordering::Less => (run(a), 0),
            Ordering::Greater => (0, run(b)),
            Ordering::Equal => (run(a), run(b)),
        };
        let (head_a, rest_a) = a.split_at(of_a);
        let (head_b, rest_b) = b.split_at(of_b);
        all.push((head_a, head_b));
        (a, b) = (rest_a, rest_b);
    }
}

/// The differences for people: what is only in A, only in B, and what changed from A to B.
impl fmt::Display for FactsDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diff in self.objects.iter().chain(&self.cluster) {
            object(f, "changed", diff)?;
        }
        for diff in &self.unknown {
            object(f, "unknown, secrets were read with different salts", diff)?;
        }
        for diff in &self.respelled {
            object(f, "spelled differently", diff)?;
        }
        Ok(())
    }
}

fn object(f: &mut fmt::Formatter<'_>, what: &str, diff: &ObjectDiff) -> fmt::Result {
    let what = match diff.only_in {
        Some(Side::A) => "only in A",
        Some(Side::B) => "only in B",
        None => what,
    };
    writeln!(f, "{what}: {}", printable(&diff.object))?;
    diff.rows.iter().try_for_each(|diff| row(f, diff))
}

fn row(f: &mut fmt::Formatter<'_>, diff: &RowDiff) -> fmt::Result {
    let catalog = diff.catalog.strip_prefix("pg_").unwrap_or(&diff.catalog);
    let mut row = match catalog {
        "attribute" => "column",
        "attrdef" => "default of",
        "description" | "shdescription" => "comment",
        other => other,
    }
    .to_owned();
    if let Some(part) = &diff.part {
        row = format!("{row} {}", printable(part));
    }
    match diff.only_in {
        Some(Side::A) => writeln!(f, "  {row}: only in A"),
        Some(Side::B) => writeln!(f, "  {row}: only in B"),
        None => diff.attributes.iter().try_for_each(|attribute| {
            let (from, to) = excerpts(attribute.from.as_deref(), attribute.to.as_deref());
            writeln!(f, "  {row}: {}: {from} → {to}", attribute.name)
        }),
    }
}

/// How much of a value is shown.
const EXCERPT_CHARS: usize = 120;

/// Both values from where they begin to differ, when they are long.
fn excerpts(from: Option<&str>, to: Option<&str>) -> (String, String) {
    let common = match (from, to) {
        (Some(from), Some(to)) => from
            .chars()
            .zip(to.chars())
            .take_while(|(a, b)| a == b)
            .count(),
        _ => 0,
    };
    let show = |value: Option<&str>| {
        let Some(value) = value else {
            return "(none)".to_owned();
        };
        let chars = value.chars().count();
        if chars <= EXCERPT_CHARS {
            return printable(value);
        }
        let start = common.saturating_sub(EXCERPT_CHARS / 4);
        let shown: String = value.chars().skip(start).take(EXCERPT_CHARS).collect();
        let before = if start > 0 { "…" } else { "" };
        let after = if start + EXCERPT_CHARS < chars {
            "…"
        } else {
            ""
        };
        format!("{before}{}{after}", printable(&shown))
    };
    (show(from), show(to))
}

/// Text on one line that cannot steer a terminal.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        // Marks of direction can make a line read as another.
        let is_steering = c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if is_steering {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests;
