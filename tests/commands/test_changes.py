"""What a dry run shows: each object's fate, and no secret."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
import yaml

from dask_kubernetes_helm.cli import changes
from dask_kubernetes_helm.releases.lifecycle import ManagedRelease

from .conftest import Namespace, invoke

SECRETS = ("hunter2", "swordfish", "opensesame")


def manifest(*objects: dict) -> str:
    return "".join(f"---\n# Source: dask/templates/x.yaml\n{yaml.safe_dump(item)}" for item in objects)


def item(kind: str, name: str, **fields: Any) -> dict:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **fields}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


BEFORE = manifest(
    item("Service", "same", spec={"port": 1}),
    item("Deployment", "workers", spec={"replicas": 1, "a": 1, "b": 2, "c": 3, "d": 4}),
    item("Secret", "token", data={"token": encoded(SECRETS[0]), "user": encoded("x")}, stringData={"a": SECRETS[2]}),
    item("Role", "gone", rules=[]),
)
AFTER = manifest(
    item("Service", "same", spec={"port": 1}),
    item("Deployment", "workers", spec={"replicas": 3, "a": 1, "b": 2, "c": 3, "d": 4}),
    item("Secret", "token", data={"token": encoded(SECRETS[1]), "user": encoded("x")}, stringData={"a": SECRETS[2]}),
    item("ConfigMap", "new", data={"code.py": "x = 1\n" * 50, "settings.json": "{\n" + "\n" * 50 + "}"}),
)


def test_each_object_has_one_fate() -> None:
    """In the order in which they will be; what goes comes last."""
    found = changes.compare(BEFORE, AFTER)
    assert [(change.name, change.action) for change in found] == [
        ("same", "unchanged"),
        ("workers", "changed"),
        ("token", "changed"),
        ("new", "created"),
        ("gone", "removed"),
    ]
    assert changes.summary(found) == "1 created, 2 changed, 1 removed, 1 unchanged"
    assert not found[0].lines
    assert [line for line in found[1].lines if line[0] in "+-"][2:] == ["-  replicas: 1", "+  replicas: 3"]


def test_secrets_are_not_shown() -> None:
    """Their keys are, and which of them changes; neither what they hold nor its encoding."""
    told = "\n".join(changes.text(changes.compare(BEFORE, AFTER)))
    for secret in SECRETS:
        assert secret not in told
        assert encoded(secret) not in told
    assert "+  token: (hidden, changed)" in told
    assert "   user: (hidden)" in told


def test_long_texts_are_told_by_their_length() -> None:
    """A file that pods run is one line, which differs where the file does."""
    (change,) = (change for change in changes.compare(BEFORE, AFTER) if change.name == "new")
    told = "\n".join(change.lines)
    assert "code.py: (50 lines, sha256 " in told
    assert "x = 1" not in told
    assert "settings.json: |" in told  # which is what upgrades change
    other = AFTER.replace("x = 1", "x = 2", 1)
    (change,) = (change for change in changes.compare(AFTER, other) if change.action == "changed")
    assert len([line for line in change.lines if "code.py" in line]) == 2


def test_nothing_before() -> None:
    """A first install creates everything; the same again changes nothing."""
    assert {change.action for change in changes.compare("", AFTER)} == {"created"}
    assert {change.action for change in changes.compare(AFTER, AFTER)} == {"unchanged"}
    assert changes.summary([]) == "nothing"


@pytest.mark.parametrize("command", ["create", "upgrade"])
def test_a_dry_run(dask: Namespace, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """The difference is on standard output, without colours in a pipe, and that nothing was changed on the other."""

    async def install(self, plan) -> str:
        return AFTER

    async def upgrade(self, layers, chart) -> tuple[str, str]:
        return BEFORE, AFTER

    monkeypatch.setattr(ManagedRelease, "preview_install", install)
    monkeypatch.setattr(ManagedRelease, "preview_upgrade", upgrade)
    result = invoke(command, "dask", "--dry-run")
    assert "+  replicas: 3" in result.stdout
    assert "\x1b" not in result.stdout
    assert "Nothing was changed." in result.stderr
    told = json.loads(invoke(command, "dask", "--dry-run", "-o", "json").stdout)
    assert set(told[0]) == {"kind", "name", "action", "diff"}
