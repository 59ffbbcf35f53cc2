"""Where a round takes place: an interpreter for each peer, a namespace for each round, the operator for its own.

Everything here is undone when its context ends, however that comes about; a Ctrl-C in the middle of undoing is heeded
afterwards.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from bench import common
from tests.rig.artifacts import artifact

HERE = Path(__file__).parent
#: What Dask compares between client, scheduler and workers.
_COMPARED = ("cloudpickle", "dask", "distributed", "lz4", "msgpack", "numpy", "toolz", "tornado")
_CHART = "dask_kubernetes/operator/deployment/helm/dask-kubernetes-operator"
_MARK = "bench-elasticity"


def interpreter(requirements: str, like_image: tuple[str, ...] = _COMPARED) -> Path:
    """Python of an environment with the packages that a file of this folder pins, and some as the image has them."""
    file = HERE / requirements
    shared = [f"{name}=={importlib.metadata.version(name)}" for name in like_image]

    def build(folder: Path) -> None:
        common.say(f"installing {requirements} into an environment of its own")
        uv = str(Path(sys.executable).parent / "uv")
        common.run(
            uv, "venv", "--quiet", "--relocatable", "--allow-existing", f"--python={sys.executable}", str(folder)
        )
        install = [uv, "pip", "install", "--quiet", "--compile-bytecode", f"--python={folder / 'bin' / 'python'}"]
        common.run(*install, f"--requirements={file}", *shared)

    name = f"peer-{file.stem}"
    return artifact(name, [file, *shared, platform.python_version(), sys.base_prefix], build) / "bin" / "python"


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put an interrupt off until the block has ended."""
    pending: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, _: pending.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if pending:
        raise KeyboardInterrupt


def _tidy(*arguments: str, text: str | None = None) -> str:
    """Run kubectl out of a Ctrl-C's reach; says what failed, and goes on."""
    command = ["kubectl", *arguments]
    try:
        result = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=120, start_new_session=True
        )
    except subprocess.TimeoutExpired as error:
        common.say(str(error))
        return ""
    if result.returncode:
        common.say(f"{' '.join(command)}: {result.stderr.strip()}")
    return result.stdout


@contextlib.contextmanager
def namespace() -> Iterator[str]:
    """A namespace, whose pods are ended at once with it."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    try:
        common.run("kubectl", "create", "namespace", name)
        yield name
    finally:
        with undisturbed():
            inside = ("--namespace", name)
            if _tidy(*inside, "get", "deployments", "--output=name"):
                _tidy(*inside, "scale", "deployments", "--all", "--replicas=0")
            # Not their usual grace period: the next round waits for this.
            _tidy(*inside, "delete", "pods", "--all", "--grace-period=1", "--timeout=60s")
            _tidy("delete", "namespace", name, "--ignore-not-found", "--timeout=100s")


@contextlib.contextmanager
def operator(namespace: str, python: Path) -> Iterator[None]:
    """The operator, from its own chart and environment, which its pod mounts; with its custom resources."""
    site = next((python.parents[1] / "lib").glob("python*/site-packages"))
    definitions = json.dumps(_definitions(site / _CHART / "crds"))
    objects = json.dumps(_rendered(site, namespace))
    found = common.run("kubectl", "get", "crd", f"--selector=app.kubernetes.io/managed-by!={_MARK}", "--output=name")
    if "kubernetes.dask.org" in found:
        sys.exit("The cluster has custom resources of a Dask operator already: remove them, as this run would.")
    kubectl = ("kubectl", "--namespace", namespace)
    try:
        common.run("kubectl", "apply", "--server-side", "--filename=-", text=definitions)
        common.run(*kubectl, "apply", "--filename=-", text=objects)
        common.run(*kubectl, "wait", "deployments", "--all", "--for=condition=Available", "--timeout=60s")
        yield
    finally:
        with undisturbed():
            gone = ("--ignore-not-found", "--timeout=60s", "--filename=-")
            _tidy("--namespace", namespace, "delete", "--cascade=foreground", *gone, text=objects)
            _release(namespace)
            _tidy("delete", *gone, text=definitions)


def _definitions(folder: Path) -> dict[str, Any]:
    items = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
    for item in items:
        item["metadata"].setdefault("labels", {})["app.kubernetes.io/managed-by"] = _MARK
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _rendered(site: Path, namespace: str) -> dict[str, Any]:
    """The chart's objects; for an image of its own the operator has the Dask image, and its packages from outside."""
    repository, _, tag = common.image().rpartition(":")
    values = {
        "image": {"name": repository, "tag": tag},
        "kopfArgs": [f"--namespace={namespace}", "--standalone"],
        "extraEnv": [{"name": "PYTHONPATH", "value": "/peer"}],
        "volumes": [{"name": "peer", "hostPath": {"path": str(site), "type": "Directory"}}],
        "volumeMounts": [{"name": "peer", "mountPath": "/peer", "readOnly": True}],
    }
    helm = ("helm", "template", namespace, str(site / _CHART), "--namespace", namespace, "--values=-")
    items = [item for item in yaml.safe_load_all(common.run(*helm, text=json.dumps(values))) if item]
    for item in items:
        if item["kind"] == "Deployment":
            pod = item["spec"]["template"]["spec"]
            pod["terminationGracePeriodSeconds"] = 2
            container = pod["containers"][0]
            container["command"] = ["python", "-m", "kopf", "run", "-m", "dask_kubernetes.operator.controller"]
            container["readinessProbe"] = {"httpGet": container["livenessProbe"]["httpGet"], "periodSeconds": 1}
    return {"apiVersion": "v1", "kind": "List", "items": items}


def _release(namespace: str) -> None:
    """Take away the marks without which an operator that is gone would have to agree to a cluster's deletion."""
    for name in _tidy("--namespace", namespace, "get", "daskclusters", "--output=name").split():
        patch = json.dumps({"metadata": {"finalizers": None}})
        _tidy("--namespace", namespace, "patch", name, "--type=merge", f"--patch={patch}")
