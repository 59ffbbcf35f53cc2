"""The archive for a bug report: complete where it can be, an account where it can't, and never with a secret."""

from __future__ import annotations

import base64
import gzip
import json
import tarfile
import zipfile
from collections.abc import AsyncGenerator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from dask_kubernetes_helm import errors
from dask_kubernetes_helm.helmcli import helmrecord
from dask_kubernetes_helm.kubeapi.kube import Kube
from dask_kubernetes_helm.reports import archive, collecting, describing
from dask_kubernetes_helm.reports.sights import Sights

from .playedapi import RELEASE, PlayedApi, labels, played_pod

NOON = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
#: One for each place where a secret may come from.
CANARIES = {
    place: f"canary-{place}-{number}9f3kq"
    for number, place in enumerate(["values", "variable", "mounted", "own", "token", "applied", "dask", "text", "args"])
}


def coded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def record(revision: int = 1, **told: Any) -> dict[str, Any]:
    release = {
        "version": revision, "info": {"status": "deployed", "description": "Install complete"},
        "chart": {"metadata": {"name": "dask-kubernetes-helm", "version": "0.1.0"}}, "manifest": "all of it", **told,
    }  # fmt: skip
    packed = coded(coded(gzip.compress(json.dumps(release).encode())))
    name = f"sh.helm.release.v1.{RELEASE}.v{revision}"
    return {"metadata": {"name": name, "labels": {"owner": "helm", "name": RELEASE}}, "data": {"release": packed}}


def planted(api: PlayedApi) -> None:
    """Plant a canary wherever a secret may be, and have all of them in a log."""
    pod = played_pod("demo-worker-a", restartCount=1)
    pod["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"x": CANARIES["applied"]}), "kept": "yes",
    }  # fmt: skip
    pod["metadata"]["managedFields"] = [{"manager": "x"}]
    pod["spec"]["containers"][0]["env"] = [
        {"name": "DB_PASSWORD", "value": CANARIES["variable"]},
        {"name": "OTHER", "valueFrom": {"secretKeyRef": {"name": "mounted", "key": "x"}}},
        {"name": "PLAIN", "value": "stays"},
    ]
    pod["spec"]["containers"][0]["args"] = ["sh", "-c", f"export DB_PASSWORD={CANARIES['args']}; exec dask worker"]
    api.objects |= {
        "pods": [pod],
        "configmaps": [
            {
                "metadata": {"name": "demo-config", "labels": labels("config")},
                "data": {"dask.yaml": f"db:\n  password: {CANARIES['text']}\n"},
            }
        ],
        "services": [{"metadata": {"name": "demo-scheduler", "uid": "s", "labels": labels("scheduler")}}],
        "secrets": [
            record(values={}, config={"worker": {"env": {"API_TOKEN": CANARIES["values"]}}}),
            {"metadata": {"name": "demo-tls", "labels": labels("tls")}, "data": {"tls.key": coded(CANARIES["own"])}},
            {"metadata": {"name": "mounted"}, "data": {"x": coded(CANARIES["mounted"])}},
        ],
        "events": [
            {
                "metadata": {}, "involvedObject": {"kind": "Deployment", "name": "demo-worker", "uid": "d"},
                "reason": "Scaled", "message": f"by {CANARIES['own']}", "lastTimestamp": "2026-11-26T12:00:00Z",
            }
        ],
    }  # fmt: skip
    said = [value for place, value in CANARIES.items() if place not in ("applied", "dask", "token")]
    api.logs = {
        "demo-worker-a": " ".join([*said, f"http://x/lab?token={CANARIES['token']}"]),
        "demo-worker-a previous": f"it fell with {CANARIES['mounted']}",
    }


@pytest.fixture
async def api() -> AsyncGenerator[PlayedApi, None]:
    played = PlayedApi()
    planted(played)
    yield played
    await played.close()


@pytest.fixture
async def kube(api: PlayedApi) -> AsyncGenerator[Kube, None]:
    door = await api.start()
    yield door
    await door.close()


