"""Operations that keep a Postgres database safe: exact backups, verified restores, migrations, Arrow exports.

    with opskit.connect(url) as db:
        report = db.backup.run(opskit.Repository("backups", create=True))

Every blocking method has a twin that ends in `_async`. Blocking methods let other threads run, and Ctrl-C stops them
and what the server does for them; cancelling a task does the same.
"""

import atexit as _atexit

from opskit import _opskit
from opskit._backup import BackupOptions, Backups, RestoreOptions, Restores
from opskit._database import Database, connect
from opskit._errors import (
    BusyError,
    CancelledError,
    CheckFailedError,
    ConnectionFailedError,
    DamagedError,
    InternalError,
    InvalidInputError,
    NotFoundError,
    OpskitError,
    PermissionDeniedError,
    StorageError,
    TimedOutError,
    UnsupportedError,
)
from opskit._export import ExportOptions, ExportStream
from opskit._fan_out import BackupPart, ExportPart, FanOut, Receipt, Snapshot
from opskit._health import HealthOptions, HealthReport, Probe, probes
from opskit._migrate import ApplyOptions, Migrations, RehearseOptions, WantedOptions
from opskit._migrations import MigrationPlan, MigrationReport, MigrationStatus, Rehearsal, Suite
from opskit._opskit import Batch, Schema, Table, __version__
from opskit._parts import read_part, read_part_async, run_part, run_part_async
from opskit._reports import (
    BackupPlan,
    BackupReport,
    DrillReport,
    ExportReport,
    ListedBackup,
    RestorePlan,
    RestoreReport,
    SchemaDiff,
    VerifyReport,
)
from opskit._repository import DrillOptions, Repository, RepositoryOptions
from opskit._schema import Schemas
from opskit._state import State, StateDiff, StateOptions, TableChange, TableState
from opskit._upkeep import (
    BackupContents,
    BackupManifest,
    CopyReport,
    Decision,
    ForgetReport,
    History,
    HistoryCheck,
    Leftover,
    Pin,
    PinOptions,
    PrunePlan,
    PruneReport,
    RetentionOptions,
    RetentionPlan,
    ShownBackup,
)
from opskit._watch import Progress, Watched, watch

_atexit.register(_opskit.shut_down)

__all__ = [
    "ApplyOptions",
    "BackupContents",
    "BackupManifest",
    "BackupOptions",
    "BackupPart",
    "BackupPlan",
    "BackupReport",
    "Backups",
    "Batch",
    "BusyError",
    "CancelledError",
    "CheckFailedError",
    "ConnectionFailedError",
    "CopyReport",
    "DamagedError",
    "Database",
    "Decision",
    "DrillOptions",
    "DrillReport",
    "ExportOptions",
    "ExportPart",
    "ExportReport",
    "ExportStream",
    "FanOut",
    "ForgetReport",
    "HealthOptions",
    "HealthReport",
    "History",
    "HistoryCheck",
    "InternalError",
    "InvalidInputError",
    "Leftover",
    "ListedBackup",
    "MigrationPlan",
    "MigrationReport",
    "MigrationStatus",
    "Migrations",
    "NotFoundError",
    "OpskitError",
    "PermissionDeniedError",
    "Pin",
    "PinOptions",
    "Probe",
    "Progress",
    "PrunePlan",
    "PruneReport",
    "Receipt",
    "Rehearsal",
    "RehearseOptions",
    "Repository",
    "RepositoryOptions",
    "RestoreOptions",
    "RestorePlan",
    "RestoreReport",
    "Restores",
    "RetentionOptions",
    "RetentionPlan",
    "Schema",
    "SchemaDiff",
    "Schemas",
    "ShownBackup",
    "Snapshot",
    "State",
    "StateDiff",
    "StateOptions",
    "StorageError",
    "Suite",
    "Table",
    "TableChange",
    "TableState",
    "TimedOutError",
    "UnsupportedError",
    "VerifyReport",
    "WantedOptions",
    "Watched",
    "__version__",
    "connect",
    "probes",
    "read_part",
    "read_part_async",
    "run_part",
    "run_part_async",
    "watch",
]
