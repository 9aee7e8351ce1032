//! `opskit schema`.

use crate::App;
use crate::args::{Schema, SchemaArgs};
use crate::database::Database;
use crate::exit::Stop;
use crate::runtime;
use opskit_core::catalog::Scope;
use opskit_core::catalog::ddl::{DdlOptions, Script};
use opskit_core::catalog::diff::{Compared, FactsDiff};
use opskit_core::catalog::facts::{Facts, FactsOptions};
use opskit_core::context::OpContext;
use opskit_core::postgres::catalog::read_model;
use opskit_core::postgres::facts::read_facts;
use opskit_core::{Error, ErrorKind};
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

pub(crate) fn run(args: &SchemaArgs, app: &App) -> Result<(), Stop> {
    match &args.what {
        Schema::Dump { db } => dump(db.as_deref(), app),
        Schema::Snapshot { db, output } => snapshot(db.as_deref(), output.as_deref(), app),
        Schema::Diff { a, b, objects_only } => {
            let compared = if *objects_only {
                Compared::Objects
            } else {
                Compared::ObjectsAndCluster
            };
            diff([a, b], compared, app)
        }
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
    drop(model);
    if app.printer.is_json() {
        app.printer.json(&script)
    } else {
        app.printer.write(|out| write!(out, "{script}"))
    }
}

fn snapshot(db: Option<&str>, output: Option<&Path>, app: &App) -> Result<(), Stop> {
    let database = Database::find(db, app)?;
    let facts = read(&database, FactsOptions::default(), app)?;
    let Some(path) = output else {
        return app.printer.write(|out| facts.write_json(out));
    };
    let written = File::create(path).and_then(|file| facts.write_json(BufWriter::new(file)));
    written.map_err(|source| {
        let message = format!("cannot write \"{}\"", path.display());
        Error::new(ErrorKind::Storage, message).with_source(source)
    })?;
    let (objects, cluster) = (facts.objects.len(), facts.cluster.len());
    app.printer.note(&format!(
        "{objects} facts about objects and {cluster} about roles and settings in {}",
        path.display()
    ));
    Ok(())
}

/// Where facts come from.
enum Source {
    File(PathBuf),
    Database(Box<Database>),
}

fn diff(named: [&str; 2], compared: Compared, app: &App) -> Result<(), Stop> {
    let [a, b] = named.map(|text| Source::find(text, app));
    let [a, b] = facts([a?, b?], app)?;
    let diff = FactsDiff::between(&a, &b, compared);
    if app.printer.is_json() {
        app.printer.json(&diff)?;
    } else if diff.is_empty() && diff.respelled.is_empty() {
        app.printer.note("no difference");
    } else {
        app.printer.result(&diff.to_string())?;
    }
    if diff.is_empty() {
        Ok(())
    } else {
        Err(Stop::Refuted)
    }
}

/// Files are read first: a database is then read with the salt and the scope of the file, and two
/// databases with one salt.
fn facts(sources: [Source; 2], app: &App) -> Result<[Facts; 2], Stop> {
    Ok(match sources {
        [Source::Database(a), Source::File(b)] => {
            let b = load(&b)?;
            [read(&a, FactsOptions::like(&b), app)?, b]
        }
        [Source::File(a), Source::File(b)] => [load(&a)?, load(&b)?],
        [a, Source::Database(b)] => {
            let a = match a {
                Source::File(a) => load(&a)?,
                Source::Database(a) => read(&a, FactsOptions::default(), app)?,
            };
            let b = read(&b, FactsOptions::like(&a), app)?;
            [a, b]
        }
    })
}

impl Source {
    /// A URL has a scheme or is a list of settings; all else is a file.
    fn find(text: &str, app: &App) -> Result<Self, Error> {
        let is_url = text.contains("://") || text.contains('=');
        if is_url && !Path::new(text).exists() {
            Ok(Self::Database(Box::new(Database::find(Some(text), app)?)))
        } else {
            Ok(Self::File(text.into()))
        }
    }
}

fn load(path: &Path) -> Result<Facts, Error> {
    let bytes = std::fs::read(path).map_err(|source| {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            _ => ErrorKind::InvalidInput,
        };
        let message = format!("cannot read \"{}\"", path.display());
        Error::new(kind, message).with_source(source)
    })?;
    Facts::from_json(&bytes).map_err(|error| {
        let message = format!("cannot use \"{}\"", path.display());
        Error::new(error.kind(), message).with_source(error)
    })
}

fn read(database: &Database, options: FactsOptions, app: &App) -> Result<Facts, Stop> {
    runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let facts = read_facts(&ctx, &database.url, options).await;
        Ok(facts.map_err(|error| database.explain(error))?)
    })
}
