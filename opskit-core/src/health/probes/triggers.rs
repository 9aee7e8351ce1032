//! `triggers.disabled`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "triggers.disabled",
    about: "triggers that do not fire, those of foreign keys among them",
    remedy: "ALTER TABLE … ENABLE TRIGGER, and check the rows that came meanwhile.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select format('%s.%I', t.tgrelid::regclass, t.tgname), case when t.tgisinternal then 'fail' else 'warn' end, \
case when t.tgisinternal then 'keeps up a constraint, and is disabled' else 'is disabled' end \
from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace where t.tgenabled = 'D' and {user}",
};
