"""What the command can do, the package can do: every command has its counterpart, or is named here as lacking one."""

import operator
import pathlib
import re

import opskit
from opskit import _opskit

HAS = {
    "backup": "Backups.run",
    "copy": "Repository.copy",
    "drill": "Repository.drill",
    "export": "Database.export",
    "forget": "Repository.forget",
    "health list": "probes",
    "health": "Database.health",
    "history verify": "Repository.verify_history",
    "history": "Repository.history",
    "list": "Repository.list",
    "migrate apply": "Migrations.apply",
    "migrate baseline": "Migrations.baseline",
    "migrate drift": "Migrations.drift",
    "migrate plan": "Migrations.plan",
    "migrate rehearse": "Migrations.rehearse",
    "migrate repair": "Migrations.repair",
    "migrate status": "Migrations.status",
    "migrate verify": "Migrations.verify",
    "pin": "Repository.pin",
    "prune": "Repository.prune",
    "restore": "Restores.run",
    "schema diff": "Schemas.diff",
    "schema dump": "Schemas.sql",
    "schema snapshot": "Schemas.snapshot",
    "show": "Repository.show",
    "state capture": "Database.state",
    "state compare": "Database.changes",
    "verify": "Repository.verify",
}

# For people at a terminal, or for packagers; `config` is of opskit.toml, which the package does not read, and `migrate new` makes
# an empty file.
EXCEPTED = {"config", "demo", "generate completions", "generate man", "health serve", "migrate new"}

# What the package does not have yet. Whoever adds it takes it out here.
LACKING = {
    "env check",
    "env diff",
    "env freeze",
    "health install",
    "health refresh",
    "health self-test",
    "health uninstall",
    "keys add",
    "keys check",
    "keys new",
    "keys parquet",
    "keys rekey",
    "keys remove",
    "keys sign",
    "validate",
}


def test_every_command_is_accounted_for():
    commands = set(_opskit.commands())
    assert len(commands) > 30
    listed = [*HAS, *EXCEPTED, *LACKING]
    assert len(listed) == len(set(listed))
    assert commands == set(listed), commands ^ set(listed)


def test_counterparts_are_there():
    for command, path in HAS.items():
        assert callable(operator.attrgetter(path)(opskit)), command


# What the library does with a context: what can be cancelled, reports events, or reads the clock.
OF_LIBRARY = {
    "backup::Backup.open": "Backups.plan",
    "backup::Backup.run": "Backups.run",
    "backup::backup": "Backups.run",
    "backup::drill": "Repository.drill",
    "backup::FanOut.open": "Backups.fan_out",
    "backup::run_part": "run_part",
    "backup::Restore.open": "Restores.plan",
    "backup::Restore.run": "Restores.run",
    "health::check": "Database.health",
    "migrate::PgMigrationRunner.accept_change": "Migrations.repair",
    "migrate::PgMigrationRunner.accept_drift": "Migrations.accept_drift",
    "migrate::PgMigrationRunner.baseline": "Migrations.baseline",
    "migrate::PgMigrationRunner.drift": "Migrations.drift",
    "migrate::PgMigrationRunner.verify": "Migrations.verify",
    "migrate::rehearse": "Migrations.rehearse",
    "postgres::Export.open": "Database.snapshot",
    "postgres::Export.run": "Database.export",
    "postgres::PartTicket.read": "read_part",
    "postgres::read_facts": "Schemas.snapshot",
    "postgres::read_model": "Schemas.sql",
    "repository::Repository.apply_retention": "Repository.forget",
    "repository::Repository.copy": "Repository.copy",
    "repository::Repository.plan_retention": "Repository.plan_forget",
    "repository::Repository.prune": "Repository.prune",
    "repository::Repository.verify": "Repository.verify",
    "state::capture": "Database.state",
    "state::recapture": "Database.changes",
}

# Parts of other operations, which only programs in Rust put together.
PIECES = {
    "backup::not_begun",
    "hook::Hooks.failed",
    "hook::Hooks.succeeded",
    "postgres::load_part",
    "postgres::read_cluster",
    "repository::Repository.retention_state",
    "scratch::ScratchBuilder.start",
}

# As LACKING, by the names of the library.
LIBRARY_LACKING = {
    "health::Outside.check",
    "health::install",
    "health::refresh",
    "health::self_test",
    "health::uninstall",
    "migrate::PgMigrationRunner.replayed_drift",
    "repository::Repository.check_keys",
    "repository::Repository.rekey",
    "repository::Repository.remove_recipient",
    "repository::Repository.sign",
    "validate::validate",
}

SOURCES = pathlib.Path(__file__).parents[2] / "opskit-core" / "src"
FUNCTION = re.compile(r"^( *)pub (?:async )?fn (\w+)(?:<[^(]*>)?\(([^)]*)\)", re.MULTILINE)
IMPL = re.compile(r"^impl(?:<[^>]*>)? (?:[\w:<>, ]+ for )?(\w+)", re.MULTILINE)


def operations(text):
    """The public functions that take a context, with the type that they are of."""
    text = re.sub(r"^\s*//[^\n]*", "", text.split("#[cfg(test)]\nmod tests")[0], flags=re.MULTILINE)
    for found in FUNCTION.finditer(text):
        indent, name, parameters = found.groups()
        if "&OpContext" in parameters:
            of = [one[1] for one in IMPL.finditer(text[: found.start()])] if indent else []
            yield f"{of[-1]}.{name}" if of else name


def test_every_operation_of_the_library_is_accounted_for():
    there = {
        f"{path.relative_to(SOURCES).parts[0]}::{name}"
        for path in SOURCES.rglob("*.rs")
        if path.relative_to(SOURCES).parts[0] != "testing"
        for name in operations(path.read_text())
    }
    assert len(there) > 30
    listed = {*OF_LIBRARY, *PIECES, *LIBRARY_LACKING}
    assert there == listed, there ^ listed
    for path in OF_LIBRARY.values():
        assert callable(operator.attrgetter(path)(opskit)), path
