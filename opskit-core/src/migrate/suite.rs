//! Verify suites: SQL files whose answers say what holds.
//!
//! A file gives lines of TAP (<https://testanything.org/tap-specification.html>), as pgTAP does, or rows of `name, ok,
//! detail`. It runs in a transaction that is rolled back. A file that tests nothing fails.

use super::class::TransactionUse;
use super::run::{Locked, RESET};
use super::script::Script;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{quote_ident, quote_literal};
use crate::postgres::wire::ResultSet;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The type that says whether a check holds.
const BOOL_OID: u32 = 16;

/// The first line that has a file run as a role, with claims for its policies.
const AS: &str = "-- opskit: as ";

/// The name of a check that is nothing but a truth value.
const UNNAMED: &str = "a query";

/// A file of tests.
#[derive(Debug, Clone)]
pub struct Suite {
    name: String,
    script: Script,
}

/// What a test said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// How it went.
    pub outcome: TestOutcome,
    /// What it said besides.
    pub detail: String,
}

/// How a test went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TestOutcome {
    /// It holds.
    Passed,
    /// It does not, or could not be run.
    Failed,
    /// It was skipped, or is known not to hold yet (`# TODO`).
    Skipped,
}

/// What a file of tests said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SuiteReport {
    /// The file.
    pub name: String,
    /// Its tests, in order.
    pub tests: Vec<TestResult>,
}

impl SuiteReport {
    /// Whether all tests hold, and there was one.
    #[must_use]
    pub fn is_green(&self) -> bool {
        let failed = |test: &TestResult| test.outcome == TestOutcome::Failed;
        !self.tests.is_empty() && !self.tests.iter().any(failed)
    }
}

/// A test that says something else than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TestChange {
    /// The file and the test.
    pub test: String,
    /// How it went before; it may be new.
    pub before: Option<TestOutcome>,
    /// How it goes now; it may be gone.
    pub after: Option<TestOutcome>,
}

/// What is different between two runs of the same files.
#[must_use]
pub fn changed_tests(before: &[SuiteReport], after: &[SuiteReport]) -> Vec<TestChange> {
    let named = |reports: &[SuiteReport]| -> BTreeMap<String, TestOutcome> {
        let tests = reports
            .iter()
            .flat_map(|report| report.tests.iter().map(move |test| (report, test)));
        tests
            .map(|(report, test)| (format!("{}: {}", report.name, test.name), test.outcome))
            .collect()
    };
    let (before, after) = (named(before), named(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |name: &String| TestChange {
        test: name.clone(),
        before: before.get(name).copied(),
        after: after.get(name).copied(),
    };
    names
        .into_iter()
        .map(change)
        .filter(|change| change.before != change.after)
        .collect()
}

impl Suite {
    /// A file of tests, by its name and text.
    ///
    /// ```
    /// use opskit_core::migrate::Suite;
    /// let suite = Suite::new("rls.sql", "-- opskit: as anon {\"role\": \"anon\"}\nselect 'sees nothing', count(*) = 0 from orders")?;
    /// assert_eq!(suite.name(), "rls.sql");
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `InvalidInput` for text that cannot be taken apart, or that ends the transaction it is in.
    pub fn new(name: impl Into<String>, text: &str) -> Result<Self> {
        let name = name.into();
        let doing = || format!("cannot use the tests of \"{name}\"");
        let script = Script::parse(text).map_err(|error| error.while_doing(doing()))?;
        let suite = Self {
            name: name.clone(),
            script,
        };
        let ends = |one: &&super::script::Statement| {
            matches!(
                one.transaction,
                TransactionUse::Begins | TransactionUse::Ends | TransactionUse::Outside
            )
        };
        match suite.statements().iter().find(ends) {
            None => Ok(suite),
            Some(stray) => {
                let at = suite.script.position(stray.span.start);
                Err(Error::new(ErrorKind::InvalidInput, doing())
                    .with_source(format!("line {at}: it runs in a transaction that is rolled back, and may not leave it"))
                    .with_hint("One BEGIN at the start and one ROLLBACK at the end are fine."))
            }
        }
    }

    /// The files below folders, by name; a path may also be a file.
    ///
    /// # Errors
    /// Those of [`Suite::new`]; of kind `NotFound`, `PermissionDenied` or `Storage` where one cannot be read.
    pub fn in_paths<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Result<Vec<Self>> {
        let mut suites = Vec::new();
        for path in paths {
            for (name, path) in super::files::sql_files_of(path.as_ref())? {
                suites.push(Self::new(name, &super::files::read_file(&path)?)?);
            }
        }
        Ok(suites)
    }

    /// The name of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Without the frame that files for `pg_prove` have.
    fn statements(&self) -> &[super::script::Statement] {
        match self.script.statements() {
            [first, inner @ .., last]
                if first.transaction == TransactionUse::Begins
                    && last.transaction == TransactionUse::Ends =>
            {
                inner
            }
            all => all,
        }
    }

    /// Runs the tests. A statement that fails is a failed test.
    pub(super) async fn run(&self, ctx: &OpContext, locked: &mut Locked) -> Result<SuiteReport> {
        locked.run(&format!("{RESET}; begin"), None).await?;
        let mut tap = Tap::default();
        let ran = self.run_in(locked, &mut tap).await;
        let back = locked.roll_back(ctx).await;
        if let Err(error) = ran {
            // Without a connection, nothing was tested.
            back?;
            ctx.cancel().check()?;
            tap.fail("the file runs to its end", &error.chain().join(": "));
        }
        Ok(SuiteReport {
            name: self.name.clone(),
            tests: tap.finish(),
        })
    }

    async fn run_in(&self, locked: &mut Locked, tap: &mut Tap) -> Result<()> {
        if let Some(role) = self.acting()? {
            locked.run(&role, None).await?;
        }
        for statement in self.statements() {
            let text = self.script.text_of(statement);
            match self.script.rows_of(statement) {
                Some(rows) => drop(locked.run(text, Some(rows)).await?),
                None => locked
                    .connection()?
                    .query(text)
                    .await?
                    .iter()
                    .for_each(|set| tap.take(set)),
            }
        }
        Ok(())
    }

    /// Becomes the role of the first line, with its claims.
    fn acting(&self) -> Result<Option<String>> {
        let text = self.script.text().trim_start_matches('\u{feff}');
        let head = text
            .lines()
            .map(str::trim)
            .take_while(|line| line.is_empty() || line.starts_with("--"));
        let Some(rest) = head.into_iter().find_map(|line| line.strip_prefix(AS)) else {
            return Ok(None);
        };
        let (role, claims) = rest.split_once(' ').unwrap_or((rest, ""));
        let claims = claims.trim();
        if !claims.is_empty() && serde_json::from_str::<serde_json::Value>(claims).is_err() {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the claims of the first line are no JSON",
            ));
        }
        let claims = match claims {
            "" => String::new(),
            claims => format!(
                "; select pg_catalog.set_config('request.jwt.claims', {}, true)",
                quote_literal(claims)
            ),
        };
        Ok(Some(format!(
            "set local role {}{claims}",
            quote_ident(role.trim())
        )))
    }
}

