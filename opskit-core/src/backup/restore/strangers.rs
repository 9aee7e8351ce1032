//! What a restore does not do for a backup that nobody vouches for: in words, for its plan.

use super::code;
use super::graph::Graph;
use super::lacking::{self, LeftOut};
use super::plan::SessionKind;
use super::problems;
use super::request::{Existing, Missing, Part, RestoreRequest};
use super::target::Target;
use super::untrusted;
use crate::catalog::ddl::{Action, Statement};
use crate::catalog::model::{Definition, Model, Object};
use crate::catalog::{Address, CatalogId};
use crate::repository::Contents;
use std::collections::{BTreeSet, HashMap};

/// In a rehearsal, leaves out what cannot be made here, and what nobody vouches for.
pub(super) fn leave_out(
    (model, contents): (&mut Model, &mut Contents),
    graph: &Graph,
    target: &Target,
    request: &RestoreRequest,
    kind: SessionKind,
) -> LeftOut {
    if request.missing == Missing::Refuse {
        return LeftOut::default();
    }
    let mut roots: HashMap<Address, String> = HashMap::new();
    for object in lacking::not_offered(model, &target.extensions) {
        let why = "it needs an extension that the server does not offer";
        roots.insert(object.address, why.to_owned());
    }
    if kind == SessionKind::TemporaryLogin || !target.is_superuser {
        for object in problems::needs_superuser(model) {
            let why = match object.needs_superuser() {
                Some(why) => format!("only with --trust-backup ({why})"),
                None => continue,
            };
            roots.insert(object.address, why);
        }
    }
    for it in untrusted::objects(model, target, kind) {
        roots.insert(
            it.address,
            format!("only with --trust-backup ({})", it.reason),
        );
    }
    let rows = untrusted::rows(contents, target, kind);
    let mut left = lacking::leave_out(model, contents, graph, &roots);
    contents
        .tables
        .retain(|table| !rows.contains(&format!("rows of table {}", table.name)));
    let why = "only with --trust-backup (they say what an extension that is not trusted does)";
    left.named
        .extend(rows.iter().map(|it| format!("{it}: {why}")));
    left
}

/// What a superuser does not do for strangers, where that is a reason to refuse.
pub(super) fn problems_of(
    (model, contents): (&Model, &Contents),
    graph: &Graph,
    target: &Target,
    request: &RestoreRequest,
    kind: SessionKind,
) -> Vec<String> {
    if kind == SessionKind::Own {
        return Vec::new();
    }
    let rows = untrusted::rows(contents, target, kind);
    if request.part == Part::Data {
        return untrusted::problems(&[], &rows);
    }
    let refused = untrusted::objects(model, target, kind);
    let mut problems = untrusted::problems(&refused, &rows);
    problems.extend(code::given(model, graph, target, request.owners));
    problems
}

/// Schemas that were there, and whose owner and privileges may become the backup's: those that hold nothing else.
pub(super) fn open_schemas(
    existing: &[String],
    target: &Target,
    request: &RestoreRequest,
) -> Vec<String> {
    let is_empty = |name: &&String| {
        let mut present = target.present.iter();
        request.existing == Existing::Drop || !present.any(|it| it.schema.as_ref() == Some(*name))
    };
    existing.iter().filter(is_empty).cloned().collect()
}

/// Objects that are not the backup's, and on which it would give privileges.
#[derive(Debug, Default)]
pub(super) struct Foreign {
    /// A problem.
    pub(super) refused: BTreeSet<String>,
    /// Left out in a rehearsal.
    pub(super) left: BTreeSet<String>,
}

/// Takes out what is said about objects that are not the backup's alone, where a superuser would say it.
pub(super) fn take_foreign(
    statements: &mut Vec<Statement>,
    (model, target, open): (&Model, &Target, &[String]),
    (request, kind): (&RestoreRequest, SessionKind),
    skipped: &mut Vec<String>,
) -> Foreign {
    if kind == SessionKind::Own {
        return Foreign::default();
    }
    skipped.extend(not_ours(statements, model, target, open));
    take_foreign_grants(statements, request, skipped)
}

/// Takes out what is said about schemas and publications that were there and are not the backup's alone.
fn not_ours(
    statements: &mut Vec<Statement>,
    model: &Model,
    target: &Target,
    open: &[String],
) -> BTreeSet<String> {
    let names: HashMap<Address, &Object> =
        model.objects.iter().map(|it| (it.address, it)).collect();
    let mut skipped = BTreeSet::new();
    statements.retain(|statement| {
        let Some(object) = names.get(&statement.about) else {
            return true;
        };
        let is_foreign = match object.definition {
            Definition::Schema => {
                target.schemas.contains(&object.name) && !open.contains(&object.name)
            }
            Definition::Publication(_)
            | Definition::PublicationTable(_)
            | Definition::PublicationSchema(_) => has_publication(target, &object.name),
            _ => false,
        };
        if is_foreign {
            skipped.insert(format!(
                "what is said about {}: it was there before",
                object.describe()
            ));
        }
        !is_foreign
    });
    skipped
}

pub(super) fn has_publication(target: &Target, name: &str) -> bool {
    let mut present = target.present.iter();
    present.any(|it| it.address.catalog == CatalogId::PUBLICATION && it.name == name)
}

/// Privileges on what is not the backup's: left out in a rehearsal, otherwise a problem.
fn take_foreign_grants(
    statements: &mut Vec<Statement>,
    request: &RestoreRequest,
    skipped: &mut Vec<String>,
) -> Foreign {
    let is_foreign = |it: &&Statement| it.action == Action::GrantOnForeign;
    let objects = statements.iter().filter(is_foreign);
    let objects: BTreeSet<String> = objects.map(|it| it.object.clone()).collect();
    if request.missing == Missing::Refuse {
        return Foreign {
            refused: objects,
            left: BTreeSet::new(),
        };
    }
    statements.retain(|it| !is_foreign(&it));
    let why = "only with --trust-backup (it is not the backup's own)";
    let named = problems::list("privileges on", objects.iter().cloned());
    skipped.extend(named.map(|it| format!("{it}: {why}")));
    Foreign {
        refused: BTreeSet::new(),
        left: objects,
    }
}
