//! A repository, and what is asked of its backups.

use crate::database::Source;
use crate::error::{apart, json, or_raise};
use crate::operation::Operation;
use crate::options::{Seconds, parse};
use opskit_core::backup::drill::{DrillRequest, drill};
use opskit_core::backup::restore::{
    Carry, Existing, MissingRoles, OnError, Part, Restore, RestoreRequest, Transactions, Trust,
};
use opskit_core::context::OpContext;
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::repository::{
    Among, BackupId, BackupReader, Keyring, Origin, Repository, RepositoryUrl, StoreEnv,
    VerifyLevel,
};
use opskit_core::seal::{Identity, Recipient, SigningKey, VerifyingKey};
use opskit_core::secret::Secret;
use opskit_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A place of backups that was opened.
#[pyclass(module = "opskit._opskit", frozen)]
pub(crate) struct Store(pub(crate) Repository);

#[pymethods]
impl Store {
    /// Opens the repository at a path or URL, or makes it.
    #[staticmethod]
    #[pyo3(signature = (place, options, passphrase=None))]
    fn open(
        py: Python<'_>,
        place: String,
        options: &str,
        passphrase: Option<String>,
    ) -> PyResult<Operation> {
        let options: OpenOptions = or_raise(py, parse(options))?;
        let passphrase = passphrase.map(Secret::new);
        Operation::start(py, move |_| apart(move || options.open(&place, passphrase)))
    }

    /// Its identity.
    #[getter]
    fn id(&self) -> &str {
        self.0.id()
    }

    /// Where it is, without credentials.
    #[getter]
    fn place(&self) -> &str {
        self.0.place()
    }

    /// The backups as JSON, the oldest first.
    fn list(&self, py: Python<'_>) -> PyResult<Operation> {
        let repository = self.0.clone();
        Operation::start(py, move |_| apart(move || json(&list(&repository)?)))
    }

    /// Looks whether a backup is what its manifest says, and writes that down.
    fn verify(&self, py: Python<'_>, name: String, options: &str) -> PyResult<Operation> {
        let options: VerifyOptions = or_raise(py, parse(options))?;
        let repository = self.0.clone();
        Operation::start(py, move |ctx| {
            apart(move || {
                let id = repository.find(&name)?;
                let report =
                    repository.verify(&ctx, &id, options.level.unwrap_or(VerifyLevel::Hash))?;
                // A repository that can be read only can be verified all the same.
                if let Err(error) = repository.record_verification(&report, ctx.clock().now()) {
                    let message = format!(
                        "the verification has no record: {}",
                        error.chain().join(": ")
                    );
                    ctx.emit(opskit_core::event::Event::Warning { message });
                }
                json(&report)
            })
        })
    }

    /// Says what a restore would do.
    fn restore_plan(
        &self,
        py: Python<'_>,
        to: &Source,
        name: String,
        options: &str,
    ) -> PyResult<Operation> {
        let (repository, url) = (self.0.clone(), to.0.clone());
        let request = or_raise(py, restore_request(options))?;
        Operation::start(py, move |ctx| async move {
            let restore = open_restore(&ctx, repository, name, &url, request).await?;
            let plan = json(restore.plan());
            restore.close().await;
            plan
        })
    }

    /// Restores.
    fn restore(
        &self,
        py: Python<'_>,
        to: &Source,
        name: String,
        options: &str,
    ) -> PyResult<Operation> {
        let (repository, url) = (self.0.clone(), to.0.clone());
        let request = or_raise(py, restore_request(options))?;
        Operation::start(py, move |ctx| async move {
            let restore = open_restore(&ctx, repository, name, &url, request).await?;
            json(&Box::pin(restore.run(&ctx)).await?)
        })
    }

    /// Restores on a throw-away server, or into an empty database, compares and measures.
    #[pyo3(signature = (name, to, options))]
    fn drill(
        &self,
        py: Python<'_>,
        name: String,
        to: Option<&Source>,
        options: &str,
    ) -> PyResult<Operation> {
        let options: DrillOptions = or_raise(py, parse(options))?;
        let repository = self.0.clone();
        let request = options.request(to.map(|to| to.0.clone()));
        Operation::start(py, move |ctx| async move {
            let id = find_with_rows(&repository, name).await?;
            json(&Box::pin(drill(&ctx, &repository, &id, request)).await?)
        })
    }
}

/// What opening takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenOptions {
    #[serde(default)]
    create: bool,
    #[serde(default)]
    recipients: Vec<String>,
    #[serde(default)]
    identities: Vec<PathBuf>,
    signing_key: Option<PathBuf>,
    #[serde(default)]
    signers: Vec<String>,
    #[serde(default)]
    accept_clear: bool,
    #[serde(default)]
    accept_unsigned: bool,
}

impl OpenOptions {
    fn open(self, place: &str, passphrase: Option<Secret>) -> Result<Store> {
        let url = RepositoryUrl::parse(place, &StoreEnv::from_process())?;
        let create = self.create;
        let keyring = self.keyring(passphrase)?;
        let repository = match create {
            true => Repository::create_at(&url)?,
            false => Repository::open_at(&url)?,
        };
        Ok(Store(repository.with_keyring(keyring)))
    }

