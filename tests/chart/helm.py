"""Renders the chart by `helm template`, for the tests beside it.

Belongs here: running helm without a cluster, and finding things in what it renders. Never here: what must be true.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART, VALUES = ROOT / "chart", ROOT / "values"
#: There is no cluster that could tell which certificates the chart has made.
OFFLINE = Path(__file__).parent / "offline.yaml"
EVERYTHING = Path(__file__).parent / "everything.yaml"
ENVIRONMENTS = sorted(path.stem for path in VALUES.glob("*.yaml"))
#: What the renders are for; a Helm that was built from source may take itself for the client of a much older one.
KUBERNETES = "1.34.0"

Object = dict[str, Any]
#: What everything.yaml's ways to a dashboard and its metrics are turned off by, where there is no scheduler.
NO_DASHBOARD: Object = {
    "webUI": {"serviceType": "", "ingress": {"enabled": False}, "httpRoute": {"enabled": False}},
    "metrics": {"serviceMonitor": {"enabled": False}},
}


def run(*arguments: str, helm: str = "helm", text: str = "") -> subprocess.CompletedProcess[str]:
    """Run helm where it can find no cluster; `text` is its standard input."""
    program = shutil.which(helm)
    assert program, f"There is no {helm} on PATH: run `make test-chart`, which builds it"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
    return subprocess.run(
        [program, *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**environment, "KUBECONFIG": os.devnull},
    )


@functools.cache
def _template(values: str, release: str, helm: str, chart: Path, files: tuple[Path, ...]) -> tuple[int, str]:
    flags = [f"--values={path}" for path in (OFFLINE, *files)]
    command = ("template", release, str(chart), "--kube-version", KUBERNETES, "--namespace", "ns", *flags)
    result = run(*command, "--values", "-", helm=helm, text=values)
    return result.returncode, result.stdout if result.returncode == 0 else result.stderr


def text(
    values: Object | None = None,
    *files: Path,
    release: str = "demo",
    helm: str = "helm",
    chart: Path = CHART,
) -> str:
    """What `helm template` prints for values, which come after those of files; certificates are left out."""
    return _lasting(made(values, *files, release=release, helm=helm, chart=chart))


def attempt(values: Object) -> tuple[int, str]:
    """Whether values are refused, and with which words; else what they render."""
    code, said = _template(json.dumps(values), "demo", "helm", CHART, ())
    return code, _lasting(said)


def _lasting(render: str) -> str:
    """A render without certificates."""
    return re.sub(r"^(  (?:ca\.crt|tls\.crt|tls\.key): )[A-Za-z0-9+/=]+$", r"\1bWFkZQ==", render, flags=re.MULTILINE)


def made(
    values: Object | None = None, *files: Path, release: str = "demo", helm: str = "helm", chart: Path = CHART
) -> str:
    """The same with the certificates themselves, which are others each time."""
    code, said = _template(json.dumps(values or {}), release, helm, chart, files)
    assert code == 0, said
    return said


def render(values: Object | None = None, *files: Path, **where: Any) -> list[Object]:
    """The objects that the chart renders."""
    return [found for found in yaml.safe_load_all(text(values, *files, **where)) if found]


def refusal(values: Object, release: str = "demo") -> str:
    """What helm says to values that it refuses, on one line."""
    code, said = _template(json.dumps(values), release, "helm", CHART, ())
    assert code != 0, f"not refused: {values}"
    return " ".join(said.split())


def one(objects: list[Object], kind: str, component: str = "worker") -> Object:
    """The only object of a kind and component; of worker groups the default one."""
    (found,) = (
        item
        for item in objects
        if item["kind"] == kind
        and item["metadata"]["labels"]["app.kubernetes.io/component"] == component
        and item["metadata"]["labels"].get("dask.org/worker-group", "default") == "default"
    )
    return found


def deployment(component: str, values: Object | None = None, **where: Any) -> Object:
    """A role's Deployment."""
    return one(render(values, **where), "Deployment", component)


def pod(component: str, values: Object | None = None, **where: Any) -> Object:
    """The spec of a role's pods."""
    return dict(deployment(component, values, **where)["spec"]["template"]["spec"])


def container(component: str, values: Object | None = None, **where: Any) -> Object:
    """A role's main container."""
    (found,) = (item for item in pod(component, values, **where)["containers"] if item["name"] == component)
    return dict(found)


def option(name: str, values: Object | None = None) -> str:
    """What the worker is told by `--name=...`."""
    (found,) = (argument for argument in container("worker", values)["args"] if argument.startswith(f"--{name}="))
    return str(found).partition("=")[2]
