//! `opskit backup`.

use crate::App;
use crate::args::BackupArgs;
use crate::database::{Database, usual_target};
use crate::exit::Stop;
use crate::progress::Progress;
use crate::project::{Project, is_name};
use crate::summary::{aligned, excluded};
use crate::{runtime, units};
use opskit_core::Error;
use opskit_core::backup::{Backup, BackupPlan, BackupReport, BackupRequest, backup, not_begun};
use opskit_core::catalog::Scope;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::hook::Hooks;
use opskit_core::repository::{BackupType, GitState, Repository, Selection};
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn run(args: &BackupArgs, app: &App) -> Result<(), Stop> {
    if args.plan {
        let database = Database::find(args.db.as_deref(), app)?;
        let request = request(args, &database, app)?;
        return plan(&database, request, app);
    }
    let hooks = hooks_of(app)?;
    let begun = begin(args, app);
    let printer = &app.printer;
    let report = runtime::block_on(printer, async |cancel| {
        let progress = Arc::new(Progress::new(printer));
        let watched = Arc::clone(&progress);
        let ctx = OpContext::new(cancel).with_observer(move |event: &Event| watched.observe(event));
        let (database, repository, request) = match begun {
            Ok(begun) => begun,
            Err(not) => {
                Box::pin(not.tell(args, app, &ctx, hooks)).await;
                return Err(not.error.into());
            }
        };
        let request = request.with_hooks(hooks);
        let result = Box::pin(backup(&ctx, &database.url, &repository, request)).await;
        progress.clear();
        Ok(result.map_err(|error| database.explain(error))?)
    })?;
    if printer.is_json() {
        return printer.json(&report);
    }
    report
        .warnings
        .iter()
        .for_each(|text| printer.warning(text));
    printer.good_news(&text(&report))
}

/// All that a run needs.
fn begin(
    args: &BackupArgs,
    app: &App,
) -> Result<(Database, Repository, BackupRequest), Box<NotBegun>> {
    let not = |database, error| Box::new(NotBegun { database, error });
    let database = Database::find(args.db.as_deref(), app).map_err(|error| not(None, error))?;
    let rest = || {
        let request = request(args, &database, app)?;
        let target = database.target.as_ref().map(|(_, target)| target);
        let mut place = args.repository.place(target, app)?;
        place.seal_for(&args.recipient)?;
        place.keys.sign_with(&args.signing, app);
        let repository = match args.init {
            true => place.make()?,
            false => place.open_or_make()?,
        };
        Ok::<_, Error>((repository, request))
    };
    match rest() {
        Ok((repository, request)) => Ok((database, repository, request)),
        Err(error) => Err(not(Some(database), error)),
    }
}

/// A run that cannot begin.
struct NotBegun {
    database: Option<Database>,
    error: Error,
}

impl NotBegun {
    /// Tells the hook: whoever waits for news of backups learns of it there alone.
    async fn tell(&self, args: &BackupArgs, app: &App, ctx: &OpContext, hooks: Hooks) {
        let mut request = BackupRequest::new().with_hooks(hooks);
        request.backup_type = args.backup_type.into();
        request.tags = args.tags.iter().cloned().collect();
        let database = self.database.as_ref();
        request.target = match database {
            Some(database) => database.target.as_ref().map(|(name, _)| name.clone()),
            None => named_target(args, app),
        };
        let database = database.map_or("", |database| database.url.dbname());
        let told = not_begun(ctx, &request, database, &self.error).await;
        if let Err(error) = told {
            app.printer.warning(&error.chain().join(": "));
        }
    }
}

/// The target that is meant, where its URL cannot be had.
fn named_target(args: &BackupArgs, app: &App) -> Option<String> {
    match &args.db {
        Some(db) => Some(db.clone()).filter(|db| is_name(db)),
        None => usual_target(&Project::find(app).ok()??, app).map(|(name, _)| name),
    }
}

