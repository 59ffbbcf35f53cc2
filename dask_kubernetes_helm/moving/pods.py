"""A pod of a document as values of a role, with every leaf accounted for.

Belongs here: what no pod of a Deployment has of a pod by itself, and where a sentence of the translation belongs. Never
here: what its fields are for the chart (translation.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from dask_kubernetes_helm.errors import PodTemplateError
from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.tracing import Ledger, Path, Tracked, written
from dask_kubernetes_helm.podtemplates import podmodel, translation
from dask_kubernetes_helm.podtemplates.commands import Role
from dask_kubernetes_helm.podtemplates.translation import Translated

#: What makes a pod the one that it is, and what Kubernetes says of it.
_BY_KUBERNETES = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "resourceVersion",
    "generation",
    "managedFields",
    "selfLink",
)
_NAMES = {
    "name": "objects are called after the release: helm install NAME.",
    "generateName": "objects are called after the release: helm install NAME.",
    "namespace": "helm install --namespace says where a release belongs.",
}
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_WORD = re.compile(r"[\w$][\w./$-]*|--[\w-]+")


class Places:
    """Where the things stand that sentences of the translation speak of."""

    def __init__(self, ledger: Ledger, default: Path) -> None:
        self._ledger, self._default = ledger, default
        self._words: dict[str, tuple[Path, ...]] = {}

    def add(self, word: str, *paths: Path) -> None:
        """Take a word for what is at the paths; the first that takes it keeps it."""
        self._words.setdefault(word, paths)

    def add_words(self, words: Tracked | None) -> None:
        """Options among a command's words, each with its value."""
        told = words.children() if words and isinstance(words.value, list) else []
        for index, place in enumerate(told):
            flag, joined, _ = str(place.value).partition("=")
            if not flag.startswith("--"):
                continue
            after = told[index + 1 : index + 2] if not joined else []
            self.add(flag, place.path, *(one.path for one in after if not str(one.value).startswith("-")))
        if told and words:
            self.add("args", words.path)

    def add_named(self, items: Tracked | None) -> None:
        """Variables or ports by their names."""
        for item in items.children() if items else ():
            if isinstance(item.value, dict) and isinstance(item.value.get("name"), str):
                self.add(item.value["name"], item.path)

    def tell(self, notes: Iterable[str], told: Collection[str] = ()) -> None:
        """Put each sentence where it belongs: what it says is left out, is lost.

        What has been told of what is inherited is told again only where something here says it as well.
        """
        for note in notes:
            words = [word.rstrip(".") for word in _WORD.findall(note)]
            paths = next((self._words[word] for word in words if word in self._words), ())
            if " left out" in note and paths:
                for path in paths[1:]:
                    Tracked.at(self._ledger, path).silent()  # told with the first
                Tracked.at(self._ledger, paths[0]).lost(note)
            elif paths or note not in told:
                self._ledger.note(paths[0] if paths else self._default, note)


def carry(pod: Tracked, role: Role, sheet: Sheet, at: Path = (), *, spec: Tracked | None = None) -> Translated:
    """The values of a role from a pod, with all of the pod settled.

    Parameters
    ----------
    pod : Tracked
        With `metadata` and `spec`.
    role : {"worker", "scheduler"}
        What its pods are to be.
    sheet : Sheet
        Where to remember what came from where.
    at : tuple, optional
        The values' path; that of the role by default.
    spec : Tracked, optional
        The pod's spec, where it does not stand in `pod`.

    Raises
    ------
    PodTemplateError
        It is no pod, or one that Kubernetes would refuse.
    """
    settle_identity(pod)
    spec = spec or pod.get("spec")
    if spec is None or not isinstance(spec.value, dict):
        raise PodTemplateError("There is no spec of a pod", cure="Give spec.containers.")
    _strangers(spec)
    _restarts(spec)
    metadata = pod.get("metadata")
    sheet.pod(at or (role,), metadata, spec)
    template = prepared({"metadata": (metadata and metadata.peek()) or {}, "spec": spec.peek() or {}}, role)
    try:
        translated = translation.translate(template, role)
    except PodTemplateError as error:
        where = re.sub(r"\bspec\b", written(spec.path), error.message)
        raise PodTemplateError(where, cure=error.cure) from error
    places_of(pod, spec).tell(translated.notes)
    if name := spec.get("containers", 0, "name"):
        name.silent()  # the chart calls it by its role, for whatever refers to it as well
    for part in (metadata, spec):
        if part is not None:
            part.take()
    return translated


