"""What a mistake in a call reads like: what was wrong, where, what was expected, what to do; nobody is asked for it."""

from __future__ import annotations

import asyncio
import http.server
import inspect
import json
import math
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from click.testing import CliRunner

from dask_kubernetes_helm import HelmCluster, KubeCluster, cli, errors
from dask_kubernetes_helm.auth import KubeAuth, KubeConfig

#: Nobody is there: whoever asks Kubernetes gets an error of its own.
NOBODY = KubeAuth("https://127.0.0.1:1", verify_ssl=False)
#: Whoever comes as far as that has got past the arguments.
NOWHERE = KubeConfig("/nonexistent/kubeconfig")
TEMPLATE = {"spec": {"containers": [{"image": "i:1", "args": ["dask-worker"]}]}}


def refused(kind: type[Exception], *words: str, make: Callable[..., Any] = HelmCluster, **given: Any) -> str:
    """The message of a call that must be refused, once it is seen to have the words."""
    with pytest.raises(kind) as caught:
        make(**{"auth": NOWHERE, "quiet": True, "namespace": "lab", **given})
    assert isinstance(caught.value, errors.HelmClusterError)
    message = str(caught.value)
    assert [word for word in words if word not in message] == [], message
    return message


def accepted(**given: Any) -> None:
    """Nothing is wrong with what is given: the first to complain is the kubeconfig that is not there."""
    refused(errors.KubeConfigError, "/nonexistent/kubeconfig", **given)


def told(*words: str, code: int = 2) -> str:
    """What a command says in a terminal that was used wrongly, or failed otherwise with another code; no traceback."""
    result = CliRunner().invoke(cli.main, list(words))
    assert result.exit_code == code, result.output
    assert isinstance(result.exception, SystemExit)
    return result.output


# Helm -------------------------------------------------------------------------------------------------------

GET_HELM = ("brew install helm", "winget install", "conda-forge kubernetes-helm", "kubernetes.helm.executable")


@pytest.fixture
def binary(tmp_path: Path) -> Callable[[str | bytes, int], str]:
    """Makes a file that may be taken for a helm."""

    def made(content: str | bytes, mode: int = 0o755) -> str:
        path = tmp_path / "helm"
        path.write_bytes(content if isinstance(content, bytes) else f"#!/bin/sh\n{content}\n".encode())
        path.chmod(mode)
        return str(path)

    return made


def without_helm(kind: type[Exception], executable: str | None, *words: str) -> str:
    with dask.config.set({"kubernetes.helm.executable": executable}):
        return refused(kind, *words, auth=NOBODY)


