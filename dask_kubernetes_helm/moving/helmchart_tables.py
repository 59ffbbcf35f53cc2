"""What each key of dask/helm-chart is for this chart.

Belongs here: tables. Never here: how they are applied (helmchart.py). A key that is in none is carried where this chart
has one of the same name, and reported where it has not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.tracing import Path, Tracked

#: Where a key goes: what stands there, the key of the same name here, and what is being made.
Row = Callable[[Tracked, Path, Sheet], None]
#: A key, without the section that it is in.
Key = tuple[str, ...]

_CONTAINER: Path = ("spec", "containers", 0)
#: Keys that are fields of a pod, which the translation of pods carries.
FIELDS: Mapping[Key, Path] = {
    ("env",): (*_CONTAINER, "env"),
    ("resources",): (*_CONTAINER, "resources"),
    ("livenessProbe",): (*_CONTAINER, "livenessProbe"),
    ("readinessProbe",): (*_CONTAINER, "readinessProbe"),
    ("tolerations",): ("spec", "tolerations"),
    ("affinity",): ("spec", "affinity"),
    ("nodeSelector",): ("spec", "nodeSelector"),
    ("securityContext",): ("spec", "securityContext"),
    ("serviceAccountName",): ("spec", "serviceAccountName"),
}
WORKER_FIELDS: Mapping[Key, Path] = {
    **FIELDS,
    ("annotations",): ("metadata", "annotations"),
    ("mounts", "volumes"): ("spec", "volumes"),
    ("mounts", "volumeMounts"): (*_CONTAINER, "volumeMounts"),
}
#: Keys that are words of the container's command.
WORDS: tuple[Key, ...] = (("extraArgs",),)
WORKER_WORDS: tuple[Key, ...] = (("image", "dask_worker"), ("port",), ("extraArgs",))


def same(part: Tracked, key: Path, sheet: Sheet) -> None:
    """It has the same name here, and the same meaning."""
    sheet.put(key, part)


def dead(default: object, why: str, cure: str = "Leave it out.") -> Row:
    """It has no effect in dask/helm-chart; worth a word only where somebody has changed it."""

    def row(part: Tracked, _: Path, __: Sheet) -> None:
        if part.value == default:
            part.silent()
        else:
            part.lost(why, cure)

    return row


def _one_scheduler(part: Tracked, _: Path, __: Sheet) -> None:
    if part.value == 1:
        part.silent()
    else:
        part.lost(
            "There is one scheduler: its state is in its memory.",
            "scheduler.enabled: false leaves it out; kubectl scale sets it to 0 for a while.",
        )


def _balanced(part: Tracked, key: Path, sheet: Sheet) -> None:
    if sheet.get("scheduler", "serviceType") == "LoadBalancer":
        sheet.put(key, part)
    else:
        part.lost(
            "Without a load balancer it has no effect, there as here.", "Set scheduler.serviceType: LoadBalancer, too."
        )


_NAME = "Names follow the release; it had no effect on them in dask/helm-chart either."
_IMAGE: dict[Key, Row] = {("image", key): same for key in ("repository", "tag", "pullPolicy", "pullSecrets")}
_NO_DEFAULTS = "It has no effect in dask/helm-chart: it counts only beside resources.limits, which take its place."
SCHEDULER: Mapping[Key, Row] = {
    ("name",): dead("scheduler", _NAME, "nameOverride and fullnameOverride change names."),
    ("enabled",): same,
    **_IMAGE,
    ("replicas",): _one_scheduler,
    ("serviceType",): same,
    ("loadBalancerIP",): _balanced,
    ("servicePort",): same,
    ("serviceAnnotations",): same,
}
WORKER: Mapping[Key, Row] = {
    ("name",): dead("worker", _NAME, "nameOverride and fullnameOverride change names."),
    **_IMAGE,
    ("replicas",): same,
    ("strategy", "type"): same,
    ("custom_scheduler_url",): same,
    ("default_resources", "cpu"): dead(1, _NO_DEFAULTS, "Set worker.resources.limits.cpu."),
    ("default_resources", "memory"): dead("4GiB", _NO_DEFAULTS, "Set worker.resources.limits.memory."),
    ("threads_per_worker",): same,
    ("portDashboard",): same,
}
TOP: Mapping[Key, Row] = {
    ("nameOverride",): same,
    ("fullnameOverride",): same,
    ("webUI", "name"): dead("webui", _NAME),
    ("webUI", "servicePort"): same,
}
#: Parts that can be on or off: whether they are on by default there, and what to do where this chart lacks them.
BLOCKS: Mapping[Path, tuple[bool, str, str]] = {
    ("webUI", "ingress"): (
        False,
        "The chart makes no such Ingress.",
        "Make one of your own, which leads to the Service's port http-dashboard.",
    ),
    ("scheduler", "metrics", "serviceMonitor"): (
        False,
        "The chart makes no ServiceMonitor.",
        "Make one of your own, for the Service's port http-dashboard.",
    ),
    ("worker", "metrics", "podMonitor"): (
        False,
        "The chart makes no PodMonitor.",
        "Make one of your own, for the pods' port http-dashboard.",
    ),
    ("jupyter",): (
        True,
        "The chart starts no Jupyter.",
        "Bring your own notebook, and attach from it: HelmCluster.from_name(NAME).",
    ),
}
#: Parts that are elsewhere in this chart.
MOVED: Mapping[Path, Path] = {
    ("scheduler", "metrics", "serviceMonitor"): ("metrics", "serviceMonitor"),
    ("worker", "metrics", "podMonitor"): ("metrics", "podMonitor"),
}


def _host(part: Tracked, key: Path, sheet: Sheet) -> None:
    sheet.came(key, part)
    sheet.set(key, [part.take()])


def _own_account(part: Tracked, key: Path, sheet: Sheet) -> None:
    if part.value == "dask-jupyter":
        part.silent()  # the one that the other chart makes; this one makes its own
    else:
        part.note("An account of this name has to exist: dask/helm-chart makes it, this chart does not.")
        sheet.put(key, part)


def _besides(part: Tracked, key: Path, sheet: Sheet) -> None:
    """Variables beside those that this chart has by default, which a list would replace."""
    sheet.came(key, part)
    given = part.take()
    names = [item.get("name") for item in given if isinstance(item, dict)] if isinstance(given, list) else []
    kept = [item for item in sheet.target.default(key) or [] if item.get("name") not in names]
    sheet.set(key, [*kept, *given] if isinstance(given, list) else given)


def _whole(part: Tracked, key: Path, sheet: Sheet) -> None:
    """A security context in place of all that this chart has by default, as half of each starts no pod."""
    overlay = (*key[:-1], "podTemplate", "spec", key[-1])
    sheet.set(key, None)
    sheet.set((*key[:-1], "containerSecurityContext"), None)
    sheet.put(overlay, part)


def _instead(part: Tracked, key: Path, sheet: Sheet) -> None:
    """A probe in place of the default, which may ask in another way."""
    sheet.set(key, None)
    sheet.put((*key[:-1], "container", key[-1]), part)


_INGRESS: dict[Key, tuple[Key, Row]] = {
    ("ingressClassName",): (("className",), same),
    ("hostname",): (("hosts",), _host),
    ("tls",): (("tls", "enabled"), same),
    ("secretName",): (("tls", "secretName"), same),
}
_TOKEN = dead("jupyter", "It had no effect in dask/helm-chart either.")


def _pod_labels(part: Tracked, key: Path, sheet: Sheet) -> None:
    part.note("dask/helm-chart does not read this key; here it counts.")
    sheet.put(key, part)


#: Keys of those parts that this chart calls otherwise, where it has them: their name here, and how they get there.
RENAMED: Mapping[Path, tuple[Path, Row]] = {
    **{("webUI", "ingress", *key): (("webUI", "ingress", *ours), row) for key, (ours, row) in _INGRESS.items()},
    **{("jupyter", "ingress", *key): (("jupyter", "ingress", *ours), row) for key, (ours, row) in _INGRESS.items()},
    **{(*path, "additionalLabels"): ((*ours, "labels"), same) for path, ours in MOVED.items()},
    ("worker", "metrics", "podMonitor", "targetLabels"): (("metrics", "podMonitor", "podTargetLabels"), same),
    ("worker", "metrics", "podMonitor", "podTargetLabels"): (("metrics", "podMonitor", "podTargetLabels"), _pod_labels),
    ("jupyter", "rbac"): (("jupyter", "rbac", "create"), same),
    ("jupyter", "name"): (("jupyter",), _TOKEN),
    ("jupyter", "env"): (("jupyter", "env"), _besides),
    ("jupyter", "securityContext"): (("jupyter", "securityContext"), _whole),
    ("jupyter", "livenessProbe"): (("jupyter", "livenessProbe"), _instead),
    ("jupyter", "readinessProbe"): (("jupyter", "readinessProbe"), _instead),
    ("jupyter", "serviceAccountName"): (("jupyter", "serviceAccountName"), _own_account),
}
#: What to do about keys of those parts that this chart lacks though it has the part.
INSTEAD: Mapping[Path, str] = {
    ("jupyter", "password"): "The chart makes a token, once; jupyter.token has what else there is.",
    ("jupyter", "passwordHint"): "The notes of helm install say where the token is.",
    **{
        (
            *path,
            "namespaceSelector",
        ): "The chart's monitors read the release's own namespace, and nothing else."
        for path in MOVED
    },
}
#: What is so by default there, and otherwise here, in those parts.
IMPLIED: Mapping[Path, int | str] = {
    ("jupyter", "servicePort"): 80,
    **{(*path, "interval"): "30s" for path in MOVED},
}
GROUPS = "additional_worker_groups"
#: What its values say by default, and ours say otherwise.
DASHBOARD_PORT = 80
SECTIONS = ("scheduler", "worker", "webUI", "jupyter", GROUPS)
