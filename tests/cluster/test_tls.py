"""Encrypted comms on a real cluster: who is let in, what an upgrade keeps, and certificates that change meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from distributed import Client
from distributed.comm import connect
from distributed.security import Security

from dask_kubernetes_helm import HelmCluster, KubeAuth, KubeCluster, errors
from tests.authorities import Authority, held

from .conftest import Namespace, fresh_namespace, may, run, small_pod, until

CHART = Path(__file__).parents[2] / "chart"
SECRET = "kept-dask-tls"
#: What a pod without certificates, and one with somebody else's, tries at each address.
STRANGER = """
import asyncio, json, os
from distributed.comm import connect
from distributed.security import Security

async def tries(address, security):
    try:
        comm = await connect(address, timeout=3, **security.get_connection_args("client"))
        await comm.write({"op": "identity", "reply": True})
        return repr(await comm.read())
    except (OSError, TypeError) as error:
        return "REFUSED " + type(error).__name__

async def main():
    pem = json.loads(os.environ["PEM"])
    theirs = Security(tls_ca_file=pem[0], tls_client_cert=pem[1], tls_client_key=pem[2])
    ways = (("tcp", Security()), ("tls", Security()), ("tls", theirs))
    addresses = json.loads(os.environ["ADDRESSES"])
    tried = [tries(address.replace("tls://", f"{scheme}://"), way) for address in addresses for scheme, way in ways]
    print(*await asyncio.gather(*tried), sep="\\n")

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def place() -> Iterator[Namespace]:
    """A namespace for all tests here."""
    with fresh_namespace() as made:
        yield made


@pytest.fixture(scope="module")
def cluster(place: Namespace, image: str) -> Iterator[HelmCluster]:
    """A release with the chart's defaults for certificates."""
    with HelmCluster("kept", namespace=place.name, environment="ci", image=image, n_workers=2, quiet=True) as made:
        made.wait_for_workers(2, timeout=90)
        yield made


def _stranger() -> tuple[str, str, str]:
    other = Authority("somebody else")
    return (other.text, *other.certificate())


def _let_in(address: str, security: Security, timeout: float = 5) -> bool:
    async def tried() -> bool:
        try:
            comm = await connect(address, timeout=timeout, **security.get_connection_args("client"))
        except (OSError, TypeError):
            return False
        await comm.write({"op": "identity", "reply": True})
        answer = await comm.read()
        await comm.close()
        return bool(answer["type"] == "Scheduler")

    return asyncio.run(tried())


def test_nobody_else_from_outside(cluster: HelmCluster) -> None:
    """Through the port-forward: without a certificate and with another authority's there is no connection."""
    address = cluster.scheduler_address
    assert address.startswith("tls://")
    plain = address.replace("tls://", "tcp://")
    pem = _stranger()
    for tried, security in ((plain, Security()), (address, Security()), (address, held(pem[0], pem[1:]))):
        assert not _let_in(tried, security)
    assert _let_in(address, cluster.security, timeout=30)
    with urllib.request.urlopen(
        f"http://{cluster.connection.host}:{cluster.connection.dashboard_port}/health"
    ) as answer:
        assert answer.read() == b"ok"


def test_nobody_else_from_a_pod(cluster: HelmCluster, place: Namespace, image: str) -> None:
    """From a pod of the same namespace neither the scheduler nor a worker or nanny lets a stranger in."""
    worker = next(iter(cluster.scheduler_info["workers"].values()))
    pods = place.get("pods", "app.kubernetes.io/component=scheduler")
    addresses = [f"tls://{pods[0]['status']['podIP']}:8786", worker["nanny"]]
    addresses.append(next(iter(cluster.scheduler_info["workers"])))
    told = {"PEM": json.dumps(_stranger()), "ADDRESSES": json.dumps(addresses)}
    container = {"name": "c", "image": image, "command": ["python", "-c", STRANGER]}
    container["resources"] = {"requests": {"cpu": "250m"}}
    container["env"] = [{"name": name, "value": value} for name, value in told.items()]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "stranger"}}
    pod["spec"] = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}
    place.kubectl("apply", "-f", "-", text=json.dumps(pod))
    phase = ("get", "pod", "stranger", "-o", "jsonpath={.status.phase}")
    until(lambda: place.kubectl(*phase) in ("Succeeded", "Failed"), timeout=180)
    said = [line for line in place.kubectl("logs", "stranger").splitlines() if line.startswith(("REFUSED", "{"))]
    assert len(said) == 9, said
    assert all(line.startswith("REFUSED") for line in said), said