def test_no_helm_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without helm it is told what helm is needed for, how to get one, and what does without."""
    monkeypatch.setenv("PATH", "/nonexistent")
    message = without_helm(errors.HelmNotFoundError, None, "needed to create", "no 'helm' on PATH", *GET_HELM)
    assert "Attaching with HelmCluster.from_name needs no helm" in message


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        ("echo v4.1.4", 0o644, ["is not executable", "chmod +x"]),
        ("echo boom >&2\necho again >&2\nexit 3", 0o755, ["`version` ended with exit code 3: boom again"]),
        ("exit 1", 0o755, ["`version` ended with exit code 1 (release"]),
        ("echo hello world", 0o755, ["`version` printed 'hello world'"]),
        ("true", 0o755, ["`version` printed ''"]),
        (b"\x7fELF nothing", 0o755, ["`version` did not start: Exec format error"]),
    ],
)
def test_a_binary_that_is_no_helm(binary: Any, content: Any, mode: int, words: list[str]) -> None:
    """What is configured as helm and is none is told with its path, and what it answered to `version`."""
    path = binary(content, mode)
    message = without_helm(errors.HelmNotFoundError, path, path, *words, *GET_HELM)
    assert "\n" not in message


def test_a_folder_is_no_helm(tmp_path: Path) -> None:
    """A folder that is configured as helm is called one."""
    without_helm(errors.HelmNotFoundError, str(tmp_path), f"{tmp_path} is a folder")


@pytest.mark.parametrize(
    ("printed", "words"),
    [
        ("v2.17.0", ["is version v2.17.0", "3.13 or later is needed"]),
        ("v3.12.3+g3a31588", ["is version v3.12.3", "3.13 or later is needed"]),
        ("v4.3", ["version 'v4.3'", "SemVer", "v4.1.4", "take a release build"]),
    ],
)
def test_a_helm_that_does_not_do(binary: Any, printed: str, words: list[str]) -> None:
    """A helm that is too old, or has no version stamped in: what it calls itself, and what is needed."""
    path = binary(f"echo {printed}")
    without_helm(errors.HelmVersionError, path, path, *words, *GET_HELM)


# Names ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("My_Cluster", ["lower-case letters, digits and '-'", "a letter or digit first and last", "Try 'my-cluster'"]),
        ("my.rel", ["no dots", "Service", "Try 'my-rel'"]),
        ("x" * 54, ["54 characters, 53 are allowed", "of the 63", "10 are for the suffixes", "for example to 'xxx"]),
        ("-", ["is not valid", "Choose another"]),
        ("", ["is not valid", "Choose another"]),
        ("{NOBODY_SET_THIS}", ["{NOBODY_SET_THIS}", "neither 'user', 'uuid' nor an environment variable"]),
    ],
)
def test_a_release_name(name: str, words: list[str]) -> None:
    """A name that Helm or Kubernetes would refuse: the rule, and a name that is near; in a terminal too."""
    refused(errors.InvalidNameError, *words, name=name)
    if name == "My_Cluster":
        assert told("create", name).endswith("\nTry 'my-cluster'.\n")


@pytest.mark.parametrize(
    ("namespace", "kind", "words"),
    [
        ("My NS", errors.InvalidNameError, ["'My NS'", "up to 63 lower-case letters", "Did you mean 'my-ns'?"]),
        ("a.b", errors.InvalidNameError, ["'a.b'", "Did you mean 'a-b'?"]),
        (3, errors.InvalidTypeError, ["namespace is 3 (int), not text"]),
    ],
)
def test_a_namespaces_name(namespace: Any, kind: type[Exception], words: list[str]) -> None:
    """What can't be a namespace's name is refused before Kubernetes is asked, and not advised to be created."""
    assert "kubectl create" not in refused(kind, *words, namespace=namespace, auth=NOBODY)


# Who, and where ---------------------------------------------------------------------------------------------


def kubeconfig(path: Path, server: str = "http://127.0.0.1:1", **user: Any) -> Path:
    """A kubeconfig with the contexts lab and production."""
    contexts = [{"name": name, "context": {"cluster": "it", "user": "ada"}} for name in ("lab", "production")]
    content = {
        "clusters": [{"name": "it", "cluster": {"server": server}}],
        "users": [{"name": "ada", "user": user or {"token": "s3cr3t"}}],
        "contexts": contexts,
        "current-context": "lab",
    }
    path.write_text(json.dumps(content))
    return path


def test_no_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a kubeconfig each path that was looked at is told, and whether KUBECONFIG was set."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ("this process runs in no pod", str(tmp_path / ".kube/config"), "KUBECONFIG is not set", "Set KUBECONFIG")
    refused(errors.KubeConfigError, *words, make=HelmCluster.from_name, name="x", auth=None)
    paths = f"{tmp_path}/one:{tmp_path}/two"
    monkeypatch.setenv("KUBECONFIG", paths)
    words = (f"{tmp_path}/one or {tmp_path}/two", f"KUBECONFIG is '{paths}'")
    refused(errors.KubeConfigError, *words, make=HelmCluster.from_name, name="x", auth=None)
    assert f"{tmp_path}/one or" in told("list", code=1)


def test_an_unknown_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context that the kubeconfig has not: those that it has, and which is near."""
    path = kubeconfig(tmp_path / "config")
    words = (str(path), "no context 'prodution'", "it has: lab, production", "did you mean 'production'?")
    refused(errors.KubeConfigError, *words, auth=KubeConfig(path, "prodution"))
    message = refused(errors.KubeConfigError, "it has: lab, production", auth=KubeConfig(path, "xyz"))
    assert message.endswith("Name one of these, or set KUBECONFIG to the file that has it.")
    monkeypatch.setenv("KUBECONFIG", str(path))
    assert "did you mean 'production'?" in told("status", "x", "--context", "prodution", code=1)


@pytest.fixture
def api() -> Iterator[Callable[[int, str], str]]:
    """Starts an API server that answers everything alike; its address."""
    servers = []

    def started(status: int, message: str) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"kind": "Status", "message": message}).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def test_not_logged_in(api: Any, tmp_path: Path) -> None:
    """Credentials that the server does not accept: which context's, and how to log in again."""
    path = kubeconfig(tmp_path / "config", server := api(401, "Unauthorized"))
    words = (server, "context 'lab'", str(path), "expired", "kubectl --context lab get pods", "aws eks", "gcloud", "az")
    attach: dict[str, Any] = {"make": HelmCluster.from_name, "name": "x"}
    message = refused(errors.UnauthorizedError, *words, **attach, auth=KubeConfig(path))
    assert "s3cr3t" not in message
    refused(errors.UnauthorizedError, "KubeAuth", "kubectl create token", **attach, auth=KubeAuth(server, token="t"))


