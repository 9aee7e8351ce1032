//! `rls.always_true`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "rls.always_true",
    about: "policies for writing that let everything through",
    remedy: "Write down who may, in the policy.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select format('%s.%I', p.polrelid::regclass, p.polname), 'warn', 'is always true' from pg_policy p \
join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace where p.polpermissive and p.polcmd <> 'r' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' \
and (pg_get_expr(p.polqual, p.polrelid) = 'true' or pg_get_expr(p.polwithcheck, p.polrelid) = 'true')",
};
