//! From privileges to `GRANT` and `REVOKE`.

use crate::catalog::model::{Acl, AclItem};
use crate::name::quote_ident;

/// All privileges there are: words from elsewhere are no SQL.
const KNOWN: &[&str] = &[
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "TRUNCATE",
    "REFERENCES",
    "TRIGGER",
    "MAINTAIN",
    "EXECUTE",
    "USAGE",
    "CREATE",
    "CONNECT",
    "TEMPORARY",
    "SET",
    "ALTER SYSTEM",
];

/// A change of privileges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Who grants, when it is not the owner.
    pub(crate) as_role: Option<String>,
    /// `GRANT …` or `REVOKE …`.
    pub(crate) sql: String,
}

/// What privileges are on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct On<'a> {
    /// After `ON`: `TABLE "s"."t"`, or `TABLES` for default privileges.
    pub(crate) object: &'a str,
    /// The column, when it is one.
    pub(crate) column: Option<&'a str>,
    /// The owner, whom the server takes for the grantor.
    pub(crate) owner: &'a str,
}

/// The statements that make the privileges of a new object, `acl.base`, those of `acl.items`. The catalog's
/// order is kept: it is what the server and other programs print.
pub(crate) fn changes(acl: &Acl, on: On<'_>) -> Vec<Change> {
    let mut all = Vec::new();
    let base: &[AclItem] = if keeps_order(acl) {
        for before in &acl.base {
            revoke(before, find(&acl.items, before), on, &mut all);
        }
        &acl.base
    } else {
        for before in &acl.base {
            revoke(before, None, on, &mut all);
        }
        &[]
    };
    for item in &acl.items {
        grant(item, find(base, item), on, &mut all);
    }
    all
}

/// Whether the new list is in order when what is granted anew goes to its end.
fn keeps_order(acl: &Acl) -> bool {
    let kept = acl
        .base
        .iter()
        .filter(|item| find(&acl.items, item).is_some());
    let new = acl
        .items
        .iter()
        .filter(|item| find(&acl.base, item).is_none());
    kept.chain(new)
        .zip(&acl.items)
        .all(|(is, wanted)| same_parties(is, wanted))
}

fn same_parties(one: &AclItem, other: &AclItem) -> bool {
    one.grantee == other.grantee && one.grantor == other.grantor
}

fn find<'a>(items: &'a [AclItem], like: &AclItem) -> Option<&'a AclItem> {
    items.iter().find(|item| same_parties(item, like))
}

fn revoke(before: &AclItem, now: Option<&AclItem>, on: On<'_>, all: &mut Vec<Change>) {
    let Some(now) = now else {
        // All of them: a newer server has more by default.
        all.push(change(before, "REVOKE", "FROM", &[], on, ""));
        return;
    };
    let lost = without(&before.privileges, &now.privileges);
    if !lost.is_empty() {
        all.push(change(before, "REVOKE", "FROM", &lost, on, ""));
    }
    let no_option = without(&without(&before.grantable, &now.grantable), &lost);
    if !no_option.is_empty() {
        let verb = "REVOKE GRANT OPTION FOR";
        all.push(change(before, verb, "FROM", &no_option, on, ""));
    }
}

fn grant(item: &AclItem, before: Option<&AclItem>, on: On<'_>, all: &mut Vec<Change>) {
    let (had, had_option): (&[_], &[_]) =
        before.map_or((&[], &[]), |before| (&before.privileges, &before.grantable));
    let plain = without(&without(&item.privileges, &item.grantable), had);
    if !plain.is_empty() {
        all.push(change(item, "GRANT", "TO", &plain, on, ""));
    }
    let with_option = without(&item.grantable, had_option);
    if !with_option.is_empty() {
        all.push(change(
            item,
            "GRANT",
            "TO",
            &with_option,
            on,
            " WITH GRANT OPTION",
        ));
    }
}

fn without(these: &[String], those: &[String]) -> Vec<String> {
    these
        .iter()
        .filter(|one| !those.contains(one) && KNOWN.contains(&one.as_str()))
        .cloned()
        .collect()
}

