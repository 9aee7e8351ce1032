//! `opskit schema`.

use crate::App;
use crate::args::{Schema, SchemaArgs};
use crate::database::Database;
use crate::exit::Stop;
use crate::runtime;
use opskit_core::catalog::Scope;
use opskit_core::catalog::ddl::{DdlOptions, Script};
use opskit_core::context::OpContext;
use opskit_core::postgres::catalog::read_model;

pub(crate) fn run(args: &SchemaArgs, app: &App) -> Result<(), Stop> {
    match &args.what {
        Schema::Dump { db } => dump(db.as_deref(), app),
    }
}

fn dump(db: Option<&str>, app: &App) -> Result<(), Stop> {
    let database = Database::find(db, app)?;
    let model = runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let model = read_model(&ctx, &database.url, &Scope::default()).await;
        Ok(model.map_err(|error| database.explain(error))?)
    })?;
    let script = Script::of(&model, &DdlOptions::new(model.server_version))?;
    if app.printer.is_json() {
        app.printer.json(&script)
    } else {
        app.printer.result(&script.to_string())
    }
}
