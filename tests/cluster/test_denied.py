"""Pods that a registry, a webhook or a policy stands in the way of, for real: which error, how soon, in which words."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from distributed import Client

from dask_kubernetes_helm import errors

from .conftest import Namespace, run, until
from .servers import BASIC, TOKEN, private_registry, webhook
from .test_diagnosis import TOLD, Situation, Starts, known
from .workload import SMALL, start_noted

WEBHOOK = "signed.images.example.com"


@contextlib.contextmanager
def applied(manifest: dict[str, Any]) -> Iterator[None]:
    """An object of the whole cluster, which goes whatever comes of the test."""
    run("kubectl", "apply", "-f", "-", text=json.dumps(manifest))
    try:
        yield
    finally:
        run("kubectl", "delete", manifest["kind"], manifest["metadata"]["name"], "--ignore-not-found")


def within(namespace: Namespace) -> dict[str, Any]:
    return {"matchLabels": {"kubernetes.io/metadata.name": namespace.name}}


RULE = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}


def calling(namespace: Namespace, client: dict[str, str]) -> dict[str, Any]:
    """What has the API server ask a webhook about each pod of a namespace."""
    asked = {
        "name": WEBHOOK, "clientConfig": client, "namespaceSelector": within(namespace), "rules": [RULE],
        "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail", "timeoutSeconds": 2,
    }  # fmt: skip
    return {
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace.name}, "webhooks": [asked],
    }  # fmt: skip


def in_force(namespace: Namespace, image: str) -> None:
    """Wait until the API server refuses pods: it looks for what it is to heed now and then."""
    tried = ["kubectl", "run", "tried", "--namespace", namespace.name, f"--image={image}", "--dry-run=server"]
    until(lambda: subprocess.run(tried, capture_output=True, check=False).returncode, 30)


def policy(namespace: Namespace) -> Iterator[dict[str, Any]]:
    """A policy that lets no pod of a namespace run, and what binds it."""
    front = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": f"{namespace.name}-owner"}}
    refusal = {"expression": "'owner' in object.metadata.labels", "message": "each pod names its owner"}
    spec = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [refusal]}
    yield {**front, "kind": "ValidatingAdmissionPolicy", "spec": spec}
    bound = {"policyName": front["metadata"]["name"], "validationActions": ["Deny"]}
    matched = {"matchResources": {"namespaceSelector": within(namespace)}}
    yield {**front, "kind": "ValidatingAdmissionPolicyBinding", "spec": {**bound, **matched}}


@pytest.mark.parametrize("challenge", [BASIC, TOKEN], ids=["basic", "token"])
async def test_a_private_registry(
    image: str, namespace: Namespace, monkeypatch: pytest.MonkeyPatch, challenge: str
) -> None:
    """An image that its registry gives nobody without credentials ends a start, which says what to give."""
    starts = Starts(image, monkeypatch)
    with private_registry(challenge) as address:
        private = f"{address}/team/dask:1"
        words = (private, "pod private-", "401 Unauthorized", "kubectl create secret docker-registry", "pullSecrets")
        await starts.fail("private", namespace, Situation(errors.ImagePullError, words, image=private))
    print("\n".join(starts.table))


async def test_a_webhook_that_refuses(
    image: str, namespace: Namespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who refuses the pods, and the reason that it gives, end a start."""
    starts = Starts(image, monkeypatch)
    words = (f"webhook {WEBHOOK} denies them: images must be signed", "ask who runs it")
    refusal = {"allowed": False, "status": {"code": 403, "message": "images must be signed"}}
    with webhook(tmp_path, lambda request: refusal) as client, applied(calling(namespace, client)):
        in_force(namespace, image)
        await starts.fail("signed", namespace, Situation(errors.AdmissionError, words))
    print("\n".join(starts.table))


