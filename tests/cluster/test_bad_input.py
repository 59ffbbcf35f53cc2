"""What a mistake gets: an error that names cause and cure before anything is created, and nothing left behind."""

from __future__ import annotations

import base64
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import pytest

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.auth import KubeAuth, KubeConfig
from tests.rig.pki import Authority

from .conftest import Namespace, run, until


@pytest.fixture
def refuse(namespace: Namespace, image: str) -> Callable[..., str]:
    """Makes a cluster that must be refused; the message, once it is seen that nothing was created."""

    def refused(error: type[Exception], **arguments: Any) -> str:
        settled = {"namespace": namespace.name, "environment": "ci", "image": image, "quiet": True, "timeout": 60}
        with pytest.raises(error) as caught:
            HelmCluster(**{**settled, **arguments})
        assert isinstance(caught.value, errors.HelmClusterError)
        assert set() == namespace.objects()
        return str(caught.value)

    return refused


def says(message: str, *words: str) -> None:
    for word in words:
        assert word in message, message


def test_unknown_key(refuse, tmp_path: Path) -> None:
    """An unknown values key: the file, the key, the nearest valid key."""
    path = tmp_path / "mine.yaml"
    path.write_text("worker:\n  replcias: 2\n")
    says(refuse(errors.ValuesSchemaError, values=path), str(path), "worker.replcias", "did you mean 'replicas'?")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(None, ["can't be read", "No such file"], id="missing"),
        pytest.param("worker: [", ["not valid YAML", "line 1"], id="not YAML"),
        pytest.param("- 1", ["holds a list, not a mapping"], id="not a mapping"),
        pytest.param("worker: {env: []}\nworker: {}\n", ["'worker' is given twice"], id="key twice"),
    ],
)
def test_bad_file(refuse, tmp_path: Path, text: str | None, words: list[str]) -> None:
    """A values file that is missing, no YAML, or no mapping."""
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text)
    says(refuse(errors.ValuesFileError, values=str(path)), str(path), *words)


def test_undefined_variable(refuse, tmp_path: Path) -> None:
    """A values template that uses a variable which is not set names it."""
    path = tmp_path / "mine.yaml.j2"
    path.write_text("image: {tag: '{{ NO_SUCH_TAG }}'}")
    says(refuse(errors.ValuesFileError, values=[path]), str(path), "NO_SUCH_TAG", "not set")


def test_wrong_values(refuse) -> None:
    """A value of the wrong type names key, type and what is expected."""
    says(refuse(errors.ValuesSchemaError, values={"worker": {"replicas": "3"}}), "worker.replicas", "integer")


def test_chart_refuses(refuse) -> None:
    """What the chart's own checks refuse arrives with their sentence."""
    says(refuse(errors.ValuesError, values={"scheduler": {"replicas": 2}}), "scheduler.replicas must be 1", "memory")


@pytest.mark.parametrize("name", ["My_Cluster", "a.b", "-a", "x" * 54, "{NO_SUCH_VARIABLE}"])
def test_bad_name(refuse, name: str) -> None:
    """A release name that Helm or Kubernetes would refuse."""
    message = refuse(errors.InvalidNameError, name=name)
    says(message, "name")
    if len(name) == 54:
        says(message, "54 characters", "53 are allowed")


@pytest.mark.parametrize(("n", "error"), [(-1, ValueError), ("3", TypeError), (2.5, TypeError), (True, TypeError)])
def test_bad_number(refuse, make_cluster, n: object, error: type[Exception]) -> None:
    """A number of workers that is negative, or no integer."""
    says(refuse(error, n_workers=n), "n_workers", repr(n))


def test_unknown_environment(refuse) -> None:
    """An unknown environment lists the ones there are, and the nearest."""
    says(
        refuse(errors.UnknownEnvironmentError, environment="prodution"),
        "did you mean 'production'",
        "ci, gitops, gpu, jupyterhub, local, production, spot",
    )


def test_missing_namespace(image: str) -> None:
    """A namespace that does not exist is named, and is not made."""
    with pytest.raises(errors.NamespaceNotFoundError, match=r"no-such-namespace.*kubectl create namespace"):
        HelmCluster(namespace="no-such-namespace", environment="ci", image=image, quiet=True)
    assert "no-such-namespace" not in run("kubectl", "get", "namespaces", "-o", "name")