fn request(args: &BackupArgs, database: &Database, app: &App) -> Result<BackupRequest, Error> {
    let limits = args.limits.resolve(app)?;
    let target = database.target.as_ref().map(|(_, target)| target);
    let ignored = target.map_or(&[][..], |target| &target.ignore_schemas);
    let mut request = BackupRequest::new()
        .only(&args.only)?
        .excluding(&args.exclude)?
        .with_format(args.format.into())
        .with_zstd_level(args.compression.level())
        .with_jobs(usize::from(limits.jobs))
        .with_part_bytes(limits.part_size)
        .with_lock_timeout(limits.lock_timeout)
        .with_memory(limits.memory);
    request.backup_type = args.backup_type.into();
    request.exclude_large_objects = args.exclude_large_objects;
    request.scope = Scope::default().ignoring(args.ignore_schema.iter().chain(ignored));
    if !args.ignore_schema.is_empty() {
        request.selection = Selection::Some;
    }
    request.tags = args.tags.iter().cloned().collect();
    request.accept_losses = args.accept_loss.clone();
    request.git = git();
    request.target = database.target.as_ref().map(|(name, _)| name.clone());
    if let Some(target) = target {
        request.exclude.extend(target.exclude.iter().cloned());
        request
            .accept_losses
            .extend(target.accept_loss.iter().cloned());
    }
    Ok(request)
}

/// Who is told how it ended, as `opskit.toml` says.
pub(crate) fn hooks_of(app: &App) -> Result<Hooks, Error> {
    match Project::find(app)? {
        Some(project) => Ok(project.config.hooks.resolve(|name| app.env.var(name))),
        None => Ok(Hooks::default()),
    }
}

/// What git says of the working directory. None where there is no git, or nothing under it.
pub(crate) fn git() -> Option<GitState> {
    let ask = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        let output = git.output().ok().filter(|output| output.status.success())?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    Some(GitState {
        commit: ask(&["rev-parse", "--verify", "HEAD"])?,
        tag: ask(&["describe", "--tags", "--exact-match", "HEAD"]),
    })
}

fn plan(database: &Database, request: BackupRequest, app: &App) -> Result<(), Stop> {
    let plan = runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let opened = Box::pin(Backup::open(&ctx, &database.url, request)).await;
        let backup = opened.map_err(|error| database.explain(error))?;
        Ok(backup.plan().clone())
    })?;
    let told = if app.printer.is_json() {
        app.printer.json(&plan)
    } else {
        plan.warnings
            .iter()
            .for_each(|text| app.printer.warning(text));
        app.printer.result(&plan_text(&plan))
    };
    told?;
    match plan.obstacle() {
        None => Ok(()),
        Some(error) => Err(Stop::Told(error.kind())),
    }
}

fn plan_text(plan: &BackupPlan) -> String {
    let rows: Vec<Vec<String>> = plan
        .tables
        .iter()
        .map(|table| {
            vec![
                table.name.to_string(),
                units::counted(table.columns, "column"),
                units::size(table.heap_bytes),
                units::counted(table.parts, "part"),
            ]
        })
        .collect();
    let mut out = aligned(&rows);
    excluded(&mut out, &plan.excluded);
    for loss in &plan.losses {
        let fate = if loss.accepted {
            "accepted"
        } else {
            "not accepted"
        };
        let _ = writeln!(
            out,
            "cannot be carried, {fate}: {}: {}",
            loss.object, loss.reason
        );
    }
    for missing in &plan.missing {
        let _ = writeln!(out, "missing: {} needs {}", missing.object, missing.needs);
    }
    let _ = writeln!(
        out,
        "{}, {} on the server's disk, {}, {}",
        units::counted(plan.tables.len() as u64, "table"),
        units::size(plan.heap_bytes()),
        units::counted(plan.sequences, "sequence"),
        units::counted(plan.objects, "object"),
    );
    out
}

/// The report for people.
pub(crate) fn text(report: &BackupReport) -> String {
    let rows: Vec<Vec<String>> = report
        .tables
        .iter()
        .map(|table| {
            vec![
                table.table.to_string(),
                units::counted(table.rows, "row"),
                units::counted(table.parts, "part"),
                table.fingerprint.to_string(),
            ]
        })
        .collect();
    let mut out = aligned(&rows);
    excluded(&mut out, &report.excluded);
    for loss in &report.accepted_losses {
        let _ = writeln!(out, "not in it, as accepted: {loss}");
    }
    let elapsed = Duration::from_millis(report.elapsed_ms);
    let what = match report.backup_type {
        BackupType::Schema => "objects only".to_owned(),
        _ => units::counted(report.rows, "row"),
    };
    let sealed = match &report.encryption {
        Some(encryption) => {
            let count = units::counted(encryption.recipients.len() as u64, "key");
            format!(", encrypted for {count}")
        }
        None => String::new(),
    };
    let _ = writeln!(
        out,
        "{}: {what} in {} ({}), {} stored{sealed}: {}",
        report.id,
        units::elapsed(elapsed),
        units::rate(report.wire_bytes, elapsed),
        units::size(report.stored_bytes),
        report.location,
    );
    out
}