def prepared(pod: dict[str, Any], role: Role) -> dict[str, Any]:
    """A pod whose container starts what classic dask-kubernetes has it start where it says nothing."""
    containers = pod["spec"].get("containers")
    first = containers[0] if isinstance(containers, list) and containers else None
    if isinstance(first, dict) and not first.get("command") and not first.get("args"):
        first["args"] = [f"dask-{role}"]
    return pod


def settle_identity(document: Tracked, *, named: bool = True) -> None:
    """What a document says of itself rather than of pods; a name that nothing depends on is not worth a word."""
    for key in ("apiVersion", "kind", "status"):
        if part := document.get(key):
            part.silent()
    metadata = document.get("metadata")
    for part in metadata.children() if metadata else ():
        key = str(part.path[-1])
        if key in _NAMES:
            if named:
                part.note(f"The {key} {part.value} is no value: {_NAMES[key]}")
            part.silent()
        elif key in _BY_KUBERNETES:
            part.silent()
        elif key in ("ownerReferences", "finalizers"):
            part.lost(
                "Pods of a Deployment belong to it, which makes them.", "lifecycle.owner names a release's owner."
            )
        elif key not in ("labels", "annotations"):
            part.lost("Kubernetes has no such field of metadata.", "Leave it out.")
        elif isinstance(part.value, dict) and LAST_APPLIED in part.value and (known := part.get(LAST_APPLIED)):
            known.silent()


def _strangers(spec: Tracked) -> None:
    for path in podmodel.strangers(spec.value, "V1PodSpec"):
        if part := spec.get(*path):
            part.lost("Kubernetes knows no such attribute of a pod.", "Correct its spelling, or leave it out.")


def _restarts(spec: Tracked) -> None:
    policy = spec.get("restartPolicy")
    if policy is not None:
        if policy.value != "Always":
            policy.note(f"restartPolicy {policy.value} becomes Always: a Deployment knows no other.")
        policy.silent()


def places_of(pod: Tracked, spec: Tracked) -> Places:
    """Where a pod's fields stand."""
    container = spec.get("containers", 0)
    places = Places(pod.ledger, container.path if container else spec.path)
    for part in spec.children():
        places.add(f"spec.{part.path[-1]}", part.path)
    if labels := pod.get("metadata", "labels"):
        for label in labels.children():
            if "/" in str(label.path[-1]):  # others are words that a sentence may have anyway
                places.add(str(label.path[-1]), label.path)
    if container is not None:
        for key in ("command", "args"):
            places.add_words(container.get(key))
        for key in ("env", "ports"):
            places.add_named(container.get(key))
        for key in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe := container.get(key):
                places.add(key, probe.path)
    return places


def lifecycle(scheduler: Translated, ledger: Ledger, path: Path) -> dict[str, Any]:
    """What a scheduler that ends when it is idle was meant to do, as far as a release without an owner can."""
    if not scheduler.idle_timeout:
        return {}
    return idle(scheduler.idle_timeout, ledger, path)


def idle(timeout: str, ledger: Ledger, path: Path) -> dict[str, Any]:
    """The values for an idle timeout."""
    ledger.note(
        path,
        "After the idle timeout all workers go, and the release stays: only its owner can remove it.",
        "Set lifecycle.owner and lifecycle.idleAction: uninstall, or start the release from Python.",
    )
    return {"lifecycle": {"idleTimeout": timeout}}


def death(worker: Translated, ledger: Ledger, path: Path) -> None:
    """Workers that end without a scheduler would be restarted."""
    if worker.death_timeout:
        ledger.note(
            path,
            "--death-timeout is the release's here, as workers that end would be restarted.",
            "Releases from Python go by themselves; others by lifecycle.owner with lifecycle.noClientTimeout.",
        )


def together(scheduler: Mapping[str, Any], worker: Mapping[str, Any]) -> dict[str, Any]:
    """Both roles' values, with what they say alike of their images said once."""
    one, other = dict(scheduler), dict(worker)
    images = [dict(role.pop("image", None) or {}) for role in (one, other)]
    shared = {key: item for key, item in images[0].items() if key in images[1] and images[1][key] == item}
    for role, image in zip((one, other), images, strict=True):
        own = {key: item for key, item in image.items() if key not in shared}
        if own:
            role["image"] = own
    made = {"image": shared, "scheduler": one, "worker": other}
    return {key: item for key, item in made.items() if item}