/// Results as they come.
#[derive(Debug, Default)]
struct Tap {
    tests: Vec<TestResult>,
    planned: Option<usize>,
    /// Whether there was a line of TAP.
    has_lines: bool,
    /// Queries of several columns without a truth value in the second.
    untold: usize,
}

impl Tap {
    fn take(&mut self, set: &ResultSet) {
        match set.columns.as_slice() {
            [ok] if ok.type_oid == BOOL_OID => set.rows.iter().for_each(|row| {
                self.row(&[Some(UNNAMED.to_owned()), row.first().cloned().flatten()]);
            }),
            [_] => {
                let texts = set.rows.iter().filter_map(|row| row.first()?.as_deref());
                texts.flat_map(str::lines).for_each(|line| self.line(line));
            }
            [_, ok, ..] if ok.type_oid == BOOL_OID => set.rows.iter().for_each(|row| self.row(row)),
            [_, _, ..] => self.untold += 1,
            _ => {}
        }
    }

    fn row(&mut self, row: &[Option<String>]) {
        let field = |at: usize| row.get(at).and_then(Option::as_deref);
        self.tests.push(TestResult {
            name: field(0).unwrap_or_default().to_owned(),
            // What is unknown does not hold.
            outcome: match field(1) {
                Some("t") => TestOutcome::Passed,
                _ => TestOutcome::Failed,
            },
            detail: field(2).unwrap_or_default().to_owned(),
        });
    }

    fn line(&mut self, line: &str) {
        // Their number and name may be left out.
        let after = |word: &str| {
            let rest = line.strip_prefix(word)?;
            (rest.is_empty() || rest.starts_with(' ')).then(|| rest.trim_start())
        };
        let (passed, rest) = match (after("ok"), after("not ok")) {
            (Some(rest), _) => (TestOutcome::Passed, rest),
            (_, Some(rest)) => (TestOutcome::Failed, rest),
            _ => return self.other(line),
        };
        self.has_lines = true;
        let rest = rest
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim_start();
        let alone = rest.strip_prefix("# ").map(|directive| ("", directive));
        let (name, directive) = alone
            .or_else(|| rest.split_once(" # "))
            .unwrap_or((rest, ""));
        let directive_word = directive
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let name = name.strip_prefix("- ").unwrap_or(name);
        self.tests.push(TestResult {
            name: if name.is_empty() {
                format!("test {}", self.tests.len() + 1)
            } else {
                name.to_owned()
            },
            outcome: match directive_word.as_str() {
                "skip" | "todo" => TestOutcome::Skipped,
                _ => passed,
            },
            detail: directive.to_owned(),
        });
    }

