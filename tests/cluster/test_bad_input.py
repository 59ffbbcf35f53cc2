"""What a mistake gets: an error that names cause and cure before anything is created, and nothing left behind."""

from __future__ import annotations

import base64
import getpass
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

from dask_kubernetes_helm import HelmCluster, errors
from dask_kubernetes_helm.auth import KubeAuth, KubeConfig
from tests.rig.pki import Authority

from .conftest import Namespace, may, run, until


@pytest.fixture
def refuse(namespace: Namespace, image: str) -> Callable[..., str]:
    """Makes a cluster that must be refused; the message, once it is seen that nothing was created."""

    def refused(error: type[Exception], **arguments: Any) -> str:
        settled = {"namespace": namespace.name, "environment": "ci", "image": image, "quiet": True, "timeout": 60}
        with pytest.raises(error) as caught:
            HelmCluster(**{**settled, **arguments})
        assert isinstance(caught.value, errors.HelmClusterError)
        namespace.empties()
        return str(caught.value)

    return refused


def says(message: str, *words: str) -> None:
    for word in words:
        assert word in message, message


def told(*words: str) -> str:
    """What a command that fails says in a terminal."""
    command = (sys.executable, "-m", "dask_kubernetes_helm", *words)
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode in (1, 2), result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


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
        says(message, "54 characters", "53 are allowed", "10 are for the suffixes")


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
    """A namespace that does not exist is named with the one that is near, and is not made; attaching tells the same."""
    near = r"no namespace 'kube-sistem' at https://.*did you mean 'kube-system'\?.*kubectl create namespace kube-sistem"
    with pytest.raises(errors.NamespaceNotFoundError, match=near):
        HelmCluster(namespace="kube-sistem", environment="ci", image=image, quiet=True)
    with pytest.raises(errors.NamespaceNotFoundError, match=near):
        HelmCluster.from_name("x", namespace="kube-sistem", quiet=True)
    assert "kube-sistem" not in run("kubectl", "get", "namespaces", "-o", "name")
    assert "did you mean 'kube-system'?" in told("status", "x", "-n", "kube-sistem")


def test_no_cluster(refuse) -> None:
    """An API server that does not answer: its address and the kubeconfig's context."""
    began = time.monotonic()
    message = refuse(errors.ApiUnreachableError, auth=KubeAuth("https://127.0.0.1:1", verify_ssl=False))
    says(message, "https://127.0.0.1:1", "Connection refused", "Check that the cluster is up", "kubeconfig")
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
    for advice in ("insecure", "skip", "verify_ssl", "disable"):
        assert advice not in message.lower()


def test_no_kubeconfig(refuse, tmp_path: Path) -> None:
    """No kubeconfig where it was looked for."""
    path = tmp_path / "nowhere"
    says(refuse(errors.KubeConfigError, auth=KubeConfig(path)), f"no kubeconfig at {path}", "KUBECONFIG")
    near = refuse(errors.KubeConfigError, auth=KubeConfig(context="embeded"))
    says(near, "no context 'embeded'", "it has: embedded", "did you mean 'embedded'?")