def test_no_cluster(refuse) -> None:
    """An API server that does not answer: its address and the kubeconfig's context."""
    began = time.monotonic()
    message = refuse(errors.ApiUnreachableError, auth=KubeAuth("https://127.0.0.1:1", verify_ssl=False))
    says(message, "https://127.0.0.1:1", "kubeconfig")
    assert time.monotonic() - began < 10


def test_a_stranger_in_the_api_servers_place(refuse, tmp_path: Path) -> None:
    """A certificate by an authority that the kubeconfig doesn't name: that it is not trusted, and whose it is."""
    stranger = Authority(tmp_path / "pki")
    stranger.create()
    kubeconfig = json.loads(Path(os.environ["KUBECONFIG"]).read_text())
    encoded = base64.b64encode(stranger.certificate.read_bytes()).decode()
    kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"] = encoded
    (tmp_path / "config").write_text(json.dumps(kubeconfig))
    server = kubeconfig["clusters"][0]["cluster"]["server"]
    message = refuse(errors.ApiUnreachableError, auth=KubeConfig(tmp_path / "config"))
    says(message, f"certificate of {server}", "not one that context 'embedded'", "Fetch the kubeconfig anew")


def test_no_kubeconfig(refuse, tmp_path: Path) -> None:
    """No kubeconfig where it was looked for."""
    path = tmp_path / "nowhere"
    says(refuse(errors.KubeConfigError, auth=KubeConfig(path)), f"no kubeconfig at {path}", "KUBECONFIG")
    says(refuse(errors.KubeConfigError, auth=KubeConfig(context="nope")), "no context 'nope'", "embedded")


def test_no_permission(refuse, namespace: Namespace) -> None:
    """Missing permissions are named by verb and object."""
    auth = service_account(namespace, "viewer", "view")
    says(refuse(errors.ForbiddenError, auth=auth), "create deployments.apps", namespace.name, "docs/permissions.md")