/// One statement; no privileges means all.
fn change(
    item: &AclItem,
    verb: &str,
    preposition: &str,
    privileges: &[String],
    on: On<'_>,
    option: &str,
) -> Change {
    let columns = on
        .column
        .map_or_else(String::new, |name| format!(" ({})", quote_ident(name)));
    let listed: Vec<String> = match privileges {
        [] => vec![format!("ALL{columns}")],
        some => some
            .iter()
            .map(|privilege| format!("{privilege}{columns}"))
            .collect(),
    };
    let grantee = item.grantee.as_deref();
    Change {
        as_role: (item.grantor != on.owner).then(|| item.grantor.clone()),
        sql: format!(
            "{verb} {} ON {} {preposition} {}{option}",
            listed.join(", "),
            on.object,
            grantee.map_or_else(|| "PUBLIC".to_owned(), quote_ident),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(
        grantee: Option<&str>,
        grantor: &str,
        privileges: &[&str],
        grantable: &[&str],
    ) -> AclItem {
        let owned = |list: &[&str]| list.iter().map(|&s| s.to_owned()).collect();
        AclItem {
            grantee: grantee.map(str::to_owned),
            grantor: grantor.to_owned(),
            privileges: owned(privileges),
            grantable: owned(grantable),
        }
    }

    fn sql(items: Vec<AclItem>, base: Vec<AclItem>) -> Vec<String> {
        let on = On {
            object: "TABLE t",
            column: None,
            owner: "o",
        };
        let all = changes(&Acl { items, base }, on);
        let with_role = |change: Change| match change.as_role {
            Some(role) => format!("{role}: {}", change.sql),
            None => change.sql,
        };
        all.into_iter().map(with_role).collect()
    }

    #[test]
    fn only_the_difference_is_written() {
        let owner = item(Some("o"), "o", &["SELECT", "INSERT"], &[]);
        let reader = item(Some("r"), "o", &["SELECT", "INSERT"], &["SELECT"]);
        assert_eq!(
            sql(vec![owner.clone(), reader], vec![owner]),
            [
                "GRANT INSERT ON TABLE t TO \"r\"",
                "GRANT SELECT ON TABLE t TO \"r\" WITH GRANT OPTION"
            ]
        );
    }

    #[test]
    fn what_nobody_has_any_more_is_revoked() {
        let everyone = item(None, "o", &["EXECUTE"], &[]);
        let owner = item(Some("o"), "o", &["EXECUTE"], &[]);
        assert_eq!(
            sql(vec![owner.clone()], vec![everyone.clone(), owner.clone()]),
            ["REVOKE ALL ON TABLE t FROM PUBLIC"]
        );
        assert_eq!(
            sql(vec![], vec![everyone, owner]),
            [
                "REVOKE ALL ON TABLE t FROM PUBLIC",
                "REVOKE ALL ON TABLE t FROM \"o\""
            ]
        );
    }

    #[test]
    fn another_order_begins_from_nothing() {
        let everyone = item(None, "o", &["EXECUTE"], &[]);
        let owner = item(Some("o"), "o", &["EXECUTE"], &[]);
        assert_eq!(
            sql(vec![owner.clone(), everyone.clone()], vec![everyone, owner]),
            [
                "REVOKE ALL ON TABLE t FROM PUBLIC",
                "REVOKE ALL ON TABLE t FROM \"o\"",
                "GRANT EXECUTE ON TABLE t TO \"o\"",
                "GRANT EXECUTE ON TABLE t TO PUBLIC"
            ]
        );
    }

    #[test]
    fn another_grantor_grants_itself() {
        let owner = item(Some("o"), "o", &["SELECT"], &[]);
        let given_on = item(Some("x"), "r", &["SELECT"], &[]);
        assert_eq!(
            sql(vec![owner.clone(), given_on], vec![owner]),
            ["r: GRANT SELECT ON TABLE t TO \"x\""]
        );
    }
}
