"""The chart from a real registry, by both Helms and by Python, and what `helm test` says of it."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from dask_kubernetes_helm.errors import ChartError
from tests.publishing import changelog, package, sbom
from tests.rig import binaries
from tests.rig import image as images
from tests.rig.pki import Authority

from .conftest import Namespace, run, until

ROOT = Path(__file__).parents[2]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The packed chart, as it is published."""
    return package.pack_chart(tmp_path, 1_700_000_000)


@pytest.fixture(autouse=True)
def own_helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Helm's own folders are the test's."""
    for name in ("CONFIG", "CACHE", "DATA"):
        monkeypatch.setenv(f"HELM_{name}_HOME", str(tmp_path / name))


@contextlib.contextmanager
def registry(folder: Path, authority: Authority | None = None) -> Iterator[str]:
    """A registry on loopback, by https where there is an authority; its address."""
    folder.mkdir()
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    http: dict[str, object] = {"addr": address}
    if authority:
        authority.create()
        authority.issue("registry", "/CN=registry", "IP:127.0.0.1")
        files = {
            name: str(authority.folder / f"registry.{end}") for name, end in (("certificate", "crt"), ("key", "key"))
        }
        http["tls"] = files
    storage = {"filesystem": {"rootdirectory": str(folder / "data")}}
    (folder / "config.yml").write_text(json.dumps({"version": "0.1", "storage": storage, "http": http}))
    program = binaries.registry() / "docker-registry"
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        until(lambda: _answers(address, authority) or process.poll() is not None, timeout=20)
        assert process.poll() is None, (folder / "log").read_text()
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str, authority: Authority | None) -> bool:
    context = ssl.create_default_context(cafile=str(authority.certificate)) if authority else None
    scheme = "https" if authority else "http"
    with contextlib.suppress(urllib.error.URLError):
        return bool(urllib.request.urlopen(f"{scheme}://{address}/v2/", context=context, timeout=5).status == 200)
    return False


def refused(*command: str) -> str:
    """What a command says that must fail."""
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode != 0, f"{' '.join(command)} did not fail: {result.stdout}"
    return result.stdout + result.stderr


@pytest.mark.parametrize("binary", ["helm", "helm3"])
def test_a_published_chart(namespace: Namespace, image: str, archive: Path, tmp_path: Path, binary: str) -> None:
    """Pushed, pulled unchanged, installed where pods are restricted: its test fails without workers, else passes."""
    namespace.kubectl("label", "namespace", namespace.name, "pod-security.kubernetes.io/enforce=restricted")
    repository, _, tag = image.rpartition(":")
    where = ("--namespace", namespace.name)
    values = ("-f", str(ROOT / "values/ci.yaml"), "--set", f"image.repository={repository},image.tag={tag}")
    test = (binary, "test", "published", *where, "--logs", "--timeout", "150s")
    with registry(tmp_path / "registry") as address:
        source = (f"oci://{address}/charts/dask", "--version", changelog.newest().version, "--plain-http")
        run(binary, "push", str(archive), f"oci://{address}/charts", "--plain-http")
        (tmp_path / "pulled").mkdir()
        run(binary, "pull", *source, "--destination", str(tmp_path / "pulled"))
        assert archive.read_bytes() == (tmp_path / "pulled" / archive.name).read_bytes()
        empty = ("--set", "worker.replicas=0,tests.timeout=8", "--wait", "--timeout", "150s")
        run(binary, "install", "published", *source, *where, *values, *empty)
        assert "No worker came within 8 s. See why with kubectl describe pods, or scale up" in refused(*test)
        run(binary, "upgrade", "published", *source, *where, *values, "--set", "worker.replicas=2")
    assert re.search(r"100 tasks on [12] workers: the sum of their squares is 328350", run(*test))
    run(binary, "uninstall", "published", *where)
    assert namespace.objects("pods") >= {"pod/published-dask-test"}


def test_python_installs_from_a_registry(
    make_cluster, namespace: Namespace, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An oci:// reference is fetched, installed and removed; a test's pod that stays is none of the release."""
    authority = Authority(tmp_path / "pki")
    with registry(tmp_path / "registry", authority) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))  # Go's
        run("helm", "push", str(archive), f"oci://{address}/charts")
        with make_cluster(chart=f"oci://{address}/charts/dask", n_workers=1) as cluster:
            run("helm", "test", cluster.name, "--namespace", namespace.name, "--timeout", "150s")
            assert cluster._release.chart == f"dask-{changelog.newest().version}"
    namespace.empties(30)


def test_a_registry_without_tls(make_cluster, tmp_path: Path, archive: Path) -> None:
    """Python doesn't install from a registry that speaks plain http, and says how to go on."""
    with registry(tmp_path / "registry") as address:
        run("helm", "push", str(archive), f"oci://{address}/charts", "--plain-http")
        with pytest.raises(ChartError) as caught:
            make_cluster(chart=f"oci://{address}/charts/dask")
    assert "speaks plain http" in str(caught.value)
    assert f"helm pull oci://{address}/charts/dask --plain-http" in str(caught.value)


def test_the_sbom_of_an_image(tmp_path: Path) -> None:
    """It has the Dask of the image that the nodes hold, by its version."""
    found = sbom.components(sbom.of_image(images.dask(), tmp_path))
    assert found["distributed"] == version("distributed")
    assert found["numpy"] == version("numpy")
