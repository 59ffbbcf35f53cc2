"""Images that a node can't have: whose fault it is, and whether waiting helps.

Belongs here: what kubelets, runtimes and registries say of a pull. Never here: anything else of a container.

Source: https://kubernetes.io/docs/concepts/containers/images/.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from dask_kubernetes_helm.diagnosis import happenings
from dask_kubernetes_helm.diagnosis.finding import Finding, role
from dask_kubernetes_helm.errors import ImagePullError

Object = dict[str, Any]

_FAILING = "ErrImagePull"
#: Seconds that a registry which does not answer is given; a kubelet takes longer to say that it rests.
_PATIENCE = 4.0
_NEVER_PULLED = {"ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError"}
#: What registries and runtimes say, the first that is found counts; whether another try could go otherwise.
_DENIED = ("unauthorized", "authentication required", "access denied", "denied:", "no basic auth", "forbidden")
_UNKNOWN = ("not found", "manifest unknown", "name unknown", "does not exist")
_AWAY = (
    "i/o timeout", "no such host", "connection refused", "connection reset", "deadline exceeded", "no route",
    "unreachable", "lookup ", "x509", "TLS handshake", "toomanyrequests", "429 Too Many Requests",
)  # fmt: skip


def concerns(reason: str) -> bool:
    """Whether a container waits for its image, by Kubernetes' word for it."""
    return reason == _FAILING or reason in _NEVER_PULLED


def _told(pod: Object, message: str, events: Iterable[Object]) -> str:
    """The registry's message, which a kubelet that rests between two tries may have said in an event only."""
    if (message and not message.startswith("Back-off pulling image")) or "Err" in message:
        return message
    failed = [event for event in events if event.get("message", "").startswith("Failed to pull image")]
    event = happenings.newest(failed, "Pod", pod, "Failed")
    return str(event["message"]) if event else message


def _has_failed_again(pod: Object, container: str, events: Iterable[Object]) -> bool:
    """Whether it was tried more than once: by a pod's status alone, each try after a rest looks like the first."""
    field = f"{{{container}}}"
    failed = [
        event
        for event in events
        if event.get("message") == f"Error: {_FAILING}"
        and (event.get("involvedObject") or {}).get("fieldPath", "").endswith(field)
    ]
    event = happenings.newest(failed, "Pod", pod, "Failed") or {}
    return int(event.get("count") or (event.get("series") or {}).get("count") or 0) > 1


def unpulled(pod: Object, container: str, waiting: Object, events: Iterable[Object]) -> Finding:
    """What it means that an image is not there."""
    events, reason = list(events), waiting["reason"]
    message = _told(pod, waiting.get("message", ""), events)
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "?")
    where, image = role(pod["metadata"].get("labels", {})), _image(pod, container)
    refused = any(words in message.lower() for words in (*_DENIED, *_UNKNOWN)) and not _is_away(message)
    return Finding(
        ImagePullError,
        f"Node {node} can't pull image {image} for pod {name}: {reason}: {message}".rstrip(": "),
        _cure(message, reason, where),
        terminal=reason in _NEVER_PULLED or refused or _has_failed_again(pod, container, events),
        object=f"pod/{name}",
        reason=reason,
        cause=image,
        patience=_PATIENCE,
    )


def _is_away(message: str) -> bool:
    return any(words in message for words in _AWAY)


def _cure(message: str, reason: str, where: str) -> str:
    keys = f"image or {where}.image"
    text = message.lower()
    if reason == "ErrImageNeverPull":
        return f"The node does not hold it, and {keys}.pullPolicy is Never: load it there, or take IfNotPresent."
    if reason == "InvalidImageName":
        return f"Correct its name ({keys}): REPOSITORY:TAG or REPOSITORY@DIGEST, in lower case."
    if _is_away(message):
        return (
            f"The node does not reach the registry. Check its name and tag ({keys}), the registry's address, and the "
            "nodes' way there; image.pullSecrets is for a private registry."
        )
    if any(words in text for words in _DENIED):
        return (
            "The registry wants credentials, or there is no such repository: create a Secret by kubectl create secret "
            f"docker-registry and name it in image.pullSecrets, or correct the name ({keys})."
        )
    return f"Check its name and tag ({keys}), and image.pullSecrets for a private registry."


def _image(pod: Object, container: str) -> str:
    specs: Iterable[Object] = [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
    return next((str(item["image"]) for item in specs if item["name"] == container), "?")