def test_not_logged_in_by_a_plugin(api: Any, tmp_path: Path) -> None:
    """Credentials of a plugin are told to come from that."""
    plugin = tmp_path / "corp-login"
    given = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {"token": "old"}}
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(given)}'\n")
    plugin.chmod(0o755)
    execution = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    path = kubeconfig(tmp_path / "config", api(401, "Unauthorized"), exec=execution)
    words = ("context 'lab'", "Log in again with what its plugin corp-login belongs to")
    refused(errors.UnauthorizedError, *words, make=HelmCluster.from_name, name="x", auth=KubeConfig(path))


def test_no_right(api: Any, tmp_path: Path) -> None:
    """What is forbidden is told with user, verb, resource and namespace, and with a command that makes the Role."""
    said = 'deployments.apps is forbidden: User "ada" cannot list resource "deployments" in API group "apps"'
    path = kubeconfig(tmp_path / "config", api(403, said))
    words = (
        "User ada may not list deployments in namespace lab",
        "docs/permissions.md",
        "kubectl create role dask --verb=list --resource=deployments.apps --namespace=lab",
    )
    refused(errors.ForbiddenError, *words, make=HelmCluster.from_name, name="x", auth=KubeConfig(path))


def test_nobody_answers(tmp_path: Path) -> None:
    """A server that refuses connections, or has no address: where, by which context, and the system's word for it."""
    attach: dict[str, Any] = {"make": HelmCluster.from_name, "name": "x"}
    path = kubeconfig(tmp_path / "config", "http://127.0.0.1:1")
    words = ("http://127.0.0.1:1", "context 'lab'", "Connection refused", "Check that the cluster is up")
    message = refused(errors.ApiUnreachableError, *words, **attach, auth=KubeConfig(path))
    assert "ssl:default" not in message
    path = kubeconfig(tmp_path / "config", "http://nobody.invalid:1")
    refused(errors.ApiUnreachableError, "http://nobody.invalid:1", "context 'lab'", **attach, auth=KubeConfig(path))


# Arguments --------------------------------------------------------------------------------------------------


def test_values_of_other_types() -> None:
    """NumPy's numbers and paths are taken for what they mean; all else is refused by key and type."""
    accepted(values={"worker": {"replicas": np.int64(2), "threads_per_worker": np.int32(1)}})
    accepted(values={"worker": {"resources": {"limits": {"cpu": np.float64(0.5)}}}, "fullnameOverride": Path("x")})
    for value, kind in (({"a"}, "set"), (b"a", "bytes"), (np.arange(2), "ndarray"), (object(), "object")):
        words = ("worker.env[0].value is of type", kind, "JSON's types: text, numbers")
        refused(TypeError, *words, values={"worker": {"env": [{"name": "A", "value": value}]}})
    refused(TypeError, "worker.threads_per_worker is nan", values={"worker": {"threads_per_worker": math.nan}})


NUMBERS = [
    (-1, ValueError, ["is -1, it can't be negative"]),
    (np.int64(-2), ValueError, ["is -2, it can't be negative"]),
    ("3", TypeError, ["is '3' (str), not an integer"]),
    (2.5, TypeError, ["is 2.5 (float), not an integer"]),
    (2.0, TypeError, ["is 2.0 (float), not an integer"]),
    (True, TypeError, ["is True (bool), not an integer"]),
    ([3], TypeError, ["is [3] (list), not an integer"]),
]


@pytest.mark.parametrize(("number", "kind", "words"), NUMBERS)
def test_a_number_of_workers(number: Any, kind: type[Exception], words: list[str]) -> None:
    """What is no number of workers is told as it was given, with what would be one."""
    refused(kind, "n_workers", *words, "Give 0, 1, 2, ...", n_workers=number)
    refused(kind, "n_workers", *words, make=lambda **given: KubeCluster(TEMPLATE, **given), n_workers=number)


def test_numpys_integers_are_numbers_of_workers() -> None:
    """An integer of another kind is one."""
    accepted(n_workers=np.int64(3))
    accepted(n_workers=0)


@pytest.mark.parametrize("number", ["-1", "2.5", "three", "3x"])
def test_a_number_of_workers_in_a_terminal(number: str) -> None:
    """A command tells what was given, and what would be a number of workers."""
    for words in (("create", "x", f"--n-workers={number}"), ("adapt", "x", f"--maximum={number}")):
        assert f"'{number}' is no number of workers; give 0, 1, 2, ..." in told(*words)
    assert f"'{number}' is no number of workers" in told("scale", "x", "--", number)


