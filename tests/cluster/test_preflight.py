"""What is told beforehand: rights that are missing, and versions that differ."""

from __future__ import annotations

import sys
from pathlib import Path

import dask
import pytest

from dask_kubernetes_helm import HelmCluster, KubeAuth

from .conftest import Namespace, run, until
from .test_auth import own, pem
from .workload import SMALL

ROOT = Path(__file__).parents[2]
OLDER = """
import sys, warnings
from dask_kubernetes_helm import HelmCluster
from dask_kubernetes_helm.errors import VersionMismatchWarning
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    HelmCluster.from_name(sys.argv[1], namespace=sys.argv[2], quiet=True).close()
print(*[item.message for item in caught if item.category is VersionMismatchWarning], sep="|")
"""


@pytest.fixture
def cluster(make_cluster) -> HelmCluster:
    return make_cluster(n_workers=1, values=SMALL)


def test_a_right_that_is_missing(cluster: HelmCluster, namespace: Namespace, tmp_path: Path) -> None:
    """Attached with less than all rights, the doctor names what is lacking; with the Role that it prints nothing is."""
    namespace.kubectl("create", "serviceaccount", "guest")
    namespace.own.add("serviceaccount/guest")
    for name, verbs, resources in (
        ("watch", "list,watch", "pods,deployments.apps,services"),
        ("reach", "get,create", "pods/portforward,secrets"),
    ):
        namespace.kubectl("create", "role", name, f"--verb={verbs}", f"--resource={resources}")
        namespace.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={namespace.name}:guest")
    certificate = pem(tmp_path / "ca.crt", own("clusters")["certificate-authority-data"])
    token = namespace.kubectl("create", "token", "guest").strip()
    auth = KubeAuth(own("clusters")["server"], token=token, ssl_ca_cert=certificate)
    with HelmCluster.from_name(cluster.name, namespace=namespace.name, auth=auth, quiet=True) as guest:
        report = guest.permissions()
        assert report.may("attach, watch")
        assert not report.may("scale")
        assert "get/patch deployments/scale.apps" in str(report)
        namespace.kubectl("apply", "-f", "-", text=report.role)
        namespace.kubectl(
            "create", "rolebinding", "more", "--role=dask-helm-more", f"--serviceaccount={namespace.name}:guest"
        )
        until(lambda: guest.permissions().ok, 10)  # an API server learns of a binding a moment later
        guest.scale(2)


def test_an_older_client(cluster: HelmCluster, namespace: Namespace, tmp_path: Path) -> None:
    """A client with the Dask before this one reads both versions, the image to take, and the command to install."""
    python, uv = str(tmp_path / "venv/bin/python"), (sys.executable, "-m", "uv")
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(ROOT))
    (wheel,) = tmp_path.glob("*.whl")
    run(*uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv"))
    older = f"dask<{dask.__version__}", f"distributed<{dask.__version__}"
    run(*uv, "pip", "install", "--quiet", "--python", python, str(wheel), *older)
    had = run(python, "-c", "import dask; print(dask.__version__)").strip()
    said = run(python, "-c", OLDER, cluster.name, namespace.name, PYTHONPATH="")
    assert f"dask         {had}" in said
    assert f"pip install dask=={dask.__version__} distributed=={dask.__version__}" in said
    assert f'image="ghcr.io/dask/dask:{had}-py' in said
