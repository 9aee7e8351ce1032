"""What the command can do, the package can do: every command has its counterpart, or is named here as lacking one."""

import operator

import opskit
from opskit import _opskit

HAS = {
    "backup": "Backups.run",
    "drill": "Repository.drill",
    "export": "Database.export",
    "health": "Database.health",
    "list": "Repository.list",
    "migrate apply": "Migrations.apply",
    "migrate plan": "Migrations.plan",
    "migrate rehearse": "Migrations.rehearse",
    "migrate status": "Migrations.status",
    "migrate verify": "Migrations.verify",
    "restore": "Restores.run",
    "schema diff": "Schemas.diff",
    "schema dump": "Schemas.sql",
    "schema snapshot": "Schemas.snapshot",
    "verify": "Repository.verify",
}

# For people at a terminal, or for packagers.
EXCEPTED = {"demo", "generate completions", "generate man", "health serve"}

# What the package does not have yet. Whoever adds it takes it out here.
LACKING = {
    "config",
    "copy",
    "env check",
    "env diff",
    "env freeze",
    "forget",
    "health install",
    "health list",
    "health refresh",
    "health uninstall",
    "history",
    "history verify",
    "keys add",
    "keys check",
    "keys new",
    "keys parquet",
    "keys rekey",
    "keys remove",
    "keys sign",
    "migrate baseline",
    "migrate drift",
    "migrate new",
    "migrate repair",
    "pin",
    "prune",
    "show",
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
