//! Rows into tables that exist: what stands in their way is taken away meanwhile, and put back whatever
//! becomes of the rows, but for what the server puts back only when they are there.

use super::sessions::{Opener, Sessions};
use super::steps::as_role;
use super::target::Bracket;
use super::work::Work;
use crate::error::{Error, ErrorKind, Result};
use crate::name::quote_ident;
use crate::postgres::wire::WireConnection;
use crate::repository::Holds;

/// What could not be put back: in words, and why.
type Away = Vec<(String, Error)>;

impl Work<'_> {
    /// Loads all rows into tables that exist; foreign keys and triggers are away meanwhile.
    pub(super) async fn rows_between(
        &mut self,
        sessions: &mut Sessions,
        worker: &mut WireConnection,
    ) -> Result<()> {
        let owner = sessions.owner();
        let brackets = std::mem::take(&mut self.prepared.brackets);
        let mut gone = Vec::new();
        let loaded = self.load_between(sessions, &brackets, &mut gone);
        let loaded = Box::pin(loaded).await;
        let mut away = put_back(&owner, &gone).await;
        if let Err(error) = loaded {
            let last = gone.iter().filter(|bracket| bracket.is_last());
            away.extend(last.map(|bracket| (bracket.object.clone(), waiting())));
            return Err(told(error, &gone, &away));
        }
        self.tell_away(away)?;
        self.check_keys(sessions, worker, &gone).await
    }

    /// Takes the brackets away, each of which is written down in `gone`, and loads the rows.
    async fn load_between(
        &mut self,
        sessions: &mut Sessions,
        brackets: &[Bracket],
        gone: &mut Vec<Bracket>,
    ) -> Result<()> {
        let (opener, owner) = (sessions.opener().clone(), sessions.owner());
        let admin = &mut sessions.admin;
        if let Some(login) = &sessions.login {
            let tables = self.rows.tables.iter();
            let tables = tables.filter(|table| table.holds == Holds::Table);
            login
                .load_into(admin, tables.map(|table| &table.name))
                .await?;
        }
        for bracket in brackets {
            match admin.query_one(&bracket.before).await {
                Ok(_) => {
                    self.steps.done += 1;
                    gone.push(bracket.clone());
                }
                Err(error) => self.steps.failed(&bracket.object, error)?,
            }
        }
        let truncates = std::mem::take(&mut self.prepared.truncates);
        self.own(admin, &truncates).await?;
        self.rows_over(&opener, &owner).await
    }

    /// What could not be put back is a failure, of which all are named.
    fn tell_away(&mut self, mut away: Away) -> Result<()> {
        let named = names(&away);
        while let Some((object, error)) = away.pop() {
            let error = error.with_hint(format!("Still away: {named}. {AGAIN}"));
            self.steps.failed(&object, error)?;
        }
        Ok(())
    }

    /// Lets the server look whether the rows fit the foreign keys that were put back, or puts back those that had to
    /// wait for the rows. Over the login it is the
    /// owner of the table who looks, unless that is one who must not be borrowed.
    async fn check_keys(
        &mut self,
        sessions: &mut Sessions,
        worker: &mut WireConnection,
        brackets: &[Bracket],
    ) -> Result<()> {
        for bracket in brackets {
            let Some(check) = &bracket.check else {
                continue;
            };
            let login = sessions.login.as_ref();
            let login = login.filter(|_| !self.target.is_privileged(&bracket.owner));
            let admin = &mut sessions.admin;
            let done = match login {
                None => admin.query_one(check).await.map(drop),
                Some(login) => {
                    let (owner, login) = (quote_ident(&bracket.owner), quote_ident(&login.role));
                    let lend = format!("GRANT {owner} TO {login}");
                    admin.query_one(&lend).await?;
                    let done = as_role(worker, &bracket.owner, check).await;
                    let back = format!("REVOKE {owner} FROM {login}");
                    admin.query_one(&back).await?;
                    done
                }
            };
            match done {
                Ok(()) => self.steps.done += 1,
                Err(error) => self.steps.failed(&bracket.object, error)?,
            }
        }
        Ok(())
    }
}

const AGAIN: &str = "Run the restore again: at its end everything is put back.";

fn names(away: &Away) -> String {
    let names: Vec<&str> = away.iter().map(|(object, _)| object.as_str()).collect();
    names.join(", ")
}

/// The error, which tells too how things are left.
fn told(error: Error, gone: &[Bracket], away: &Away) -> Error {
    let mut hint = error.hint().unwrap_or_default().to_owned();
    if !away.is_empty() {
        hint += &format!(" Still away: {}. {AGAIN}", names(away));
    } else if gone.iter().any(|it| it.check.is_some()) {
        hint += " The foreign keys are back, and not validated until the restore is run again.";
    }
    match hint.trim_start() {
        "" => error,
        hint => error.with_hint(hint),
    }
}

/// Puts everything back, over a session of its own: what was cancelled heeds that for ever, and one statement that
/// fails is no reason not to try the next.
async fn put_back(owner: &Opener, gone: &[Bracket]) -> Away {
    let mut away = Away::new();
    if gone.is_empty() {
        return away;
    }
    let mut session = match owner.open_regardless().await {
        Ok(session) => session,
        Err(error) => {
            let mut all = gone.iter().map(|it| it.object.clone());
            away.extend(all.next().map(|object| (object, error)));
            away.extend(all.map(|object| (object, unreached())));
            return away;
        }
    };
    for bracket in gone {
        if let Err(error) = session.query_one(&bracket.after).await {
            away.push((bracket.object.clone(), error));
        }
    }
    session.close().await;
    away
}

fn unreached() -> Error {
    let what = "the server could not be reached to put it back";
    Error::new(ErrorKind::Connection, what)
}

fn waiting() -> Error {
    let what = "the server puts it back only when all rows are there";
    Error::new(ErrorKind::Busy, what)
}