def test_a_token_that_does_not_count(refuse) -> None:
    """Credentials that the API server does not accept: whose they were, and how to come by others."""
    server = run("kubectl", "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
    message = refuse(errors.UnauthorizedError, auth=KubeAuth(server, token="s3cr3t", verify_ssl=False))
    says(message, f"{server} does not accept the credentials of KubeAuth", "kubectl create token")
    assert "s3cr3t" not in message


def test_no_permission(refuse, namespace: Namespace, image: str) -> None:
    """Missing permissions are named by user, verb, object and namespace, and the Role in the message is enough."""
    auth = service_account(namespace, "viewer", "view")
    user = f"User system:serviceaccount:{namespace.name}:viewer"
    message = refuse(errors.ForbiddenError, auth=auth)
    says(message, f"{user} may not create/patch/delete deployments.apps", f"in namespace {namespace.name}")
    says(message, "docs/permissions.md", "What is lacking, as a Role:")
    namespace.kubectl("apply", "-f", "-", text=message.partition("as a Role:")[2])
    namespace.kubectl(
        "create", "rolebinding", "more", "--role=dask-helm-more", f"--serviceaccount={namespace.name}:viewer"
    )
    may(namespace, "viewer", "create", "deployments.apps")
    with HelmCluster(namespace=namespace.name, environment="ci", image=image, n_workers=0, auth=auth, quiet=True):
        assert namespace.get("deployments")


def test_no_permission_to_attach(namespace: Namespace) -> None:
    """Who may not even look is told so by name, with the one command that lets them."""
    auth = service_account(namespace, "nobody", "system:discovery")
    with pytest.raises(errors.ForbiddenError) as caught:
        HelmCluster.from_name("x", namespace=namespace.name, auth=auth, quiet=True)
    says(
        str(caught.value),
        f"User system:serviceaccount:{namespace.name}:nobody may not list deployments",
        namespace.name,
    )
    command = f"kubectl create role dask --verb=list --resource=deployments.apps --namespace={namespace.name}"
    says(str(caught.value), command)
    run(*command.split())
    namespace.kubectl("create", "rolebinding", "list", "--role=dask", f"--serviceaccount={namespace.name}:nobody")
    may(namespace, "nobody", "list", "deployments.apps")
    with pytest.raises(errors.ReleaseNotFoundError):
        HelmCluster.from_name("x", namespace=namespace.name, auth=auth, quiet=True)


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
    """A second install of a name tells the first one's chart, age and owner, and leaves it as it is."""
    make_cluster(name="twice", n_workers=0)
    before = namespace.objects("deployments,services,secrets,configmaps")
    (owner,) = namespace.get("configmaps", "app.kubernetes.io/component=owner")
    with pytest.raises(errors.ReleaseExistsError) as caught:
        make_cluster(name="twice", n_workers=0)
    message, owned = str(caught.value), f"(owner configmap/{owner['metadata']['name']})"
    says(message, "exists already: of the chart dask-", "deployed, installed", f"ago by {getpass.getuser()} {owned}")
    says(message, f"release twice, namespace {namespace.name}")
    says(message, f'HelmCluster.from_name("twice", namespace="{namespace.name}")', "choose another name")
    says(message, f"dask helm delete twice -n {namespace.name}")
    said = told("create", "twice", "-n", namespace.name, "--no-wait")
    says(said, "exists already", f"{owned} (release twice, namespace {namespace.name}).\nAttach to it")
    assert before == namespace.objects("deployments,services,secrets,configmaps")


@pytest.fixture
def stranger(namespace: Namespace, tmp_path: Path) -> Iterator[str]:
    """A release of a chart that is not ours."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: webshop, version: 1.2.3}")
    (tmp_path / "templates/it.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: webshop}}")
    where = ("--namespace", namespace.name)
    run("helm", "install", "shop", str(tmp_path), *where)
    yield "shop"
    run("helm", "uninstall", "shop", *where)


def test_another_charts_release(stranger: str, namespace: Namespace) -> None:
    """A release of another chart is told by that chart, by who attaches to it as by who wants its name."""
    before = namespace.objects()
    with pytest.raises(errors.WrongChartError) as caught:
        HelmCluster.from_name(stranger, namespace=namespace.name, quiet=True)
    assert isinstance(caught.value, errors.ReleaseNotFoundError)
    says(str(caught.value), "release 'shop'", namespace.name, "of the chart webshop-1.2.3", "this package's chart")
    with pytest.raises(errors.ReleaseExistsError) as caught:
        HelmCluster(stranger, namespace=namespace.name, environment="ci", quiet=True)
    says(str(caught.value), "of the chart webshop-1.2.3", "by helm install", "helm uninstall shop --namespace")
    assert "webshop-1.2.3" in told("status", stranger, "-n", namespace.name)
    assert namespace.objects() == before


def test_release_not_found(make_cluster, namespace: Namespace) -> None:
    """Attaching to a name that is not there tells where it was looked for, and the near ones."""
    make_cluster(name="morning", n_workers=0)
    with pytest.raises(errors.ReleaseNotFoundError, match=r"no release 'mornin'.*did you mean 'morning'") as caught:
        HelmCluster.from_name("mornin", namespace=namespace.name, quiet=True)
    says(str(caught.value), f"in namespace {namespace.name}", "Releases there: morning.")


def test_verbs_that_can_not_be_meant(make_cluster, namespace: Namespace) -> None:
    """Numbers, groups and times that can't be meant are refused one by one, and nothing is scaled by it."""
    cluster = make_cluster(name="calm", n_workers=1)
    for n, error, words in (
        (-1, ValueError, "n is -1, it can't be negative"),
        ("3", TypeError, "n is '3' \\(str\\), not an integer"),
        (2.5, TypeError, "n is 2.5 \\(float\\), not an integer"),
        (True, TypeError, "n is True \\(bool\\), not an integer"),
    ):
        with pytest.raises(error, match=f"{words}.*Give 0, 1, 2, "):
            cluster.scale(n)
    for use in (
        lambda: cluster.scale(2, "defaul"),
        lambda: cluster.scale(2, worker_group="defaul"),
        lambda: cluster.adapt(0, 2, worker_group="defaul"),
        lambda: cluster.delete_worker_group("defaul"),
    ):
        with pytest.raises(
            errors.WorkerGroupNotFoundError, match=r"'defaul'; did you mean 'default'\?.*Groups are: def"
        ):
            use()
    with pytest.raises(errors.WorkerGroupNotFoundError, match=r"no worker group 3 .*Groups are: default"):
        cluster.scale(2, 3)
    with pytest.raises(ValueError, match="minimum is 10, which is above maximum, 2"):
        cluster.adapt(minimum=10, maximum=2)
    for use in (
        lambda: cluster.scale(2, timeout=-1),
        lambda: cluster.wait_for_workers(1, timeout="-1"),
        lambda: cluster.adapt(0, 1, interval=""),
        lambda: cluster.close(timeout=-1),
    ):
        with pytest.raises(errors.InvalidArgumentError, match=r"(timeout|interval) is .*(seconds|negative)"):
            use()
    for n in (0, True, "1", -1):
        with pytest.raises(errors.HelmClusterError, match="n_workers is"):
            cluster.wait_for_workers(n)
    says(told("scale", "calm", "2", "-n", namespace.name, "-g", "defaul"), "did you mean 'default'?")
    says(told("adapt", "calm", "--minimum=10", "--maximum=2"), "--minimum is 10, which is above --maximum, 2")
    assert namespace.replicas() == 1
    assert cluster.scaling_history() == []


def test_numpys_numbers_and_paths(make_cluster, namespace: Namespace) -> None:
    """NumPy's integers count as numbers of workers, in values too, as paths do as text."""
    values = {"worker": {"replicas": np.int64(1), "podLabels": {"from": Path("somewhere")}}}
    cluster = make_cluster(values=values)
    assert namespace.replicas() == 1
    cluster.scale(np.int64(0))
    assert namespace.replicas() == 0


async def test_a_running_loop(make_cluster, namespace: Namespace) -> None:
    """In a running loop a plain cluster works as in a script; an asynchronous one says to await it before its verbs."""
    make_cluster(name="looped", n_workers=0)
    with HelmCluster.from_name("looped", namespace=namespace.name, quiet=True) as plain:
        plain.scale(1)
    cluster = HelmCluster.from_name("looped", namespace=namespace.name, quiet=True, asynchronous=True)
    with pytest.raises(errors.NotStartedError, match=r"asynchronous=True, and not started .*Await it first.*await"):
        cluster.scale(0)
    async with cluster:
        await cluster.scale(0)
    assert namespace.replicas() == 0


def test_wrong_chart(refuse, tmp_path: Path) -> None:
    """A chart path that leads nowhere, or to no chart."""
    says(refuse(errors.ChartError, chart="./no/chart"), "no chart at", "no/chart")
    says(refuse(errors.ChartError, chart=tmp_path), "Chart.yaml", str(tmp_path))


def test_image_that_cannot_be_pulled(refuse) -> None:
    """An image that can't be pulled is named with its node, within 60 s and not at a timeout."""
    began = time.monotonic()
    message = refuse(errors.ImagePullError, image="localhost/no-such-image:1", timeout=300)
    says(message, "localhost/no-such-image:1", "node-", "for pod", "failed to pull", "image.pullSecrets")
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
    says(message, "nodes are available", "Insufficient cpu", "5 s", "the largest node, node-", "has cpu ")
    says(message, "Lower its requests (scheduler.resources)")


def test_helm_missing(refuse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without helm the error tells how to get one per platform, and that attaching needs none."""
    with dask.config.set({"kubernetes.helm.executable": "no-such-helm"}):
        says(refuse(errors.HelmNotFoundError), "no-such-helm", "brew install helm", "from_name needs no helm")


@pytest.mark.parametrize(
    ("printed", "words"),
    [("v4.3", ["not a released version", "SemVer", "release build"]), ("v2.17.0", ["v2.17.0", "3.13 or later"])],
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
    for use in (lambda: cluster.scale(1), cluster.get_logs, lambda: cluster.wait_for_workers(1), cluster.get_client):
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
    namespace.empties(60)
