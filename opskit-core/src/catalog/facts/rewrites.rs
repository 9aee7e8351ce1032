//! What servers of different major versions say differently about the same thing.

use super::{Attributes, Fact};
use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

/// Attributes that are the server's spelling of an expression. Another major version may spell the
/// same expression otherwise, and only a person can tell.
/// So does the version of an extension: each server offers its own.
const EXPRESSIONS: [&str; 10] = [
    "definition",
    "extversion",
    "adbin",
    "polqual",
    "polwithcheck",
    "proargdefaults",
    "prosqlbody",
    "prqual",
    "relpartbound",
    "typdefaultbin",
];

/// Whether an attribute is text that the server spells.
pub(in crate::catalog) fn is_expression(attribute: &str) -> bool {
    EXPRESSIONS.contains(&attribute)
}

/// One difference between servers.
struct Rewrite {
    /// The first major version that says it the new way.
    since: u32,
    catalog: &'static str,
    what: What,
}

enum What {
    /// The attribute is not compared.
    Without(&'static str),
    /// The attribute had the first name and has the second.
    Renamed(&'static str, &'static str),
    /// The value that everything has, and that older servers have no word for.
    Ordinary(&'static str, &'static str),
    /// Objects that only newer servers make, told by the words before their names.
    Objects(&'static str),
    /// NOT NULL as constraints of their own, of columns or of domains.
    NotNull(Of),
    /// The locale of an ICU collation was its `collcollate`.
    IcuLocale,
    /// A privilege, by its letter, that the grant of all has since.
    Privilege(char),
}

#[derive(Clone, Copy, PartialEq)]
enum Of {
    Domain,
    Column,
}

const fn rewrite(since: u32, catalog: &'static str, what: What) -> Rewrite {
    Rewrite {
        since,
        catalog,
        what,
    }
}

/// All of them, from 13 to 18. Columns whose ordinary value is nothing need no line.
#[rustfmt::skip] // a table
const REWRITES: [Rewrite; 22] = [
    rewrite(14, "", What::Objects("multirange ")),
    rewrite(14, "pg_range", What::Without("rngmultitypid")),
    rewrite(14, "pg_conversion", What::Without("conproc")),
    rewrite(14, "pg_type", What::Without("typsubscript")),
    rewrite(15, "pg_collation", What::IcuLocale),
    rewrite(15, "pg_database", What::Without("datlocprovider")),
    rewrite(15, "pg_subscription", What::Ordinary("subtwophasestate", "d")),
    rewrite(16, "pg_subscription", What::Ordinary("substream", "f")),
    rewrite(16, "pg_subscription", What::Ordinary("suborigin", "any")),
    rewrite(16, "pg_subscription", What::Ordinary("subpasswordrequired", "t")),
    rewrite(16, "pg_auth_members", What::Without("inherit_option")),
    rewrite(16, "pg_auth_members", What::Without("set_option")),
    rewrite(17, "pg_collation", What::Renamed("colliculocale", "colllocale")),
    rewrite(17, "pg_database", What::Renamed("daticulocale", "datlocale")),
    rewrite(17, "pg_constraint", What::NotNull(Of::Domain)),
    rewrite(17, "pg_class", What::Privilege('m')),
    rewrite(17, "pg_default_acl", What::Privilege('m')),
    rewrite(18, "pg_constraint", What::NotNull(Of::Column)),
    rewrite(18, "pg_constraint", What::Ordinary("conenforced", "t")),
    rewrite(18, "pg_publication", What::Ordinary("pubgencols", "n")),
    rewrite(15, "pg_database", What::Without("datcollate")),
    rewrite(15, "pg_database", What::Without("datctype")),
];

/// The facts as servers of both major versions say them.
pub(in crate::catalog) fn common(facts: &[Fact], major: u32, other: u32) -> Cow<'_, [Fact]> {
    let (older, newer) = (major.min(other), major.max(other));
    let between: Vec<&Rewrite> = REWRITES
        .iter()
        .filter(|rewrite| older < rewrite.since && rewrite.since <= newer)
        .collect();
    if between.is_empty() {
        return Cow::Borrowed(facts);
    }
    let unknown: HashSet<&str> = facts
        .iter()
        .filter(|fact| between.iter().any(|rewrite| rewrite.leaves_out(fact)))
        .map(|fact| &*fact.object)
        .collect();
    let kept = facts.iter().filter(|fact| !unknown.contains(&*fact.object));
    let rewritten = kept.map(|fact| {
        let of_catalog = between
            .iter()
            .filter(|rewrite| rewrite.catalog == &*fact.catalog);
        of_catalog.fold(fact.clone(), |fact, rewrite| rewrite.apply(fact))
    });
    Cow::Owned(rewritten.collect())
}

impl Rewrite {
    /// Whether older servers do not know the object at all.
    fn leaves_out(&self, fact: &Fact) -> bool {
        match &self.what {
            What::Objects(words) => fact.object.starts_with(words),
            What::NotNull(of) => {
                let of_column = fact.attributes.get("conkey").is_some();
                *fact.catalog == *self.catalog
                    && fact.attributes.get("contype") == Some("n")
                    && (*of == Of::Column) == of_column
            }
            _ => false,
        }
    }

    fn apply(&self, mut fact: Fact) -> Fact {
        let provider = fact.attributes.get("collprovider");
        let attributes = fact.attributes.iter();
        let rewritten: Attributes = attributes
            .filter_map(|(name, value)| self.attribute(name, value, provider))
            .map(|(name, value)| (Arc::from(name), Box::from(value)))
            .collect();
        fact.attributes = rewritten;
        fact
    }

    fn attribute<'a>(
        &self,
        name: &'a str,
        value: &'a str,
        provider: Option<&str>,
    ) -> Option<(&'a str, Cow<'a, str>)> {
        let kept = Some((name, Cow::Borrowed(value)));
        match &self.what {
            What::Without(gone) => kept.filter(|_| name != *gone),
            What::Ordinary(of, ordinary) => kept.filter(|_| (name, value) != (*of, *ordinary)),
            What::Renamed(old, new) if name == *old => Some((*new, Cow::Borrowed(value))),
            What::IcuLocale if provider == Some("i") && name == "collctype" => None,
            What::IcuLocale if provider == Some("i") && name == "collcollate" => {
                Some(("colliculocale", Cow::Borrowed(value)))
            }
            What::Privilege(letter) if name.ends_with("acl") => {
                Some((name, without_privilege(value, *letter).into()))
            }
            _ => kept,
        }
    }
}

/// `{ann=arwdm/bob}` without a letter among the privileges.
fn without_privilege(acl: &str, letter: char) -> String {
    let items: Vec<String> = acl
        .split(',')
        .map(|item| match (item.rfind('='), item.rfind('/')) {
            (Some(from), Some(to)) if from < to => {
                let privileges = item[from..to].replace(letter, "");
                format!("{}{privileges}{}", &item[..from], &item[to..])
            }
            _ => item.to_owned(),
        })
        .collect();
    items.join(",")
}
