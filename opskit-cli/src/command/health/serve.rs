//! `opskit health serve`.

use super::Setup;
use crate::App;
use crate::args::HealthServeArgs;
use crate::database::Database;
use crate::exit::Stop;
use crate::runtime;
use crate::serve::{Reports, Runs, Site, Token, acceptor, router, serve};
use opskit_core::cancel::Cancel;
use opskit_core::config::parse_duration;
use opskit_core::context::OpContext;
use opskit_core::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Where the token is that shows details. An argument would show in the list of processes.
const TOKEN: &str = "OPSKIT_HEALTH_TOKEN";

pub(super) fn run(args: &HealthServeArgs, app: &App) -> Result<(), Stop> {
    let database = Database::find(args.db.as_deref(), app)?;
    let max_age = age("--max-age", &args.max_age)?;
    let ready_age = age("--ready-max-age", &args.ready_max_age)?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificates), Some(key)) => Some(acceptor(certificates, key)?),
        _ => None,
    };
    let setup = Setup::of(&database, &args.repository, app)?;
    let (all, mut critical) = (setup.request(), setup.request());
    critical.only.clone_from(&args.critical);
    critical.check_names(&setup.probes())?;
    let token = app.env.var(TOKEN).and_then(Token::new);
    runtime::block_on(&app.printer, async |cancel: Cancel| {
        let listener = TcpListener::bind(&args.listen).await.map_err(|source| {
            let message = format!("cannot listen on \"{}\"", args.listen);
            Error::new(ErrorKind::Busy, message).with_source(source)
        })?;
        let address = listener.local_addr().map_err(|source| {
            Error::new(ErrorKind::Internal, "a socket has no address").with_source(source)
        })?;
        let ctx = OpContext::new(cancel.clone());
        let runs = Arc::new(Runs::new(ctx, database.url.clone(), setup));
        let site = Site {
            critical: Reports::new(&runs, critical, ready_age),
            all: Reports::new(&runs, all, max_age),
            token,
        };
        app.printer.note(&format!("listening on {address}"));
        serve(listener, tls, router(site), &cancel).await;
        app.printer.note(&format!(
            "ended; the database was asked {} times",
            runs.begun()
        ));
        Ok(())
    })
}

fn age(argument: &str, text: &str) -> Result<Duration, Error> {
    parse_duration(text)
        .map_err(|why| Error::new(ErrorKind::InvalidInput, format!("{argument}: {why}")))
}