    fn other(&mut self, line: &str) {
        if let Some(count) = line.strip_prefix("1..") {
            self.planned = count
                .split_whitespace()
                .next()
                .and_then(|count| count.parse().ok());
        } else if let Some(said) = line.strip_prefix('#')
            && let Some(test) = self.tests.last_mut()
            && test.outcome == TestOutcome::Failed
        {
            test.detail = format!("{} {}", test.detail, said.trim()).trim().to_owned();
        } else if line.starts_with("Bail out!") {
            self.fail("the file runs to its end", line);
        }
    }

    fn fail(&mut self, name: &str, detail: &str) {
        self.tests.push(TestResult {
            name: name.to_owned(),
            outcome: TestOutcome::Failed,
            detail: detail.to_owned(),
        });
    }

    fn finish(mut self) -> Vec<TestResult> {
        let ran = self.tests.len();
        // Files of TAP may ask for other things. In one of rows, what was meant as a check checked nothing.
        if self.untold > 0 && !self.has_lines && self.planned.is_none() {
            self.fail(
                "each query of several columns tells whether it holds",
                &format!(
                    "{} have no truth value in the second column: name, ok, detail",
                    self.untold
                ),
            );
        }
        match self.planned {
            Some(planned) if planned != ran => {
                self.fail(
                    "as many tests ran as were planned",
                    &format!("planned {planned}, ran {ran}"),
                );
            }
            _ if ran == 0 => self.fail("the file tests something", "it ran no test"),
            _ => {}
        }
        self.tests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tap(lines: &[&str]) -> Vec<(String, TestOutcome)> {
        let mut tap = Tap::default();
        lines.iter().for_each(|line| tap.line(line));
        tap.finish()
            .into_iter()
            .map(|test| (test.name, test.outcome))
            .collect()
    }

    #[test]
    fn lines_of_tap_are_results() {
        use TestOutcome::{Failed, Passed, Skipped};
        let lines = [
            "1..4",
            "ok 1 - a",
            "not ok 2 - b",
            "# Failed test 2: \"b\"",
            "ok 3 - c # SKIP no",
            "not ok 4 # TODO later",
        ];
        let expected = [
            ("a", Passed),
            ("b", Failed),
            ("c", Skipped),
            ("test 4", Skipped),
        ];
        let expected = expected.map(|(name, outcome)| (name.to_owned(), outcome));
        assert_eq!(tap(&lines), expected);
    }

    #[test]
    fn a_file_without_tests_or_with_fewer_than_planned_fails() {
        assert_eq!(tap(&[])[0].1, TestOutcome::Failed);
        assert_eq!(
            tap(&["1..2", "ok 1 - a"]).last().unwrap().1,
            TestOutcome::Failed
        );
        assert_eq!(
            tap(&["ok 1 - a", "Bail out! no database"])
                .last()
                .unwrap()
                .1,
            TestOutcome::Failed
        );
    }

    #[test]
    fn a_query_that_was_meant_as_a_check_and_is_none_fails() {
        use crate::postgres::wire::Column;
        let set = |second: u32| {
            let column = |type_oid| Column {
                name: "c".to_owned(),
                type_oid,
                type_modifier: -1,
            };
            ResultSet {
                columns: vec![column(25), column(second)],
                rows: vec![vec![Some("a".to_owned()), Some("t".to_owned())]],
                tag: String::new(),
            }
        };
        let outcomes = |sets: &[ResultSet], lines: &[&str]| {
            let mut tap = Tap::default();
            sets.iter().for_each(|set| tap.take(set));
            lines.iter().for_each(|line| tap.line(line));
            let tests = tap.finish().into_iter();
            tests.map(|test| test.outcome).collect::<Vec<_>>()
        };
        use TestOutcome::{Failed, Passed};
        assert_eq!(outcomes(&[set(BOOL_OID)], &[]), [Passed]);
        assert_eq!(outcomes(&[set(BOOL_OID), set(25)], &[]), [Passed, Failed]);
        assert_eq!(outcomes(&[set(25)], &["1..1", "ok 1 - a"]), [Passed]);
    }

    #[test]
    fn a_file_may_not_leave_its_transaction() {
        assert!(Suite::new("a.sql", "begin; select 1; rollback;").is_ok());
        assert!(Suite::new("a.sql", "select 1; commit; drop table t").is_err());
        assert!(Suite::new("a.sql", "vacuum").is_err());
    }

    #[test]
    fn differences_name_the_test() {
        let report = |outcome| {
            vec![SuiteReport {
                name: "a.sql".to_owned(),
                tests: vec![TestResult {
                    name: "x".to_owned(),
                    outcome,
                    detail: String::new(),
                }],
            }]
        };
        let changes = changed_tests(&report(TestOutcome::Passed), &report(TestOutcome::Failed));
        assert_eq!(changes[0].test, "a.sql: x");
        assert!(
            changed_tests(&report(TestOutcome::Passed), &report(TestOutcome::Passed)).is_empty()
        );
    }
}
