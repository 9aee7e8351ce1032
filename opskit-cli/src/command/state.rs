//! `opskit state`.

use crate::App;
use crate::args::{StateAction, StateArgs, StateCaptureArgs, StateCompareArgs};
use crate::database::Database;
use crate::exit::Stop;
use crate::runtime;
use crate::summary::aligned;
use opskit_core::context::OpContext;
use opskit_core::state::{Change, State, StateDiff, StateRequest, TableChange, capture, recapture};
use opskit_core::{Error, ErrorKind};
use std::path::Path;

pub(crate) fn run(args: &StateArgs, app: &App) -> Result<(), Stop> {
    match &args.what {
        StateAction::Capture(args) => take(args, app),
        StateAction::Compare(args) => compare(args, app),
    }
}

fn take(args: &StateCaptureArgs, app: &App) -> Result<(), Stop> {
    let mut request = StateRequest::default();
    if !args.tables.is_empty() {
        request.tables.clone_from(&args.tables);
    }
    request.jobs = args.jobs;
    let state = read(args.db.as_deref(), &request, app)?;
    let Some(path) = &args.output else {
        return app.printer.json(&state);
    };
    let text = serde_json::to_vec_pretty(&state).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the state as JSON").with_source(source)
    })?;
    std::fs::write(path, text).map_err(|source| {
        let message = format!("cannot write \"{}\"", path.display());
        Error::new(ErrorKind::Storage, message).with_source(source)
    })?;
    let rows: u64 = state.tables.iter().map(|table| table.rows).sum();
    app.printer.note(&format!(
        "{rows} rows of {} tables in {}",
        state.tables.len(),
        path.display()
    ));
    Ok(())
}

fn read(db: Option<&str>, request: &StateRequest, app: &App) -> Result<State, Stop> {
    let database = Database::find(db, app)?;
    runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let state = Box::pin(capture(&ctx, &database.url, request)).await;
        Ok(state.map_err(|error| database.explain(error))?)
    })
}

fn load(path: &Path) -> Result<State, Error> {
    let doing = || format!("cannot use \"{}\"", path.display());
    let bytes = std::fs::read(path)
        .map_err(|source| Error::new(ErrorKind::NotFound, doing()).with_source(source))?;
    State::from_json(&bytes).map_err(|error| error.while_doing(doing()))
}

fn compare(args: &StateCompareArgs, app: &App) -> Result<(), Stop> {
    let before = load(&args.before)?;
    let after = match &args.after {
        Some(path) => load(path)?,
        None => again(args, &before, app)?,
    };
    let diff = StateDiff::between(&before, &after);
    if app.printer.is_json() {
        app.printer.json(&diff)?;
    } else {
        app.printer.result(&text(&diff))?;
    }
    let matters = |it: &&TableChange| {
        let is_allowed = args.allow.contains(&it.table.to_string());
        !is_allowed && (it.change.is_loss() || !args.loss_only)
    };
    match diff.changes.iter().find(matters) {
        None => Ok(()),
        Some(_) => Err(Stop::Refuted),
    }
}

fn again(args: &StateCompareArgs, before: &State, app: &App) -> Result<State, Stop> {
    let database = Database::find(args.db.as_deref(), app)?;
    runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let state = Box::pin(recapture(&ctx, &database.url, before, args.jobs)).await;
        Ok(state.map_err(|error| database.explain(error))?)
    })
}

fn text(diff: &StateDiff) -> String {
    let number = |rows: Option<u64>| rows.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let row = |it: &TableChange| {
        let word = match it.change {
            Change::Gone => "gone",
            Change::Fewer => "fewer rows",
            Change::Other => "other rows",
            Change::More => "more rows",
            _ => "new",
        };
        vec![
            it.table.to_string(),
            word.to_owned(),
            number(it.before),
            number(it.after),
        ]
    };
    let rows: Vec<_> = diff.changes.iter().map(row).collect();
    format!("{}{} tables are the same\n", aligned(&rows), diff.same)
}
