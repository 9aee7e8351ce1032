//! Pins: a backup that is pinned is not removed by any rule.

use super::history::{EVENT_VERSION, PinAction, PinRecord, RecordKind};
use super::instant::{parse_rfc3339, rfc3339};
use super::manifest::{check_version, parse_json};
use super::{BackupId, Fault, Repository};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The version of the stored form.
pub const PIN_VERSION: u32 = 1;
/// Where pins are.
const PINS: &str = "pins";
/// The largest pin that is read.
const PIN_BYTES_MAX: u64 = 64 << 10;
/// The longest reason.
const REASON_BYTES_MAX: usize = 4 << 10;

/// A pin: who set it, when, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// [`PIN_VERSION`].
    pub version: u32,
    /// The backup.
    pub id: BackupId,
    /// Who set it.
    pub by: String,
    /// When it was set, in RFC 3339.
    pub at: String,
    /// Why.
    pub reason: Option<String>,
    /// Until when it holds, in RFC 3339. For ever without it.
    pub until: Option<String>,
}

impl Pin {
    /// Reads the text of a pin.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, repository::Pin};
    /// assert_eq!(Pin::parse(b"{}").unwrap_err().kind(), ErrorKind::Damaged);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for one of a later version, [`ErrorKind::Damaged`] for what is none.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        check_version(bytes, PIN_VERSION, "the pin")?;
        parse_json(bytes, "the pin")
    }

    /// Whether it holds `now`. One whose end cannot be understood does.
    ///
    /// ```
    /// use opskit_core::repository::Pin;
    /// use std::time::SystemTime;
    /// let mut pin = Pin {
    ///     version: 1,
    ///     id: "20261121T013000Z-7f3a9c2e".parse()?,
    ///     by: "ann".to_owned(),
    ///     at: "2026-11-21T02:00:00Z".to_owned(),
    ///     reason: None,
    ///     until: None,
    /// };
    /// assert!(pin.holds(SystemTime::UNIX_EPOCH.into()));
    /// pin.until = Some("1969-12-31T00:00:00Z".to_owned());
    /// assert!(!pin.holds(SystemTime::UNIX_EPOCH.into()));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn holds(&self, now: OffsetDateTime) -> bool {
        let until = self.until.as_deref().map(parse_rfc3339);
        until.is_none_or(|until| until.map_or(true, |until| now < until))
    }
}

/// Who pins a backup, and why.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PinRequest {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// Until when. For ever without it.
    pub until: Option<OffsetDateTime>,
}

impl PinRequest {
    /// A pin for ever, by this user.
    ///
    /// ```
    /// let request = opskit_core::repository::PinRequest::by("ann").with_reason("before release 4");
    /// assert_eq!(request.by, "ann");
    /// ```
    #[must_use]
    pub fn by(who: impl Into<String>) -> Self {
        Self {
            by: who.into(),
            ..Self::default()
        }
    }

    /// Says why.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Ends it at this instant.
    #[must_use]
    pub fn with_until(mut self, until: OffsetDateTime) -> Self {
        self.until = Some(until);
        self
    }
}

/// The pins of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pins {
    /// Those that can be read, by their backups. Some may have ended.
    pub pins: BTreeMap<BackupId, Pin>,
    /// Those that cannot: they hold all the same.
    pub unreadable: BTreeMap<BackupId, Fault>,
}