@pytest.mark.parametrize("timeout", [5, "5", 0.5, "5 minutes", "90s", "1e3", timedelta(seconds=5), np.int64(5)])
def test_durations(timeout: Any) -> None:
    """Numbers are seconds, and text is what Dask reads."""
    accepted(timeout=timeout)


@pytest.mark.parametrize(
    ("timeout", "words"),
    [
        *[(value, "it must be more than 0 seconds") for value in (-1, "-1", -0.5, 0, "0", timedelta(seconds=-1))],
        *[(value, "which is no duration") for value in ("5 min", "soon", "", " ", math.nan, "nan", math.inf, "inf")],
        *[(value, "which is no duration") for value in (True, [5], {}, b"5", "5 parsecs")],
    ],
)
def test_no_duration(timeout: Any, words: str) -> None:
    """What is no duration, or none that can be waited for, is told as it was given, with some that are."""
    how = ("timeout is", repr(timeout), words, 'seconds, or text such as "90s", "5 minutes"')
    refused(ValueError, *how, timeout=timeout)
    if isinstance(timeout, str) and timeout.strip():
        assert f"--timeout is '{timeout}', {words}" in told("create", "x", f"--timeout={timeout}")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_worker": 3}, ["'n_worker'", "did you mean 'n_workers'?", "Arguments are: name, namespace"]),
        ({"pod_template": {}}, ["'pod_template'", "KubeCluster", "values="]),
        ({"deploy_mode": "local"}, ["'deploy_mode'", "KubeCluster"]),
        ({"release_name": "x"}, ["'release_name'", "HelmCluster.from_name(name)"]),
        ({"create_namespace": True}, ["'create_namespace'", "kubectl create namespace"]),
        ({"port_forward_cluster_ip": True}, ["'port_forward_cluster_ip'", "scheduler.serviceType"]),
        ({"xyzzy": 1}, ["'xyzzy'", "Arguments are: name, namespace"]),
    ],
)
def test_an_unknown_argument(given: dict[str, Any], words: list[str]) -> None:
    """An argument that HelmCluster has not is told, with what takes its place."""
    assert "_attach" not in refused(TypeError, "HelmCluster has no argument", *words, **given)


def test_the_signature_is_still_there() -> None:
    """Who looks at the signature, as notebooks do, sees each argument."""
    assert {"name", "values", "timeout"} <= set(inspect.signature(HelmCluster).parameters)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_workers": 3}, ["takes no n_workers", "cluster.scale(n)"]),
        ({"values": {}}, ["takes no values", "cluster.upgrade(values)"]),
        ({"environment": "production"}, ["takes no environment", "cluster.upgrade(values)"]),
        ({"image": "a:1"}, ["takes no image", "cluster.upgrade"]),
    ],
)
def test_attaching_changes_nothing(given: dict[str, Any], words: list[str]) -> None:
    """What a release that is there has already is not taken in silence, and it is told what changes it."""
    refused(errors.InvalidArgumentError, *words, make=HelmCluster.from_name, name="x", **given)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        ({"name": 3}, TypeError, ["name is 3 (int), not text"]),
        ({"chart": 3}, TypeError, ["chart is 3 (int)", "'oci://...'"]),
        ({"image": "Dask:latest"}, ValueError, ["'Dask:latest'", "such as ghcr.io/dask/dask", "in lower case"]),
        ({"image": ["a"]}, ValueError, ["['a']", "repository[:tag]"]),
        ({"auth": "~/.kube/config"}, ValueError, ["auth is of type str", "KubeConfig()"]),
        ({"auth": [KubeConfig]}, ValueError, ["the class KubeConfig", "KubeConfig()"]),
        ({"security": "x"}, TypeError, ["str", "Security.temporary()"]),
    ],
)
def test_an_argument_of_another_kind(given: dict[str, Any], kind: type[Exception], words: list[str]) -> None:
    """An argument of another type is told with what it was, and what it could be."""
    refused(kind, *words, **given)


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (
            {"deploy_mode": "locl"},
            RuntimeError,
            ["'locl'", "did you mean 'local'?", "'remote' (the scheduler in a pod)"],
        ),
        ({"auth": ["x"]}, ValueError, ["auth holds one that is of type str", "InCluster(), KubeConfig(), KubeAuth"]),
        ({"scheduler_pod_templat": {}}, TypeError, ["did you mean 'scheduler_pod_template'?", "Arguments are:"]),
        ({"create_mode": "connect_only"}, TypeError, ["no argument 'create_mode'", "Arguments are:"]),
    ],
)
def test_classics_arguments(given: dict[str, Any], kind: type[Exception], words: list[str]) -> None:
    """What KubeCluster can't mean is told with what it can."""
    refused(kind, *words, make=lambda **more: KubeCluster(TEMPLATE, **more), **given)