async def test_a_policy_that_refuses(image: str, namespace: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy's name and message end a start."""
    starts = Starts(image, monkeypatch)
    words = (f"policy {namespace.name}-owner denies them: each pod names its owner", "ask who runs it")
    with contextlib.ExitStack() as stack:
        for manifest in policy(namespace):
            stack.enter_context(applied(manifest))
        in_force(namespace, image)
        await starts.fail("owned", namespace, Situation(errors.AdmissionError, words))
    print("\n".join(starts.table))


async def test_a_webhook_that_is_away(
    image: str, namespace: Namespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A webhook that does not answer may come back: it is told while it is awaited, and is the cause in the end."""
    starts = Starts(image, monkeypatch)
    words = (f"webhook {WEBHOOK}, which has to admit them, does not answer", "connection refused", "has to mend it")
    situation = Situation(errors.AdmissionError, words)
    # Bound, so that nobody else listens there.
    with socket.socket() as silent, caplog.at_level(logging.WARNING):
        silent.bind(("127.0.0.1", 0))
        client = {"url": f"https://127.0.0.1:{silent.getsockname()[1]}/validate"}
        with applied(calling(namespace, client)):
            in_force(namespace, image)
            error = await starts.fail("away", namespace, situation, timeout=15)
    assert isinstance(error.__cause__, errors.AdmissionError)
    (told,) = [record for record in caplog.records if "release away:" in record.getMessage()]
    since = told.created - known(namespace, "away").timestamp()
    print(f"webhook away: told after {since:.1f} s: {told.getMessage()}")
    assert all(said in told.getMessage() for said in words)
    assert since < TOLD


def why(namespace: Namespace) -> str:
    """What the scheduler's container waits for."""
    (pod,) = namespace.get("pods", "app.kubernetes.io/component=scheduler") or [{}]
    statuses = pod.get("status", {}).get("containerStatuses") or [{}]
    return str(statuses[0].get("state", {}).get("waiting", {}).get("reason"))


def test_a_status_between_two_tries(namespace: Namespace) -> None:
    """An image that can't be had fails for good once the kubelet has rested, also while it tries again."""
    given = ("--set", "image.repository=localhost/no-such-image,image.tag=none,worker.replicas=0")
    run("helm", "install", "bad", "chart", "--namespace", namespace.name, "--values", "values/ci.yaml", *given)

    def status() -> tuple[str, str]:
        command = (sys.executable, "-m", "dask_kubernetes_helm", "status", "bad", "-n", namespace.name, "-o", "json")
        printed = subprocess.run(command, capture_output=True, text=True, check=False)
        assert printed.returncode == 4, printed.stderr
        told = json.loads(printed.stdout)
        return told["status"], told["troubles"][0]["sentence"]

    for reason in ("ImagePullBackOff", "ErrImagePull"):
        until(lambda reason=reason: why(namespace) == reason)
        word, sentence = status()
        assert word == "failing"
        assert "connection refused" in sentence
        print(f"{reason}: {word}: {sentence}")


def few(namespace: Namespace) -> dict[str, Any]:
    """Room for a scheduler alone."""
    namespace.kubectl("create", "quota", "few", "--hard=pods=1")
    return {}


def nowhere(namespace: Namespace) -> dict[str, Any]:
    """Workers without an image."""
    return {"worker": {"image": {"repository": "localhost/no-such-image", "tag": "none"}}}


@pytest.mark.alone  # it holds a time
@pytest.mark.parametrize(
    ("arrange", "words"),
    [
        pytest.param(few, "exceeded quota: few", id="quota"),
        pytest.param(nowhere, "localhost/no-such-image:none", id="image"),
    ],
)
def test_adapting_in_vain(
    make_cluster, namespace: Namespace, caplog: pytest.LogCaptureFixture, arrange: Any, words: str
) -> None:
    """Workers that the agent asks for and that can't come up are told within seconds, and not again as it asks on."""
    cluster = make_cluster(n_workers=0, values=[SMALL, arrange(namespace)])
    cluster.adapt(minimum=0, maximum=4)

    def told() -> list[logging.LogRecord]:
        return [record for record in caplog.records if words in record.getMessage()]

    with Client(cluster) as client, caplog.at_level(logging.WARNING):
        # What adapt() itself has looked after is over by now: no worker was wanted.
        until(cluster._aftercare._task.done)
        first = client.submit(start_noted, 0, pure=False)
        until(told, timeout=30)
        since = told()[0].created - known(namespace, cluster.name).timestamp()
        print(f"{arrange.__name__}: told after {since:.1f} s: {told()[0].getMessage()}")
        looked = cluster._aftercare._task
        more = client.map(start_noted, range(40), seconds=60, pure=False)
        until(lambda: namespace.replicas() == 4)
        until(lambda: cluster._aftercare._task is not looked and cluster._aftercare._task.done(), timeout=60)
        assert len(told()) == 1
        client.cancel([first, *more])
    assert since < TOLD