impl Repository {
    /// Pins a backup.
    ///
    /// ```no_run
    /// use opskit_core::repository::{PinRequest, Repository};
    /// # fn example(repository: &Repository) -> opskit_core::Result<()> {
    /// let id = repository.find("latest")?;
    /// let request = PinRequest::by("ann").with_reason("the state before release 4");
    /// repository.pin(&id, &request, std::time::SystemTime::now().into())?;
    /// assert!(repository.pins()?.pins.contains_key(&id));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such backup, [`ErrorKind::InvalidInput`] when it is pinned already
    /// or the pin would have ended, `Storage` when the repository cannot be written.
    pub fn pin(&self, id: &BackupId, request: &PinRequest, now: OffsetDateTime) -> Result<Pin> {
        if !self.backups()?.contains(id) {
            let what = format!("there is no backup {id} to pin");
            return Err(Error::new(ErrorKind::NotFound, what)
                .with_hint("opskit list shows the backups that are complete."));
        }
        let pin = made(id, request, now)?;
        if self.pin_of(id)?.is_some() {
            let what = format!("backup {id} is pinned already");
            return Err(Error::new(ErrorKind::InvalidInput, what)
                .with_hint("Take that pin away first, with --remove."));
        }
        let text = serde_json::to_vec_pretty(&pin).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the pin").with_source(source)
        })?;
        self.store.create(&path(id), &text)?;
        self.record_pin(id, PinAction::Set, (Some(pin.clone()), &request.by), now)?;
        Ok(pin)
    }

    /// Takes the pin of a backup away, also one that cannot be read.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, repository::{BackupId, Repository}};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// let id: BackupId = "20261121T013000Z-7f3a9c2e".parse()?;
    /// let error = repository.unpin(&id, "ann", std::time::SystemTime::now().into()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when it has none, `Storage` when the repository cannot be written.
    pub fn unpin(&self, id: &BackupId, by: &str, now: OffsetDateTime) -> Result<()> {
        let pin = match self.pin_of(id) {
            Ok(None) => {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("backup {id} has no pin"),
                ));
            }
            Ok(Some(pin)) => Some(pin),
            Err(_) => None,
        };
        self.record_pin(id, PinAction::Removed, (pin, by), now)?;
        self.store.remove(&path(id))
    }

    /// All pins.
    ///
    /// # Errors
    /// Of kind `Storage` when the directory cannot be read.
    pub fn pins(&self) -> Result<Pins> {
        let mut pins = Pins::default();
        for name in self.store.entries(PINS)? {
            let stem = name.strip_suffix(".json");
            let Some(id) = stem.and_then(|stem| stem.parse::<BackupId>().ok()) else {
                continue;
            };
            match self.pin_of(&id) {
                Ok(pin) => pins.pins.extend(pin.map(|pin| (id, pin))),
                Err(error) => {
                    let fault = Fault {
                        object: path(&id),
                        problem: error.chain().join(": "),
                    };
                    pins.unreadable.insert(id, fault);
                }
            }
        }
        Ok(pins)
    }

    /// The pin of a backup, where it has one.
    pub(super) fn pin_of(&self, id: &BackupId) -> Result<Option<Pin>> {
        let path = path(id);
        let bytes = match self.store.read(&path, PIN_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let pin = Pin::parse(&bytes)?;
        if &pin.id == id {
            return Ok(Some(pin));
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!("\"{path}\" is the pin of backup {}", pin.id),
        ))
    }

    fn record_pin(
        &self,
        id: &BackupId,
        action: PinAction,
        (pin, by): (Option<Pin>, &str),
        now: OffsetDateTime,
    ) -> Result<()> {
        let record = PinRecord {
            version: EVENT_VERSION,
            id: id.clone(),
            action,
            pin,
            by: by.to_owned(),
        };
        self.append(RecordKind::Pin, id, &record, now)
    }
}

fn made(id: &BackupId, request: &PinRequest, now: OffsetDateTime) -> Result<Pin> {
    if request.until.is_some_and(|until| until <= now) {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "a pin cannot end before it begins",
        ));
    }
    let length = request.reason.as_ref().map_or(0, String::len);
    if length.max(request.by.len()) > REASON_BYTES_MAX {
        let what = format!("the reason of a pin may have {REASON_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::InvalidInput, what));
    }
    Ok(Pin {
        version: PIN_VERSION,
        id: id.clone(),
        by: request.by.clone(),
        at: rfc3339(now)?,
        reason: request.reason.clone(),
        until: request.until.map(rfc3339).transpose()?,
    })
}

fn path(id: &BackupId) -> String {
    format!("{PINS}/{id}.json")
}