    fn keyring(self, passphrase: Option<Secret>) -> Result<Keyring> {
        let recipients: Result<Vec<Recipient>> =
            self.recipients.iter().map(|key| key.parse()).collect();
        let signers: Result<Vec<VerifyingKey>> =
            self.signers.iter().map(|key| key.parse()).collect();
        let mut keyring = Keyring::new().sealing_for(recipients?).trusting(signers?);
        for path in &self.identities {
            keyring = keyring.opening_with(Identity::parse_file(read(path)?.expose())?);
        }
        if let Some(passphrase) = passphrase {
            keyring = keyring.opening_with([Identity::passphrase(passphrase)]);
        }
        if let Some(path) = &self.signing_key {
            keyring = keyring.signing_with(SigningKey::parse_pem(read(path)?.expose())?);
        }
        if self.accept_clear {
            keyring = keyring.accepting_clear();
        }
        if self.accept_unsigned {
            keyring = keyring.accepting_unsigned();
        }
        Ok(keyring)
    }
}

fn read(path: &Path) -> Result<Secret> {
    std::fs::read_to_string(path)
        .map(Secret::new)
        .map_err(|source| {
            let kind = match source.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                _ => ErrorKind::Storage,
            };
            Error::new(
                kind,
                format!("cannot read the key file \"{}\"", path.display()),
            )
            .with_source(source)
        })
}

/// A backup of a list.
#[derive(Debug, Serialize)]
struct Listed {
    id: BackupId,
    #[serde(flatten)]
    origin: Option<Origin>,
    encrypted: bool,
    snapshot_at: Option<String>,
    objects: u64,
    stored_bytes: u64,
    /// Why its manifests cannot be read.
    error: Option<String>,
}

fn list(repository: &Repository) -> Result<Vec<Listed>> {
    let ids = repository.among(&Among::all())?;
    Ok(ids.into_iter().map(|id| listed(repository, id)).collect())
}

fn listed(repository: &Repository, id: BackupId) -> Listed {
    let read = || {
        let backup = repository.read(&id)?;
        Ok::<_, Error>((repository.origin_of(&backup)?, backup))
    };
    match read() {
        Ok((origin, backup)) => Listed {
            origin: Some(origin),
            encrypted: backup.is_sealed(),
            snapshot_at: Some(backup.manifest().snapshot_at.clone()),
            objects: backup.manifest().all_objects().count() as u64,
            stored_bytes: backup.manifest().stored_bytes(),
            error: None,
            id,
        },
        Err(error) => Listed {
            id,
            origin: None,
            encrypted: false,
            snapshot_at: None,
            objects: 0,
            stored_bytes: 0,
            error: Some(error.chain().join(": ")),
        },
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyOptions {
    level: Option<VerifyLevel>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrillOptions {
    bin_dir: Option<PathBuf>,
    #[serde(default)]
    checks: Vec<String>,
    #[serde(default)]
    trust_backup: bool,
    jobs: Option<usize>,
}

impl DrillOptions {
    fn request(self, to: Option<DatabaseUrl>) -> DrillRequest {
        let mut request = DrillRequest::default();
        request.to = to;
        request.bin_dir = self.bin_dir;
        request.checks = self.checks;
        if self.trust_backup {
            request.trust = Trust::Backup;
        }
        request.jobs = self.jobs.unwrap_or(request.jobs);
        request
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RestoreOptions {
    #[serde(default)]
    only: Vec<String>,
    part: Option<Portion>,
    #[serde(default)]
    clean: bool,
    #[serde(default)]
    no_owner: bool,
    #[serde(default)]
    no_privileges: bool,
    #[serde(default)]
    keep_going: bool,
    #[serde(default)]
    create_roles: bool,
    #[serde(default)]
    single_transaction: bool,
    #[serde(default)]
    trust_backup: bool,
    jobs: Option<usize>,
    lock_timeout: Option<Seconds>,
}

/// What of a backup is restored.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Portion {
    Everything,
    Schema,
    Data,
}

fn restore_request(options: &str) -> Result<RestoreRequest> {
    let options: RestoreOptions = parse(options)?;
    let mut request =
        RestoreRequest::default()
            .only(&options.only)?
            .with_part(match options.part {
                None | Some(Portion::Everything) => Part::Everything,
                Some(Portion::Schema) => Part::Schema,
                Some(Portion::Data) => Part::Data,
            });
    if options.clean {
        request.existing = Existing::Drop;
    }
    if options.no_owner {
        request.owners = Carry::Leave;
    }
    if options.no_privileges {
        request.privileges = Carry::Leave;
    }
    if options.keep_going {
        request.on_error = OnError::KeepGoing;
    }
    if options.create_roles {
        request.roles = MissingRoles::Create;
    }
    if options.single_transaction {
        request.transactions = Transactions::One;
    }
    if options.trust_backup {
        request.trust = Trust::Backup;
    }
    if let Some(jobs) = options.jobs {
        request = request.with_jobs(jobs);
    }
    if let Some(Seconds(timeout)) = options.lock_timeout {
        request.lock_timeout = timeout;
    }
    Ok(request)
}

/// `latest` is the last one with rows.
async fn find_with_rows(repository: &Repository, name: String) -> Result<BackupId> {
    let repository = repository.clone();
    apart(move || repository.find_of(&name, &Among::all().with_rows())).await
}

async fn open_restore(
    ctx: &OpContext,
    repository: Repository,
    name: String,
    url: &DatabaseUrl,
    request: RestoreRequest,
) -> Result<Restore> {
    let among = match request.part {
        Part::Schema => Among::all(),
        _ => Among::all().with_rows(),
    };
    let reading =
        move || -> Result<BackupReader> { repository.read(&repository.find_of(&name, &among)?) };
    let backup = apart(reading).await?;
    Box::pin(Restore::open(ctx, backup, url, request)).await
}