def held(path: Path) -> dict[str, str]:
    """What an archive holds, by the path in its one folder."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            files = {name: packed.read(name).decode() for name in packed.namelist()}
    else:
        with tarfile.open(path) as unpacked:
            files = {item.name: unpacked.extractfile(item).read().decode() for item in unpacked}  # type: ignore[union-attr]
    (top,) = {name.partition("/")[0] for name in files}
    assert top == path.name.partition(".")[0]
    return {name.partition("/")[2]: text for name, text in files.items()}


async def test_no_canary_survives(api: PlayedApi, kube: Kube, tmp_path: Path) -> None:
    """Of all secrets that were planted, in Secrets, values, variables, annotations and logs, none is in any file."""

    async def dump() -> Any:
        return {"config": {"db": {"password": CANARIES["dask"]}}, "tasks": {("x", 1): CANARIES["dask"]}}

    path = await collecting.collect(Sights(RELEASE, kube), tmp_path / "r.tar.gz", {"dask/cluster-dump.yaml": dump})
    files = held(path)
    for name, text in files.items():
        for canary in CANARIES.values():
            assert canary not in text, name
            assert coded(canary) not in text, name
    assert "Nothing was missing." in files["README.txt"]
    manifest = json.loads(files["manifests/pods/demo-worker-a.json"])
    assert manifest["metadata"]["annotations"] == {"kept": "yes"}
    assert "managedFields" not in manifest["metadata"]
    assert manifest["spec"]["containers"][0]["env"][2]["value"] == "stays"
    assert json.loads(files["helm/release.json"])["chart"]["version"] == "0.1.0"
    assert json.loads(files["helm/values.json"]) == {"worker": {"env": {"API_TOKEN": "(left out)"}}}
    assert {"name": "mounted", "type": None, "holds": ["x"]} in json.loads(files["manifests/secrets.json"])
    assert "it fell with" in files["logs/demo-worker-a/worker.previous.log"]
    assert "Scaled" in files["events.txt"]
    assert json.loads(files["kubernetes.json"])["nodes"][0]["capacity"] == {"cpu": "2"}
    assert path.stat().st_mode & 0o077 == 0


async def test_what_can_not_be_had_is_told(api: PlayedApi, kube: Kube, tmp_path: Path) -> None:
    """With credentials that lack rights, and a scheduler that is down, the rest is there and the README says why."""
    api.forbidden = {"secrets", "events", "roles", "resourcequotas", "pods/log"}
    api.logs.clear()

    class Down:
        async def echo(self, data: Any) -> None:
            raise OSError("connection refused")

    more = describing.parts(Down(), {"name": "demo"})
    files = held(await collecting.collect(Sights(RELEASE, kube), tmp_path, more))
    readme = files["README.txt"]
    for word in ("Secrets", "events", "logs", "manifests/roles", "quotas", "what Helm was given"):
        assert any(word in line and "may not" in line for line in readme.splitlines()), word
    assert "logs/demo-worker-a" not in readme
    assert "dask/versions.json: ConnectionError: the scheduler does not answer: connection refused" in readme
    assert "manifests/pods/demo-worker-a.json" in files
    assert json.loads(files["dask/client.json"])["packages"]["distributed"]
    assert "demo-worker" in files["manifests/deployments/demo-worker.json"]


async def test_a_log_that_never_comes(
    api: PlayedApi, kube: Kube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pod whose log is not answered costs no other log, and is the one that the README names."""
    monkeypatch.setattr(collecting, "_ONE_LOG", 1.0)
    names = [f"demo-worker-{number}" for number in range(20)]
    api.objects["pods"] = [played_pod(name) for name in names]
    api.logs, api.silent = {name: f"it is {name}" for name in names}, {names[3]}
    files = held(await collecting.collect(Sights(RELEASE, kube), tmp_path / "x.zip"))
    api.speak.set()
    healthy = [name for name in names if name not in api.silent]
    assert {name: files.get(f"logs/{name}/worker.log") for name in healthy} == {
        name: api.logs[name] for name in healthy
    }
    assert f"logs/{names[3]}/worker.log" not in files
    told = [line.strip() for line in files["README.txt"].splitlines() if line.strip().startswith("logs")]
    assert [line for line in told if ": " in line] == [f"logs/{names[3]}/worker.log: not there after 1 s"]


