"""`tito doctor` reports what this machine has, and what to do if something is missing."""

import importlib.metadata
import json

import pytest

from tito.learner import doctor


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    return {finding.what: finding for finding in doctor.examine(tmp_path_factory.mktemp("here"))}


def test_every_dependency_is_looked_at_with_its_version(findings):
    for name in ("numpy", "nbdev", "nbgrader", "jupyterlab", "typer"):
        assert findings[name].found == importlib.metadata.version(name)
    assert "ruff" not in findings  # only the tests need it


def test_a_kernel_is_really_started(findings):
    assert findings["kernel"].ok, findings["kernel"].found


def test_memory_disk_and_sandbox_are_looked_at(findings):
    assert {"Python", "memory", "disk", "sandbox"} <= set(findings)
    assert all(finding.ok or finding.advice for finding in findings.values())


def test_what_only_grading_needs_does_not_fail_the_examination():
    assert doctor.is_healthy([doctor.Finding("sandbox", "not available", ok=False, needed=False)])
    assert not doctor.is_healthy([doctor.Finding("kernel", "does not start", ok=False)])


def test_a_missing_package_is_reported_with_the_command(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["no-such-package>=3", 'other; extra == "test"'])
    (finding,) = doctor._packages()
    assert not finding.ok
    assert finding.advice == 'pip install "no-such-package>=3"'


def test_doctor_exits_1_if_something_needed_is_missing(tito, tmp_path, monkeypatch):
    bad = doctor.Finding("kernel", "does not start", ok=False, advice="start it")
    monkeypatch.setattr(doctor, "examine", lambda folder: iter([bad]))
    assert tito("doctor", inside=tmp_path).code == 1
    said = tito("doctor", "--json", inside=tmp_path)
    assert json.loads(said.out)[0]["advice"] == "start it"
