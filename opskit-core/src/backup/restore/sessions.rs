//! The sessions of one restore.

use super::login::{self, Login};
use super::mark;
use super::plan::SessionKind;
use super::target::Target;
use crate::cancel::Cancel;
use crate::context::OpContext;
use crate::error::{ErrorKind, Result};
use crate::event::Event;
use crate::postgres::load::{self, RestoreSettings};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{ResolvedHost, WireConnection};

/// The target's role's own session, and how to open those that do the work.
#[derive(Debug)]
pub(super) struct Sessions {
    pub(super) admin: WireConnection,
    pub(super) login: Option<Login>,
    owner: Opener,
    opener: Opener,
    database_oid: String,
}

/// How to open a session that does the work.
#[derive(Debug, Clone)]
pub(super) struct Opener {
    ctx: OpContext,
    url: DatabaseUrl,
    resolved: ResolvedHost,
    settings: RestoreSettings,
}

impl Opener {
    /// The database, for the role that it opens sessions of.
    pub(super) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    pub(super) async fn open(&self) -> Result<WireConnection> {
        self.open_until(self.ctx.cancel()).await
    }

    /// One that heeds no cancellation, for what must be done after one.
    pub(super) async fn open_regardless(&self) -> Result<WireConnection> {
        self.open_until(&Cancel::never()).await
    }

    async fn open_until(&self, cancel: &Cancel) -> Result<WireConnection> {
        let connected = WireConnection::connect_resolved(&self.url, &self.resolved, cancel).await;
        let mut connection = connected?;
        load::open(&mut connection, &self.settings).await?;
        mark::share(&mut connection).await?;
        Ok(connection)
    }
}

impl Sessions {
    /// Makes the login where one is needed, and proves that it is let in.
    pub(super) async fn start(
        ctx: &OpContext,
        mut admin: WireConnection,
        url: &DatabaseUrl,
        target: &Target,
        kind: SessionKind,
        settings: RestoreSettings,
    ) -> Result<Self> {
        let mut opener = Opener {
            ctx: ctx.clone(),
            url: url.clone(),
            resolved: admin.resolved().clone(),
            settings,
        };
        if target.is_superuser {
            sweep(ctx, &mut admin, &target.database_oid).await?;
        }
        if kind == SessionKind::Own {
            return Ok(Self {
                admin,
                login: None,
                owner: opener.clone(),
                opener,
                database_oid: target.database_oid.clone(),
            });
        }
        let login = Login::create(&mut admin, target).await?;
        let owner = opener.clone();
        opener.url = url
            .with_user(&login.role)
            .with_password(login.password.clone())?;
        opener.resolved = opener.resolved.with_password(login.password.clone());
        let sessions = Self {
            admin,
            login: Some(login),
            owner,
            opener,
            database_oid: target.database_oid.clone(),
        };
        match sessions.opener.open().await {
            Ok(connection) => {
                connection.close().await;
                Ok(sessions)
            }
            Err(error) => {
                let told = match error.kind() {
                    ErrorKind::PermissionDenied => error
                        .while_doing("the server does not let in the login that restores without a superuser's rights")
                        .with_hint("Restore as a role that is no superuser, or give --trust-backup."),
                    _ => error,
                };
                sessions.end(ctx).await.close().await;
                Err(told)
            }
        }
    }

    /// How to open a session that does the work.
    pub(super) fn opener(&self) -> &Opener {
        &self.opener
    }

    /// How to open a session of the target's role.
    pub(super) fn owner(&self) -> Opener {
        self.owner.clone()
    }

    /// Takes the login away, also after a cancellation: what was cancelled heeds
    /// that for ever, so this goes over a session of its own.
    ///
    /// The session that is left keeps other restores out for as long as it lives.
    pub(super) async fn end(self, ctx: &OpContext) -> WireConnection {
        let Self {
            admin,
            login,
            owner,
            database_oid,
            ..
        } = self;
        if let Some(login) = login
            && let Err(error) = drop_login(ctx, &owner, &login, &database_oid).await
        {
            ctx.emit(Event::Warning {
                message: format!("{}; the next restore drops it", error.chain().join(": ")),
            });
        }
        admin
    }
}

async fn sweep(ctx: &OpContext, admin: &mut WireConnection, database_oid: &str) -> Result<()> {
    for role in login::sweep(admin, database_oid, None).await? {
        ctx.emit(Event::Warning {
            message: format!("dropped role \"{role}\", which a restore that was killed left"),
        });
    }
    Ok(())
}

async fn drop_login(
    ctx: &OpContext,
    owner: &Opener,
    login: &Login,
    database_oid: &str,
) -> Result<()> {
    let mut connection = owner.open_regardless().await?;
    let owned = login.drop_role(&mut connection).await?;
    if !owned.is_empty() {
        ctx.emit(Event::Warning {
            message: format!(
                "role \"{}\" stays, without a login, as the owner of code that nobody vouches for: {}",
                login.role,
                owned.join(", ")
            ),
        });
    }
    // What was left before may have been dropped meanwhile.
    sweep(ctx, &mut connection, database_oid).await?;
    connection.close().await;
    Ok(())
}

/// A session that may read everything and is no superuser's, for queries of tables whose constraints and
/// indexes are somebody's code; and what to drop afterwards.
pub(in crate::backup) async fn read_with_care<T>(
    ctx: &OpContext,
    url: &DatabaseUrl,
    work: impl AsyncFnOnce(&mut WireConnection) -> Result<T>,
) -> Result<T> {
    let settings = RestoreSettings::default();
    let mut admin = WireConnection::connect(url, ctx.cancel()).await?;
    load::open(&mut admin, &settings).await?;
    let target = Target::read(&mut admin).await?;
    let kind = match target.is_superuser {
        true => SessionKind::TemporaryLogin,
        false => SessionKind::Own,
    };
    let mut sessions = Sessions::start(ctx, admin, url, &target, kind, settings).await?;
    let done = async {
        if let Some(login) = &sessions.login {
            login.read_all(&mut sessions.admin, &target).await?;
        }
        let mut session = sessions.opener.open().await?;
        let done = work(&mut session).await?;
        session.close().await;
        Ok(done)
    };
    let done = done.await;
    sessions.end(ctx).await.close().await;
    done
}