@pytest.mark.parametrize(
    ("template", "kind", "words"),
    [
        ({"kind": "Deployment", "spec": {"template": TEMPLATE}}, ValueError, ["kind is 'Deployment'", "spec.template"]),
        ({"spec": {"containers": []}}, ValueError, ["has no spec.containers", "at least one container"]),
        ({"spec": {"containers": {"image": "a"}}}, ValueError, ["spec.containers is a mapping, where Kubernetes has"]),
        ("no/such.yml", ValueError, ["no/such.yml can't be read: No such file", "Looked at /"]),
        ([TEMPLATE], TypeError, ["is list", "V1Pod, a mapping, or the path of a YAML file"]),
    ],
)
def test_a_pod_template(template: Any, kind: type[Exception], words: list[str]) -> None:
    """What is no pod template is told by what was found, where, and what it takes."""
    refused(kind, *words, make=lambda **given: KubeCluster(template, **given))


# Used at the wrong time -------------------------------------------------------------------------------------

#: What each verb takes at least.
CALLS: dict[str, tuple[Any, ...]] = {
    "scale": (1,),
    "scale_up": (1,),
    "scale_down": (["x"],),
    "wait_for_workers": (1,),
    "add_worker_group": ("gpu",),
    "delete_worker_group": ("gpu",),
    "collect": ("report.zip",),
}
#: `rest` is the handle's of adapt(), and ends in silence as closing does not end adapting; others make clusters or run
#: what they are given.
NO_VERBS = {"close", "sync", "rest", "from_name", "from_yaml", "from_dict"}


def made(front: type[Any]) -> Any:
    given: tuple[Any, ...] = (TEMPLATE,) if front is KubeCluster else ()
    return front(*given, name="lab-1", asynchronous=True, quiet=True, auth=NOWHERE)


async def use(cluster: Any, verb: str) -> None:
    result = getattr(cluster, verb)(*CALLS.get(verb, ()))
    if inspect.isasyncgen(result):
        await anext(result)
    elif inspect.isawaitable(result):
        await result


def verbs(front: type[Any]) -> list[str]:
    """All that can be called of a cluster."""
    return sorted(name for name, what in inspect.getmembers(front, callable) if name[0] != "_" and name not in NO_VERBS)


@pytest.mark.parametrize("front", [HelmCluster, KubeCluster])
async def test_every_verb_of_a_closed_cluster(front: type[Any]) -> None:
    """Whatever is called on a closed cluster says that it is closed, which it was, and what to do."""
    cluster = made(front)
    await cluster.close()
    assert {"scale", "adapt", "get_logs", "get_client", "events", "collect", "wait_for_workers"} <= set(verbs(front))
    for verb in verbs(front):
        with pytest.raises(errors.ClusterClosedError) as caught:
            await use(cluster, verb)
        for words in ("This cluster is closed (release lab-1)", "Make a new one", "HelmCluster.from_name"):
            assert words in str(caught.value), verb
    await cluster.close()
    assert "lab-1" in repr(cluster)


@pytest.mark.parametrize("front", [HelmCluster, KubeCluster])
async def test_every_verb_of_a_cluster_that_was_not_awaited(front: type[Any]) -> None:
    """A cluster for a running loop that nobody has awaited is not called closed: it is told to await it."""
    cluster = made(front)
    for verb in verbs(front):
        with pytest.raises(errors.NotStartedError) as caught:
            await use(cluster, verb)
        for words in ("asynchronous=True, and not started", "lab-1", "Await it first", "`async with`"):
            assert words in str(caught.value), verb
    with pytest.raises(TypeError, match="async with"):
        cluster.__enter__()
    await cluster.close()


@pytest.mark.parametrize("front", [HelmCluster, KubeCluster])
def test_asynchronous_without_a_loop(front: type[Any]) -> None:
    """Asked for in a plain script, asynchronous=True is told to take a running loop; nothing is started."""
    with pytest.raises(RuntimeError, match=r"asynchronous=True takes a running event loop.*`await") as caught:
        made(front)
    assert isinstance(caught.value, errors.NotStartedError)


def test_in_a_running_loop_without_asynchronous() -> None:
    """In a running loop, as a notebook's is, a cluster may be used without await, and its errors are the same."""

    async def cell() -> None:
        accepted()

    asyncio.run(asyncio.wait_for(cell(), 60))