def service_account(namespace: Namespace, name: str, role: str) -> KubeAuth:
    """Credentials of a service account that has a cluster role in the namespace."""
    namespace.kubectl("create", "serviceaccount", name)
    namespace.kubectl(
        "create", "rolebinding", name, f"--clusterrole={role}", f"--serviceaccount={namespace.name}:{name}"
    )
    token = namespace.kubectl("create", "token", name).strip()
    server = run("kubectl", "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    namespace.own.add(f"serviceaccount/{name}")
    return KubeAuth(server, token=token, verify_ssl=False)


def test_release_exists(make_cluster, namespace: Namespace) -> None:
    """A second install of a name is refused and leaves the first as it is."""
    make_cluster(name="twice", n_workers=0)
    before = namespace.objects("deployments,services,secrets")
    with pytest.raises(errors.ReleaseExistsError, match=r"exists already \(release twice, namespace .*from_name"):
        make_cluster(name="twice", n_workers=0)
    assert before == namespace.objects("deployments,services,secrets")


def test_release_not_found(make_cluster, namespace: Namespace) -> None:
    """Attaching to a name that is not there tells the near ones."""
    make_cluster(name="morning", n_workers=0)
    with pytest.raises(errors.ReleaseNotFoundError, match=r"no release 'mornin'.*did you mean 'morning'"):
        HelmCluster.from_name("mornin", namespace=namespace.name, quiet=True)


def test_wrong_chart(refuse, tmp_path: Path) -> None:
    """A chart path that leads nowhere, or to no chart."""
    says(refuse(errors.ChartError, chart="./no/chart"), "no chart at", "no/chart")
    says(refuse(errors.ChartError, chart=tmp_path), "Chart.yaml", str(tmp_path))


def test_image_that_cannot_be_pulled(refuse) -> None:
    """An image that can't be pulled is named with its node, within 60 s and not at a timeout."""
    began = time.monotonic()
    message = refuse(errors.ImagePullError, image="localhost/no-such-image:1", timeout=300)
    says(message, "localhost/no-such-image:1", "node-", "image.pullSecrets")
    assert time.monotonic() - began < 60


def test_worker_image_that_cannot_be_pulled(make_cluster) -> None:
    """Where only the workers' image is wrong, waiting for workers says so."""
    cluster = make_cluster(values={"worker": {"image": {"repository": "localhost/nothing", "tag": "1"}}})
    with pytest.raises(errors.ImagePullError, match="localhost/nothing:1"):
        cluster.wait_for_workers(2, timeout=120)


def test_scheduler_that_crashes(refuse) -> None:
    """A scheduler that ends at once shows the end of its log."""
    message = refuse(errors.CrashLoopError, values={"scheduler": {"extraArgs": ["--no-such-option"]}})
    says(message, "exit code 2", "Usage: dask scheduler", "Unknown argument")


def test_pods_that_are_refused(refuse, namespace: Namespace) -> None:
    """A quota that forbids the pods is named at once."""
    namespace.kubectl("create", "quota", "none", "--hard=pods=0")
    says(refuse(errors.PodCreationError), "exceeded quota: none", "quota")


def test_taken_port(refuse) -> None:
    """A local port that is taken is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with dask.config.set({"kubernetes.scheduler-forward-port": port}):
            says(refuse(errors.PortInUseError), str(port), "scheduler-forward-port")


def test_a_secret_of_certificates(refuse, namespace: Namespace) -> None:
    """A Secret that pods would wait for is named, with what it lacks and the value that says where else that is."""
    tls = {"tls": {"secretName": "ours"}}
    says(refuse(errors.TlsSecretError, values=tls), "no Secret ours", "tls.secretName", "ca.crt, tls.crt, tls.key")
    namespace.kubectl("create", "secret", "generic", "ours", "--from-literal=ca.crt=a", "--from-literal=cert=b")
    namespace.own.add("secret/ours")
    message = refuse(errors.TlsSecretError, values=tls)
    says(message, "Secret ours", "lacks tls.crt, tls.key", "tls.keys.schedulerCert", "tls.keys.workerKey")


def test_unschedulable(refuse) -> None:
    """Requests that no node has are told when the time is over, with the scheduler's own sentence."""
    resources = {"requests": {"cpu": "999"}, "limits": {"cpu": "999"}}
    message = refuse(errors.StartTimeoutError, values={"scheduler": {"resources": resources}}, timeout=5)
    says(message, "Insufficient cpu", "5 s")


def test_helm_missing(refuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without helm the error tells how to get one per platform, and that attaching needs none."""
    with dask.config.set({"kubernetes.helm.executable": "no-such-helm"}):
        says(refuse(errors.HelmNotFoundError), "no-such-helm", "brew install helm", "from_name needs no helm")


@pytest.mark.parametrize(
    ("printed", "words"), [("v4.3", ["not a released version"]), ("v2.17.0", ["v2.17.0", "3.13 or later"])]
)
def test_helm_that_does_not_do(refuse, tmp_path: Path, printed: str, words: list[str]) -> None:
    """A helm that is unstamped or too old is named with its version."""
    helm = tmp_path / "helm"
    helm.write_text(f"#!/bin/sh\necho {printed}\n")
    helm.chmod(0o755)
    with dask.config.set({"kubernetes.helm.executable": str(helm)}):
        says(refuse(errors.HelmVersionError), str(helm), *words)


def test_attaching_needs_no_helm(make_cluster, namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attaching, scaling, logs and the dashboard do without a helm binary."""
    make_cluster(name="there", n_workers=1)
    monkeypatch.setenv("PATH", "/nowhere")
    with HelmCluster.from_name("there", namespace=namespace.name, quiet=True) as cluster:
        cluster.scale(2)
        cluster.wait_for_workers(2, timeout=60)
        assert "Scheduler" in cluster.get_logs()
        assert cluster.dashboard_link.startswith("http://127.0.0.1:")
    monkeypatch.undo()
    assert namespace.replicas() == 2


def test_closed(make_cluster) -> None:
    """Closing twice is closing once, and a closed cluster says that it is."""
    cluster = make_cluster(n_workers=0)
    cluster.close()
    began = time.monotonic()
    cluster.close()
    assert time.monotonic() - began < 1
    for use in (lambda: cluster.scale(1), cluster.get_logs, lambda: cluster.wait_for_workers(1)):
        with pytest.raises(errors.ClusterClosedError, match="closed"):
            use()


def test_removed_by_somebody_else(make_cluster, namespace: Namespace) -> None:
    """Closing after the release was removed elsewhere is no error, and takes no more than 5 s."""
    cluster = make_cluster(name="gone", n_workers=0)
    run("helm", "uninstall", "gone", "--namespace", namespace.name, KUBECONFIG=os.environ["KUBECONFIG"])
    until(lambda: not namespace.objects("pods,deployments,services,secrets"))
    began = time.monotonic()
    cluster.close()
    print(f"closed in {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began <= 5
    until(lambda: not namespace.objects())
