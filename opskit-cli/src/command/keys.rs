//! `opskit keys`.

use crate::App;
use crate::args::{
    KeysAction, KeysArgs, KeysCheckArgs, KeysNewArgs, KeysParquetArgs, KeysRecipientArgs,
    KeysRekeyArgs, KeysSignArgs, OfArgs, RepositoryArgs,
};
use crate::exit::{Stop, usage_error};
use crate::repository::Place;
use crate::summary::aligned;
use crate::{runtime, units};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupKeys, KeyCheck, Others, RekeyReport, Repository};
use opskit_core::seal::{Identity, SigningKey};
use opskit_core::secret::Secret;
use opskit_core::{Error, ErrorKind, Result};
use serde::Serialize;
use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The document of `keys new --json`.
#[derive(Debug, Serialize)]
struct NewDocument {
    schema: &'static str,
    kind: KeyKind,
    public_key: String,
    file: String,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum KeyKind {
    Encryption,
    Signing,
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
        KeysAction::Sign(args) => sign(args, app),
    }
}

fn new(args: &KeysNewArgs, app: &App) -> Result<(), Stop> {
    let path = args.file.display();
    let (kind, public, lines, use_of) = match args.signing {
        true => {
            let (key, pem) = SigningKey::generate()?;
            let use_of = "signs backups as yours; whoever has it can forge one";
            (
                KeyKind::Signing,
                key.verifying_key().to_string(),
                pem,
                use_of,
            )
        }
        false => {
            let (identity, text) = Identity::generate();
            let recipient = identity.recipient().to_string();
            let lines = format!("# public key: {recipient}\n{}\n", text.expose());
            let use_of = "opens what is encrypted for it; keep a copy where the backups are not";
            (KeyKind::Encryption, recipient, Secret::new(lines), use_of)
        }
    };
    write_new(&args.file, &lines)?;
    let printer = &app.printer;
    if printer.is_json() {
        return printer.json(&NewDocument {
            schema: "opskit.keys-new/1",
            kind,
            public_key: public,
            file: path.to_string(),
        });
    }
    printer.result(&format!("{public}\n"))?;
    printer.note(&format!("\"{path}\" {use_of}"));
    Ok(())
}

/// Writes a file that nobody else can read, and that was not there.
fn write_new(path: &Path, text: &Secret) -> Result<(), Error> {
    let failed = |source: std::io::Error| {
        let what = format!("cannot make \"{}\"", path.display());
        let error = Error::new(ErrorKind::Storage, what);
        match source.kind() {
            std::io::ErrorKind::AlreadyExists => error
                .with_hint("Name another file: a key that is lost is lost with all that it opens."),
            _ => error,
        }
        .with_source(source)
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.expose().as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)
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

fn sign(args: &KeysSignArgs, app: &App) -> Result<(), Stop> {
    let mut place = place(&args.repository, &args.of, app)?;
    place.keys.sign_with(&args.signing, app);
    let repository = place.open()?;
    let ids = match args.all {
        true => repository.backups()?,
        false => {
            let among = args.of.among();
            let found = args.ids.iter().map(|id| repository.find_of(id, &among));
            found.collect::<Result<_>>()?
        }
    };
    let report = apart(app, repository, move |repository, ctx| {
        repository.sign(ctx, &ids)
    })?;
    if app.printer.is_json() {
        return app.printer.json(&report);
    }
    let mut text = format!(
        "{} signed by {}\n",
        units::counted(report.signed.len() as u64, "backup"),
        report.signer
    );
    if report.already > 0 {
        let _ = writeln!(text, "{} signed before", units::count(report.already));
    }
    app.printer.good_news(&text)
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
