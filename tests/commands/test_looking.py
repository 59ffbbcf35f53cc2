"""`list`, `status`, `logs`, `diagnose`: what is printed for people and for programs, and how they end."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest

from dask_kubernetes_helm.cli import ports
from dask_kubernetes_helm.releases.release import Release

from .conftest import Namespace, deployment, invoke, pod, record

PULLING = [{"name": "worker", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such tag"}}}]


def test_a_list_for_people(dask: Namespace) -> None:
    """One line each, aligned, with nothing behind it that a pipe would see."""
    dask.add("deployments", deployment("young"), deployment("young", "worker", replicas=3, ready=1))
    dask.add("pods", pod("young", "s-2", "scheduler"), pod("young", "w-3", ready=False, phase="Pending"))
    lines = invoke("list").stdout.splitlines()
    assert [line.split()[:5] for line in lines] == [
        ["NAME", "NAMESPACE", "STATUS", "SCHEDULER", "WORKERS"],
        ["dask", "lab", "ready", "ready", "2/2"],
        ["young", "lab", "starting", "ready", "1/3"],
    ]
    assert all(line == line.rstrip() for line in lines)


def test_a_list_for_programs(dask: Namespace) -> None:
    """Its keys are stable; an empty one is an empty list."""
    (told,) = json.loads(invoke("list", "-o", "json").stdout)
    assert told == {
        "name": "dask",
        "namespace": "lab",
        "status": "ready",
        "chart": "dask-1.2.3",
        "created": "2026-01-01T00:00:00Z",
        "scheduler": "ready",
        "owned": True,
        "helm": "deployed",
        "groups": {"default": {"desired": 2, "ready": 2}},
        "workers": {"desired": 2, "ready": 2},
        "pods": [],
        "troubles": [],
    }
    dask.objects.clear()
    assert json.loads(invoke("list", "-o", "json").stdout) == []
    result = invoke("list")
    assert not result.stdout
    assert "dask helm create" in result.stderr


def test_a_namespace_that_there_is_not(lab: Namespace) -> None:
    """That nothing is in it is not said, but that it is not there, and which one is near."""
    lab.there = False
    said = invoke("list", "-n", "lba", code=1).stderr
    assert "There is no namespace 'lba' at https://api.example; did you mean 'lab'?" in said


def test_who_may_not_read_secrets_may_list(dask: Namespace) -> None:
    """Helm's word is left out then."""
    dask.forbidden.add("secrets")
    (told,) = json.loads(invoke("list", "-o", "json").stdout)
    assert (told["status"], told["helm"]) == ("ready", None)
    assert json.loads(invoke("list", "-A", "-o", "json").stdout)[0]["name"] == "dask"


@pytest.mark.parametrize(
    ("helm", "status"), [("pending-install", "installing"), ("failed", "failed"), ("deployed", "failed")]
)
def test_a_release_that_is_a_record_only(lab: Namespace, helm: str, status: str) -> None:
    """An install that is under way or has failed, or what lost its Deployments, is listed; another chart's is not."""
    lab.add("secrets", record("half", helm, owner="half-owner"), record("stranger", helm))
    (told,) = json.loads(invoke("list", "-o", "json").stdout)
    assert (told["name"], told["status"]) == ("half", status)
    assert status in invoke("status", "half", code=4).stdout


def test_status_tells_each_pod(dask: Namespace) -> None:
    """A release that is ready ends with 0."""
    printed = invoke("status", "dask").stdout
    assert "dask in namespace lab" in printed
    for name in ("s-1", "w-1", "w-2"):
        assert name in printed
    assert len(json.loads(invoke("status", "dask", "-o", "json").stdout)["pods"]) == 3