async def test_logs_of_lost_nodes_come_last(
    api: PlayedApi, kube: Kube, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More lost pods than are asked at a time, listed first, keep no pod in service from being read."""
    monkeypatch.setattr(collecting, "_ONE_LOG", 60.0)
    monkeypatch.setattr(collecting, "_ALL_LOGS", 5.0)
    lost, healthy = [f"lost-{number}" for number in range(40)], [f"healthy-{number}" for number in range(20)]
    pods = {name: played_pod(name) for name in [*lost, *healthy]}
    for name, pod in pods.items():
        pod["status"]["conditions"] = [{"type": "Ready", "status": "False" if name in lost else "True"}]
    api.objects["pods"] = list(pods.values())
    api.logs, api.silent = dict.fromkeys(pods, "it runs"), set(lost)
    files = held(await collecting.collect(Sights(RELEASE, kube), tmp_path / "x.zip"))
    api.speak.set()
    assert {name.split("/")[1] for name in files if name.startswith("logs/")} == set(healthy)
    for name in lost:
        assert f"logs/{name}/worker.log: not there after 5 s" in files["README.txt"]


async def test_what_is_wrong_comes_first(kube: Kube, tmp_path: Path) -> None:
    """A release that can tell what is wrong with it does so in the archive, and which workers it has lost."""

    class Lost:
        def to_dict(self) -> dict[str, Any]:
            return {"name": "w", "reason": "OOMKilled"}

    class Diagnosed(Sights):
        async def diagnose(self) -> str:
            return f"no memory; password: {CANARIES['token']}"

        async def lost_workers(self) -> list[Lost]:
            return [Lost()]

    files = held(await collecting.collect(Diagnosed(RELEASE, kube), tmp_path / "x.zip"))
    assert files["diagnosis.txt"] == "no memory; password: (left out)"
    assert json.loads(files["lost-workers.json"]) == [{"name": "w", "reason": "OOMKilled"}]
    assert "what is wrong, and what to do" in files["README.txt"]


async def test_the_start_without_events(api: PlayedApi, kube: Kube) -> None:
    """Who may not list events has the account of the start all the same, and is told what it lacks."""
    api.forbidden = {"events"}
    report = await Sights(RELEASE, kube).startup({}, [], ["one thing"])
    assert [pod.name for pod in report.pods] == ["demo-worker-a"]
    assert report.missing[0] == "one thing"
    assert "how long images took to pull: These credentials may not" in report.missing[1]
    with pytest.raises(errors.ForbiddenError, match=r"release demo, namespace lab"):
        await Sights(RELEASE, kube).events()


async def test_a_part_that_fails_takes_nothing_along(kube: Kube, tmp_path: Path) -> None:
    """Whatever is wrong with one part, the archive is written, and says so."""

    async def broken() -> None:
        raise KeyError("sorry")

    files = held(await collecting.collect(Sights(RELEASE, kube), tmp_path / "x.zip", {"startup.txt": broken}))
    assert "startup.txt: KeyError: 'sorry'" in files["README.txt"]
    assert "startup.txt" not in files


@pytest.mark.parametrize(
    ("asked", "name"),
    [("a.zip", "a.zip"), ("b.tar.gz", "b.tar.gz"), ("c.tgz", "c.tgz"), ("new/folder", "demo-20261126-120000.zip")],
)
def test_where_it_is_written(tmp_path: Path, asked: str, name: str) -> None:
    """A file's suffix says what it is; a folder gets a name of its own in it."""
    path = archive.place(tmp_path / asked, RELEASE, NOON)
    archive.write(path, {"a/b.txt": "text \udcff"}, NOON)
    assert path.name == name
    assert list(held(path)) == ["a/b.txt"]
    assert not list(tmp_path.glob(".*"))


def test_other_suffixes_are_refused(tmp_path: Path) -> None:
    """A kind of archive that there is not is an error that names those there are; a folder may have dots."""
    with pytest.raises(errors.InvalidArgumentError, match=r"\.rar.*"):
        archive.place(tmp_path / "x.rar", RELEASE, NOON)
    (tmp_path / "v1.2").mkdir()
    assert archive.place(tmp_path / "v1.2", RELEASE, NOON).parent.name == "v1.2"


def test_nothing_is_left_of_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a whole archive or none."""
    monkeypatch.setattr(archive, "_zip", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        archive.write(tmp_path / "x.zip", {}, NOON)
    assert not list(tmp_path.iterdir())


def test_the_newest_record_of_helm() -> None:
    """Of several revisions the newest counts; what can't be read is passed over."""
    records = [record(2), record(10), record(9), {"metadata": {}, "data": {"release": "!"}}, {"metadata": {}}]
    found = helmrecord.newest(records)
    assert found is not None
    assert (found["revision"], found["status"], found["values"]) == (10, "deployed", {})
    assert helmrecord.newest([{"metadata": {}, "data": None}]) is None