def _token(place: Namespace, name: str, rules: list[dict[str, Any]]) -> KubeAuth:
    """A service account with a Role."""
    place.kubectl("create", "serviceaccount", name)
    kind = "rbac.authorization.k8s.io"
    role = {"apiVersion": f"{kind}/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules}
    place.kubectl("apply", "-f", "-", text=json.dumps(role))
    place.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={place.name}:{name}")
    config = json.loads(run("kubectl", "config", "view", "--raw", "--minify", "-o", "json"))["clusters"][0]["cluster"]
    token = place.kubectl("create", "token", name).strip()
    may(place, name, "list", "deployments.apps")
    return KubeAuth(config["server"], token=token, verify_ssl=False)


def test_the_right_to_the_secret(cluster: HelmCluster, place: Namespace) -> None:
    """Who attaches needs to get that one Secret, as documented; without it the error says so, and security= does."""
    text = (CHART.parent / "docs/tls.md").read_text()
    (role,) = (yaml.safe_load(part.partition("```")[0]) for part in text.split("```yaml\n")[1:] if "kind: Role" in part)
    *rules, secrets = role["rules"]
    assert secrets["resources"] == ["secrets"]
    assert secrets["verbs"] == ["get"]
    secrets["resourceNames"] = [SECRET]
    with HelmCluster.from_name("kept", place.name, auth=_token(place, "full", [*rules, secrets]), quiet=True) as mine:
        assert mine.get_client().submit(sum, [1, 2]).result() == 3
    less = _token(place, "less", rules)
    with pytest.raises(errors.ForbiddenError, match=f"may not get the Secret {SECRET}") as caught:
        HelmCluster.from_name("kept", place.name, auth=less, quiet=True)
    assert "secrets named" in str(caught.value)
    with HelmCluster.from_name("kept", place.name, auth=less, security=cluster.security, quiet=True) as mine:
        assert mine.get_client().submit(sum, [1, 2]).result() == 3


def _shown(address: str) -> str:
    """The certificate that a listener shows, in short."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    host, _, port = address.removeprefix("tls://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as bare, context.wrap_socket(bare) as encrypted:
        return hashlib.sha256(encrypted.getpeercert(binary_form=True) or b"").hexdigest()


def _lives(place: Namespace) -> dict[str, int]:
    """Pods by uid, and how often they were restarted."""
    pods = place.get("pods", "app.kubernetes.io/instance=kept")
    return {pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}


def test_renewed_while_it_computes(cluster: HelmCluster, place: Namespace) -> None:
    """Another generation: all processes show the new certificate, no pod is touched, and no task runs twice."""

    def slow(number: int) -> int:
        import time

        time.sleep(0.2)
        return number

    lives, before, mine = _lives(place), _shown(cluster.scheduler_address), cluster.security.tls_client_cert
    with Client(cluster) as client:
        futures = client.map(slow, range(300), pure=False)
        upgrade = ("helm", "upgrade", "kept", str(CHART), "--namespace", place.name, "--reuse-values", "--set")
        run(*upgrade, "worker.labels.again=yes")
        assert _shown(cluster.scheduler_address) == before
        run(*upgrade, "tls.generated.generation=2")
        # What a kubelet does within a minute it does at once where a pod changes.
        place.kubectl("annotate", "pods", "--selector=app.kubernetes.io/instance=kept", "example.com/look=now")
        until(lambda: _shown(cluster.scheduler_address) != before, timeout=120)
        others = [(address, worker["nanny"]) for address, worker in cluster.scheduler_info["workers"].items()]
        assert len(others) == 2
        until(lambda: all(_shown(address) != before for pair in others for address in pair), timeout=120)
        assert client.gather(futures) == list(range(300))
        with Client(cluster) as another:
            assert another.submit(sum, [1, 2]).result() == 3
        with HelmCluster.from_name("kept", place.name, quiet=True) as attached:
            assert attached.security.tls_client_cert != mine
            assert attached.get_client().submit(sum, [1, 2]).result() == 3
    assert _lives(place) == lives


@pytest.mark.parametrize("helm", ["helm", "helm3"])
def test_kept_across_upgrades(namespace: Namespace, helm: str) -> None:
    """Either Helm keeps what was made; a generation is a new certificate, and an authority one more that is trusted."""

    def upgrade(**generated: int) -> tuple[str, str, int]:
        flags = [f"--set=tls.generated.{key}={value}" for key, value in generated.items()]
        command = (helm, "upgrade", "--install", "demo", str(CHART), "--namespace", namespace.name)
        run(*command, "--set=scheduler.nodeSelector.nowhere=yes,worker.replicas=0", *flags)
        made = {item["metadata"]["name"]: item["data"] for item in namespace.get("secrets") if "tls" in item["type"]}
        leaf, authority = made["demo-dask-tls"], made["demo-dask-tls-ca"]
        trusted = run("base64", "-d", text=leaf["ca.crt"]).count("BEGIN CERTIFICATE")
        return leaf["tls.crt"], authority["tls.key"], trusted

    first = upgrade()
    assert upgrade() == first
    second = upgrade(generation=2)
    assert (second[0] != first[0], second[1] == first[1], second[2]) == (True, True, 1)
    third = upgrade(generation=2, authority=2)
    assert (third[0] != second[0], third[1] != second[1], third[2]) == (True, True, 2)
    assert upgrade(generation=2, authority=2) == third
    fourth = upgrade(generation=3, authority=2)
    assert (fourth[0] != third[0], fourth[1] == third[1], fourth[2]) == (True, True, 1)


def test_classic_without_encryption(namespace: Namespace, image: str) -> None:
    """security=False is for comms that are not encrypted, in both places of a scheduler."""
    for mode, more in (("remote", {}), ("local", {"dashboard_address": ":0"})):
        told: dict[str, Any] = {"namespace": namespace.name, "n_workers": 1, "quiet": True, "deploy_mode": mode, **more}
        with KubeCluster(small_pod(image), security=False, **told) as plain, Client(plain) as client:
            assert plain.scheduler_address.startswith("tcp://")
            assert client.submit(sum, [1, 2]).result(timeout=90) == 3