def test_status_tells_what_is_wrong(dask: Namespace) -> None:
    """A release that fails ends with 4; the cause is there once, with its cure."""
    dask.objects["deployments"][1] = deployment("dask", "worker", replicas=4, ready=2)
    dask.add("pods", *(pod("dask", f"w-{number}", ready=False, containerStatuses=PULLING) for number in (3, 4)))
    printed = invoke("status", "dask", code=4).stdout
    assert "failing" in printed
    assert "no such tag" in printed
    assert "image.pullSecrets" in printed
    told = json.loads(invoke("status", "dask", "-o", "json", code=4).stdout)
    assert [pod["terminal"] for pod in told["pods"]] == [False, False, False, True, True]
    (trouble,) = told["troubles"]
    assert trouble["sentence"].endswith("no such tag (and so for 1 more pod)")
    assert trouble["cure"]


def test_a_try_that_is_not_the_first_has_failed(dask: Namespace) -> None:
    """Where a kubelet has tried an image in vain, and again, the release fails; without events that is not known."""
    away = {"waiting": {"reason": "ErrImagePull", "message": "connect: connection refused"}}
    dask.objects["deployments"][1] = deployment("dask", "worker", replicas=3, ready=2)
    dask.add("pods", pod("dask", "w-3", ready=False, containerStatuses=[{"name": "worker", "state": away}]))
    about = {"kind": "Pod", "name": "w-3", "uid": "w-3", "fieldPath": "spec.containers{worker}"}
    failed = {"reason": "Failed", "message": "Error: ErrImagePull", "count": 2, "type": "Warning"}
    dask.add("events", {"metadata": {"labels": {}}, "involvedObject": about, **failed})
    printed = invoke("status", "dask", code=4).stdout
    assert "failing" in printed
    assert "connection refused" in printed
    (told,) = json.loads(invoke("list", "-o", "json").stdout)
    assert told["status"] == "failing"
    dask.forbidden.add("events")
    assert "starting" in invoke("status", "dask", code=4).stdout


def test_a_container_that_has_recovered_is_no_trouble(dask: Namespace) -> None:
    """What a pod that is Ready has died of before is told by its number of restarts."""
    last = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    container = {"name": "worker", "state": {"running": {}}, "lastState": last, "restartCount": 3}
    dask.objects["pods"][1] = pod("dask", "w-1", containerStatuses=[container])
    told = json.loads(invoke("status", "dask", "-o", "json").stdout)
    assert told["pods"][1]["restarts"] == 3
    assert not told["troubles"]


OOM = [{"name": "worker", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "restartCount": 4}]


@pytest.mark.parametrize("reason", ["Evicted", "NodeShutdown"])
def test_who_was_evicted_is_no_trouble(dask: Namespace, reason: str) -> None:
    """A release whose Deployments have all their pods is ready, whatever else lies about; `list` says the same."""
    over = {"phase": "Failed", "reason": reason, "containerStatuses": OOM}
    dask.add("pods", pod("dask", "w-0", ready=False, **over), pod("dask", "s-0", "scheduler", ready=False, **over))
    told = json.loads(invoke("status", "dask", "-o", "json").stdout)
    assert (told["status"], told["scheduler"], told["troubles"]) == ("ready", "ready", [])
    assert {pod["name"] for pod in told["pods"] if pod["over"]} == {"w-0", "s-0"}
    assert {pod["phase"] for pod in told["pods"] if pod["over"]} == {reason.lower()}
    (listed,) = json.loads(invoke("list", "-o", "json").stdout)
    assert listed["status"] == "ready"


def test_who_is_being_deleted_is_no_trouble(dask: Namespace) -> None:
    """What a pod on its way out has died of mends itself: it is going."""
    leaving = pod("dask", "w-0", ready=False, containerStatuses=OOM)
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    dask.add("pods", leaving)
    told = json.loads(invoke("status", "dask", "-o", "json").stdout)
    assert (told["status"], told["troubles"]) == ("ready", [])


