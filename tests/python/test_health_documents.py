"""The documents of `opskit health`, read by programs that nobody here wrote."""

import json
import os
import pathlib
import subprocess

import jsonschema
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

SCHEMA = pathlib.Path(__file__).parents[2] / "docs" / "health.schema.json"


def health(url, form):
    command = [os.environ["OPSKIT_BIN"], "health", "--format", form]
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    # Healthy or not: an error would be another status.
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.fixture
def blind(url, sql):
    """The database, for a role that may only connect."""
    sql("do $$ begin create role blind login; exception when duplicate_object then null; end $$")
    return url.replace("user=postgres", "user=blind")


@pytest.fixture
def ill(url, sql):
    sql("create table ill (id int primary key, other int references ill)")
    sql("create index a on ill (other); create index b on ill (other)")
    return url


@pytest.mark.parametrize("who", ["blind", "ill"])
def test_a_report_is_what_its_schema_says(who, request):
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    report = json.loads(health(request.getfixturevalue(who), "json"))
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(report)
    states = {result["state"] for result in report["results"]}
    assert ("unknown" if who == "blind" else "warn") in states, states
    # The schema says something: what is not so is refused.
    report["results"][0]["state"] = "fine"
    assert not validator.is_valid(report)


@pytest.mark.parametrize("who", ["blind", "ill"])
def test_metrics_are_read_by_prometheus(who, request):
    url = request.getfixturevalue(who)
    families = {family.name: family for family in text_string_to_metric_families(health(url, "openmetrics"))}
    assert families["opskit_health_up"].samples[0].value == 1
    assert families["opskit_health_run_age_seconds"].unit == "seconds"
    states = families["opskit_health_probe"]
    assert states.type == "stateset"
    probes = {}
    for sample in states.samples:
        probes.setdefault(sample.labels["probe"], []).append(sample.value)
    assert len(probes) > 25
    assert all(sum(values) == 1 for values in probes.values()), probes
    assert families["opskit_health_server"].samples[0].labels["database"].startswith("python_")
