//! `opskit keys`.

use crate::App;
use crate::args::{
    KeysAction, KeysArgs, KeysCheckArgs, KeysNewArgs, KeysParquetArgs, KeysRecipientArgs,
    KeysRekeyArgs, OfArgs, RepositoryArgs,
};
use crate::exit::{Stop, usage_error};
use crate::repository::Place;
use crate::summary::aligned;
use crate::{runtime, units};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupKeys, KeyCheck, Others, RekeyReport, Repository};
use opskit_core::seal::Identity;
use opskit_core::{Error, ErrorKind, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

/// The document of `keys new --json`.
#[derive(Debug, Serialize)]
struct NewDocument {
    schema: &'static str,
    recipient: String,
    file: String,
}

/// The document of `keys parquet --json`.
#[derive(Debug, Serialize)]
struct ParquetDocument {
    schema: &'static str,
    id: String,
    /// 256 bits, in hexadecimal digits.
    key_hex: String,
}

pub(crate) fn run(args: &KeysArgs, app: &App) -> Result<(), Stop> {
    match &args.action {
        KeysAction::New(args) => new(args, app),
        KeysAction::Check(args) => check(args, app),
        KeysAction::Add(args) => add(args, app),
        KeysAction::Remove(args) => remove(args, app),
        KeysAction::Rekey(args) => rekey(args, app),
        KeysAction::Parquet(args) => parquet(args, app),
    }
}

fn new(args: &KeysNewArgs, app: &App) -> Result<(), Stop> {
    let (identity, text) = Identity::generate();
    let (path, recipient) = (args.file.display(), identity.recipient());
    let failed = |source: std::io::Error| {
        let error = Error::new(ErrorKind::Storage, format!("cannot make \"{path}\""));
        match source.kind() {
            std::io::ErrorKind::AlreadyExists => error
                .with_hint("Name another file: a key that is lost is lost with all that it opens."),
            _ => error,
        }
        .with_source(source)
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&args.file).map_err(failed)?;
    let lines = format!("# public key: {recipient}\n{}\n", text.expose());
    file.write_all(lines.as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    let printer = &app.printer;
    if printer.is_json() {
        return printer.json(&NewDocument {
            schema: "opskit.keys-new/1",
            recipient: recipient.to_string(),
            file: path.to_string(),
        });
    }
    printer.result(&format!("{recipient}\n"))?;
    printer.note(&format!(
        "\"{path}\" opens what is encrypted for it; keep a copy where the backups are not"
    ));
    Ok(())
}

fn check(args: &KeysCheckArgs, app: &App) -> Result<(), Stop> {
    let repository = place(&args.repository, &args.of, app)?.open()?;
    let last = args.last;
    let check = apart(app, repository, move |repository, ctx| {
        repository.check_keys(ctx, last)
    })?;
    match app.printer.is_json() {
        true => app.printer.json(&check)?,
        false => app.printer.result(&told(&check))?,
    }
    match check.is_sound() {
        true => Ok(()),
        false => Err(Stop::Refuted),
    }
}

fn told(check: &KeyCheck) -> String {
    let state = |keys: &BackupKeys| match (&keys.problem, keys.encrypted) {
        (Some(problem), _) => problem.clone(),
        (None, true) => "opens".to_owned(),
        (None, false) => "is not encrypted".to_owned(),
    };
    let row = |keys: &BackupKeys| vec![keys.id.to_string(), state(keys)];
    let rows: Vec<Vec<String>> = check.backups.iter().map(row).collect();
    let mut out = aligned(&rows);
    for keys in &check.backups {
        for stranger in &keys.strangers {
            let _ = writeln!(
                out,
                "{} has a key for {stranger}, whom the settings do not name",
                keys.id
            );
        }
    }
    let count = units::counted(check.backups.len() as u64, "backup");
    let _ = writeln!(out, "{count} looked at");
    out
}

fn add(args: &KeysRecipientArgs, app: &App) -> Result<(), Stop> {
    let place = place(&args.repository, &args.of, app)?;
    let wanted = [place.keys.recipient(&args.recipient)?];
    let report = apart(app, place.open()?, move |repository, ctx| {
        repository.rekey(ctx, &wanted, Others::Keep)
    })?;
    tell(&report, app)
}

fn remove(args: &KeysRecipientArgs, app: &App) -> Result<(), Stop> {
    let place = place(&args.repository, &args.of, app)?;
    let recipient = match args.recipient.as_str() {
        "passphrase" => "passphrase".to_owned(),
        key => place.keys.recipient(key)?.id(),
    };
    let report = apart(app, place.open()?, move |repository, ctx| {
        repository.remove_recipient(ctx, &recipient)
    })?;
    tell(&report, app)
}

fn rekey(args: &KeysRekeyArgs, app: &App) -> Result<(), Stop> {
    let mut place = place(&args.repository, &args.of, app)?;
    place.seal_for(&args.recipient)?;
    let repository = place.open()?;
    let wanted = repository.keyring().recipients().to_vec();
    if wanted.is_empty() {
        let what = "nobody says whom the backups are to be encrypted for";
        let way = "Name recipients in opskit.toml, or give --recipient.";
        return Err(usage_error(what, way).into());
    }
    let report = apart(app, repository, move |repository, ctx| {
        repository.rekey(ctx, &wanted, Others::Remove)
    })?;
    tell(&report, app)
}

fn tell(report: &RekeyReport, app: &App) -> Result<(), Stop> {
    if app.printer.is_json() {
        return app.printer.json(report);
    }
    let mut text = format!(
        "{}: {} added, {} removed\n",
        units::counted(report.backups, "encrypted backup"),
        units::counted(report.added, "wrapped key"),
        units::count(report.removed)
    );
    if report.clear > 0 {
        let _ = writeln!(
            text,
            "{} in the clear",
            units::counted(report.clear, "backup")
        );
    }
    app.printer.good_news(&text)
}

fn parquet(args: &KeysParquetArgs, app: &App) -> Result<(), Stop> {
    let repository = place(&args.repository, &args.of, app)?.open()?;
    let id = repository.find_of(&args.id, &args.of.among())?;
    let key = repository
        .read(&id)?
        .parquet_key()?
        .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("backup {id} is not encrypted")))?;
    let key_hex: String = key
        .expose()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if app.printer.is_json() {
        return app.printer.json(&ParquetDocument {
            schema: "opskit.keys-parquet/1",
            id: id.to_string(),
            key_hex,
        });
    }
    app.printer.result(&format!("{key_hex}\n"))
}

fn place(repository: &RepositoryArgs, of: &OfArgs, app: &App) -> Result<Place, Error> {
    repository.place_of_backups(of, None, app)
}

/// On a thread that may block, so that signals are seen meanwhile.
fn apart<T: Send + 'static>(
    app: &App,
    repository: Repository,
    work: impl FnOnce(&Repository, &OpContext) -> Result<T> + Send + 'static,
) -> Result<T, Stop> {
    runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let done = tokio::task::spawn_blocking(move || work(&repository, &ctx)).await;
        let done = done.map_err(|source| {
            Error::new(ErrorKind::Internal, "the work on keys stopped").with_source(source)
        });
        Ok(done??)
    })
}