def test_logs(dask: Namespace) -> None:
    """Of several pods each line has its pod; of one, none; what is asked for goes to Kubernetes."""
    dask.logs = {"s-1": "a\nb\n", "w-1": "c\n", "w-2": "d\n"}
    assert invoke("logs", "dask").stdout == "s-1 | a\ns-1 | b\nw-1 | c\nw-2 | d\n"
    assert invoke("logs", "dask", "--scheduler").stdout == "a\nb\n"
    assert invoke("logs", "dask", "-p", "w-2").stdout == "d\n"
    assert json.loads(invoke("logs", "dask", "--workers", "-o", "json").stdout) == {"w-1": "c\n", "w-2": "d\n"}
    dask.asked.clear()
    invoke("logs", "dask", "--scheduler", "--previous", "--since", "2 minutes", "--tail", "5")
    (asked,) = dask.asked
    assert (asked["previous"], asked["since"], asked["tail"]) == (True, 120.0, 5)


def test_a_dashboard_of_nothing(dask: Namespace) -> None:
    """Where no scheduler runs, the dashboard is refused, with where to look."""
    dask.objects["pods"].clear()
    told = invoke("dashboard", "dask", code=1).stderr
    assert "The scheduler has no running pod" in told
    assert "\n`dask helm status dask` tells why." in told


@pytest.mark.parametrize(
    ("annotation", "prefix", "links"),
    [
        ("", "", ("http://127.0.0.1:9/status", "")),
        ("{scheme}://{host}:{port}/team/status", "/team", ("http://127.0.0.1:9/team/status", "")),
        ("https://dask.example.com/x", "/team", ("http://127.0.0.1:9/team/status", "https://dask.example.com/x")),
    ],
)
def test_links(annotation: str, prefix: str, links: tuple[str, str]) -> None:
    """The link by the port has the release's path; an Ingress's is told besides."""
    assert ports._links(annotation, prefix, "127.0.0.1:9") == links


class Lines(contextlib.AbstractAsyncContextManager["Lines"]):
    """Plays the lines of a log."""

    def __init__(self, *lines: str) -> None:
        self.lines = [*lines]

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""

    async def next(self) -> str | None:
        if not self.lines:
            return None
        if self.lines[0] == "^C":
            raise KeyboardInterrupt
        return self.lines.pop(0)


@pytest.mark.parametrize("end", [[], ["^C"]])
def test_following_logs(dask: Namespace, monkeypatch: pytest.MonkeyPatch, end: list[str]) -> None:
    """Lines are printed as they come; the release's end, and Ctrl-C, end it well."""
    asked = []

    def follow(self, components, **which: Any) -> Lines:
        asked.append((list(components), which))
        return Lines("s-1 | a", "w-1 | b", *end)

    monkeypatch.setattr(Release, "follow", follow, raising=False)
    assert invoke("logs", "dask", "-f", "--workers", "-p", "w-1", "--tail", "3").stdout == "s-1 | a\nw-1 | b\n"
    assert asked == [(["worker"], {"workers": ["w-1"], "since": None, "tail": 3})]


class Diagnosed:
    """Plays a diagnosis."""

    def __init__(self, *, ok: bool) -> None:
        self.ok = ok

    def __str__(self) -> str:
        return "all is well" if self.ok else "no node takes the pod"

    def to_dict(self) -> dict[str, Any]:
        return {"ok": self.ok, "findings": []}


@pytest.mark.parametrize("ok", [True, False])
def test_diagnose(dask: Namespace, monkeypatch: pytest.MonkeyPatch, ok: bool) -> None:
    """It prints what the release's diagnosis says, and ends with 4 where something is wrong."""

    async def diagnose(self) -> Diagnosed:
        return Diagnosed(ok=ok)

    monkeypatch.setattr(Release, "diagnose", diagnose, raising=False)
    code = 0 if ok else 4
    assert invoke("diagnose", "dask", code=code).stdout == f"{Diagnosed(ok=ok)}\n"
    assert json.loads(invoke("diagnose", "dask", "-o", "json", code=code).stdout) == {"ok": ok, "findings": []}
