"""What the API server says to whoever would make a pod, as sentences."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_kubernetes_helm import diagnosis, errors

POD = 'pods "demo-worker-7d9f-" is forbidden: '
CASES = [
    (
        POD + "exceeded quota: lab, requested: limits.memory=1Gi,pods=1, used: limits.memory=4Gi,pods=4, "
        "limited: limits.memory=4Gi,pods=4",
        errors.QuotaExceededError, True,
        ["exceeded quota: lab (", "pods: 1 asked for, 4 of 4 used", "limits.memory: 1Gi asked for, 4Gi of 4Gi used"],
        ["kubectl describe quota lab", "worker.resources"],
    ),
    (
        POD + "failed quota: lab: must specify limits.cpu for: worker",
        errors.QuotaExceededError, True, ["quota lab", "limits.cpu for: worker"], ["worker.resources"],
    ),
    (
        POD + 'violates PodSecurity "restricted:latest": runAsNonRoot != true (pod must not set runAsNonRoot=false)',
        errors.AdmissionError, True, ["Pod Security standard restricted:latest", "runAsNonRoot"], ["securityContext"],
    ),
    (
        'admission webhook "validate.kyverno.svc-fail" denied the request: images must be signed',
        errors.AdmissionError, True, ["webhook validate.kyverno.svc-fail denies them: images must be signed"], [],
    ),
    ('admission webhook "w" denied the request without explanation', errors.AdmissionError, True, ["webhook w"], []),
    (
        'Internal error occurred: failed calling webhook "w": failed to call webhook: Post "https://x": EOF',
        errors.AdmissionError, False, ["webhook w", "does not answer", "EOF"], ["goes on trying"],
    ),
    (
        POD + "ValidatingAdmissionPolicy 'signed' with binding 'all' denied request: images must be signed",
        errors.AdmissionError, True, ["policy signed denies them: images must be signed"], [],
    ),
    (
        POD + "[maximum memory usage per Container is 1Gi, but limit is 2Gi]",
        errors.AdmissionError, True, ["LimitRange", "but limit is 2Gi"], ["kubectl describe limitrange"],
    ),
    (
        POD + 'error looking up service account lab/robot: serviceaccount "robot" not found',
        errors.MissingServiceAccountError, True, ["no service account robot"], ["worker.serviceAccountName"],
    ),
    (
        POD + 'error looking up service account lab/default: serviceaccount "default" not found',
        errors.MissingServiceAccountError, False, ["no service account default yet"], [],
    ),
    (POD + "no PriorityClass with name high was found", errors.PodCreationError, True, ["PriorityClass"], []),
    ("etcdserver: request timed out", errors.PodCreationError, False, ["etcdserver: request timed out"], []),
]  # fmt: skip


def owner(name: str = "demo-worker", *conditions: dict[str, str], **status: int) -> dict[str, Any]:
    labels = {"app.kubernetes.io/component": "worker"}
    status_: dict[str, Any] = {**status, "conditions": list(conditions)}
    return {"metadata": {"name": name, "labels": labels}, "spec": {"replicas": 2}, "status": status_}


def failure(message: str) -> dict[str, str]:
    return {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}


@pytest.mark.parametrize(("message", "error", "terminal", "words", "cures"), CASES)
def test_refusals(message: str, error: type[Exception], terminal: bool, words: list[str], cures: list[str]) -> None:
    """Each refusal has its error, what it is about, and whether the same request could be admitted."""
    finding = diagnosis.refused(owner("demo-worker", failure(message)))
    assert finding is not None
    assert (finding.error, finding.terminal) == (error, terminal)
    assert issubclass(finding.error, errors.PodCreationError)
    assert (finding.object, finding.reason) == ("deployment/demo-worker", "FailedCreate")
    assert finding.sentence.startswith("Kubernetes refuses pods of Deployment demo-worker: ")
    assert "7d9f" not in finding.sentence
    for word in words:
        assert word in finding.sentence
    for cure in cures:
        assert cure in finding.cure


@pytest.mark.parametrize(("have", "found"), [(1, True), (2, False)])
def test_an_event_tells_where_no_condition_does(have: int, found: bool) -> None:
    """A ReplicaSet's event counts as long as pods are lacking."""
    event = {
        "metadata": {},
        "involvedObject": {"kind": "ReplicaSet", "name": "demo-worker-7d9f"},
        "reason": "FailedCreate",
        "message": f"Error creating: {POD}no PriorityClass with name high was found",
        "lastTimestamp": "2026-11-26T21:00:00Z",
    }
    stranger = {**event, "involvedObject": {"kind": "ReplicaSet", "name": "demo-worker-big-7d9f"}, "message": "no"}
    finding = diagnosis.refused(owner(replicas=have), [event, stranger])
    assert (finding is not None) == found
    assert finding is None or "PriorityClass" in finding.sentence


def test_a_rollout_that_was_given_up() -> None:
    """A Deployment that gets no further is told, but goes on trying."""
    condition = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out"}
    finding = diagnosis.stalled(owner("demo-worker", condition))
    assert finding is not None
    assert (finding.terminal, "timed out" in finding.sentence) == (False, True)
    assert diagnosis.stalled(owner()) is None


@given(
    st.one_of(st.text(), st.sampled_from([case[0] for case in CASES]).flatmap(lambda text: st.just(text[:-3] + "}{")))
)
def test_any_text_is_told(message: str) -> None:
    """Whatever Kubernetes says, the sentence has it, or what it means, and nothing breaks."""
    finding = diagnosis.refused(owner("demo-worker", failure(message)))
    assert finding is not None
    assert issubclass(finding.error, errors.PodCreationError)
    assert str(finding.exception("demo", "lab"))
