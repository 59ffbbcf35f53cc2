"""Values of dask/helm-chart (the chart `dask`) as values of this chart.

Belongs here: applying the tables to a document. Never here: what a key is (helmchart_tables.py), or a pod's field
(translation.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dask_kubernetes_helm.chartvalues.values import merge
from dask_kubernetes_helm.errors import PodTemplateError
from dask_kubernetes_helm.moving import groups, pods
from dask_kubernetes_helm.moving import helmchart_tables as tables
from dask_kubernetes_helm.moving.helmchart_tables import Key
from dask_kubernetes_helm.moving.sheet import Sheet
from dask_kubernetes_helm.moving.tracing import Ledger, Path, Tracked, written
from dask_kubernetes_helm.podtemplates import podmodel, translation
from dask_kubernetes_helm.podtemplates.commands import Role
from dask_kubernetes_helm.podtemplates.translation import Translated

_SECTIONS: tuple[Path, ...] = (("scheduler",), ("worker",), ("webUI",))
#: What a role's keys say of its pod, by key.
Parts = dict[Key, Any]


def convert(ledger: Ledger, sheet: Sheet) -> None:
    """Put a document's values into a sheet.

    Raises
    ------
    PodTemplateError
        A key holds what Kubernetes would refuse.
    """
    root = ledger.root
    _blocks(root, sheet)
    _rows(root, tables.TOP, (), sheet)
    for role, rows in (("scheduler", tables.SCHEDULER), ("worker", tables.WORKER)):
        _rows(Tracked(ledger, (role,), root.value.get(role)), rows, (role,), sheet)
    inherited, idle = _pods(root, sheet)
    _groups(root, inherited, sheet)
    for part in list(root.unread()):
        _by_name(part, part.path, sheet)
    sheet.values = merge(_images(sheet.values), idle)
    if not any(sheet.get(*path, "image", "tag") for path in ((), ("scheduler",), ("worker",))):
        root.note("It names no image's tag, so this chart's own is used.", "Set image.tag to what your clients have.")
    if sheet.get("webUI", "servicePort") is None and root.get("webUI", "servicePort") is None:
        sheet.set(("webUI", "servicePort"), tables.DASHBOARD_PORT)


def _rows(section: Tracked, rows: Mapping[Key, tables.Row], at: Path, sheet: Sheet) -> None:
    for key, row in rows.items():
        if part := section.said(*key):
            row(part, (*at, *key), sheet)


# Pods ---------------------------------------------------------------------------------------------------


def _fields(role: Role) -> Mapping[Key, Path]:
    return tables.FIELDS if role == "scheduler" else tables.WORKER_FIELDS


def _words(role: Role) -> tuple[Key, ...]:
    return tables.WORDS if role == "scheduler" else tables.WORKER_WORDS


def _pods(root: Tracked, sheet: Sheet) -> tuple[Parts, dict[str, Any]]:
    """Both roles' pods; what groups inherit is given back, and what follows for the release's life."""
    section = Tracked(root.ledger, ("scheduler",), root.value.get("scheduler"))
    _, scheduler = _role(section, "scheduler", {}, ("scheduler",), sheet)
    section = Tracked(root.ledger, ("worker",), root.value.get("worker"))
    parts, worker = _role(section, "worker", {}, ("worker",), sheet)
    sheet.values = merge(sheet.values, {"scheduler": scheduler.values, "worker": worker.values})
    pods.death(worker, root.ledger, ("worker", "extraArgs"))
    return parts, pods.lifecycle(scheduler, root.ledger, ("scheduler", "extraArgs"))


def _role(section: Tracked, role: Role, inherited: Parts, at: Path, sheet: Sheet) -> tuple[Parts, Translated]:
    """What a role's keys say of its pod, and its values; a group's with what it inherits."""
    said = {key: part for key in (*_fields(role), *_words(role)) if (part := section.said(*key))}
    _strangers(said, role)
    own = {key: value for key, part in said.items() if (value := part.peek()) is not None}
    parts: Parts = merge(inherited, own)  # type: ignore[arg-type, assignment]
    try:
        translated = translation.translate(_template(parts, role), role)
    except PodTemplateError as error:
        where = error.message.replace("spec.containers[0]", written(section.path))
        raise PodTemplateError(where, cure=error.cure) from error
    told = translation.translate(_template(inherited, role), role).notes if inherited else ()
    _places(section, said).tell(translated.notes, told)
    for key, part in said.items():
        sheet.came((*at, *key), part)
        part.take()
    translated.values.pop("image", None)
    return parts, translated


def _template(parts: Mapping[Key, Any], role: Role) -> dict[str, Any]:
    """The pod that dask/helm-chart makes of the keys, as far as they say anything."""
    pod: dict[str, Any] = {"metadata": {}, "spec": {"containers": [{"image": "any"}]}}
    for key, (*folder, name) in _fields(role).items():
        if key in parts:
            holder: Any = pod
            for part in folder:
                holder = holder[part]
            holder[name] = parts[key]
    extra = parts.get(("extraArgs",)) or []
    if role == "scheduler":
        words = ["dask-scheduler"]
    else:
        words = [parts.get(("image", "dask_worker")) or "dask-worker", "$(DASK_SCHEDULER_ADDRESS)"]
        words += ["--worker-port", str(parts[("port",)])] if ("port",) in parts else []
    pod["spec"]["containers"][0]["args"] = [*words, *extra] if isinstance(extra, list) else extra
    return pod


def _strangers(said: Mapping[Key, Tracked], role: Role) -> None:
    pod = _template({key: part.value for key, part in said.items()}, role)
    fields = {path: key for key, path in _fields(role).items()}
    for path in podmodel.strangers(pod):
        start = next(path[:length] for length in range(len(path), 0, -1) if path[:length] in fields)
        if part := said[fields[start]].get(*path[len(start) :]):
            part.lost("Kubernetes knows no such attribute.", "Correct its spelling, or leave it out.")


def _places(section: Tracked, said: Mapping[Key, Tracked]) -> pods.Places:
    places = pods.Places(section.ledger, section.path)
    places.add_words(said.get(("extraArgs",)))
    places.add_named(said.get(("env",)))
    for key in ("livenessProbe", "readinessProbe"):
        if part := said.get((key,)):
            places.add(key, part.path)
    return places


# Groups, blocks, and the rest ---------------------------------------------------------------------------


def _groups(root: Tracked, inherited: Parts, sheet: Sheet) -> None:
    listed = root.said(tables.GROUPS)
    base = dict(sheet.get("worker") or {})
    taken: list[str] = []
    for group in listed.children() if listed and isinstance(listed.value, list) else ():
        if isinstance(group.value, dict):
            taken.append(groups.name(str(group.value.get("name") or "group"), taken))
            _group(group, inherited, base, ("worker", "groups", taken[-1]), sheet)


def _group(group: Tracked, inherited: Parts, base: Mapping[str, Any], at: Path, sheet: Sheet) -> None:
    if given := group.get("name"):
        if given.value != at[-1]:
            given.note(f"The group {given.value} is called {at[-1]}: a name has at most 20 letters, digits and dashes.")
        given.silent()
    _rows(group, tables.WORKER, at, sheet)
    if group.value.get("replicas") == 0:
        Tracked.at(group.ledger, (*group.path, "replicas")).note(
            "0 pods here; dask/helm-chart takes 0 for unset, and gives the group worker.replicas."
        )
    _, translated = _role(group, "worker", inherited, at, sheet)
    own = groups.difference(translated.values, base, sheet.target.default(("worker",)) or {})
    # What the worker says beside its pod, a group inherits there as here.
    sheet.set(at, {key: item for key, item in own.items() if key in translated.values or key not in _beside(base)})
    for part in list(group.unread()):
        _by_name(part, (*at, *part.path[2:]), sheet)


def _beside(worker: Mapping[str, Any]) -> set[str]:
    direct = {key[0] for key in tables.WORKER if len(key) == 1} | {"image", "strategy"}
    return direct & set(worker)


def _blocks(root: Tracked, sheet: Sheet) -> None:
    for path, (default, why, cure) in tables.BLOCKS.items():
        if path in tables.MOVED and not _switched_on(root.get(*path[:-1])):
            continue
        block = root.get(*path)
        if not (block.value.get("enabled", default) if block and isinstance(block.value, dict) else default):
            if block is not None:
                block.silent()
        elif not sheet.target.knows((*_moved(path), "enabled")):
            if block is None:
                root.ledger.implied((*path, "enabled"), f"dask/helm-chart has it by default. {why}", cure)
            else:
                block.hush()
                block.lost(why, cure)
        else:
            _block(path, block, sheet)


def _switched_on(around: Tracked | None) -> bool:
    """Whether what a part is in there, and not here, is on; settles what says so."""
    on = around is not None and isinstance(around.value, dict) and around.value.get("enabled")
    if around is not None:
        (around.get("enabled") or around if on else around).silent()
    return bool(on)


def _moved(key: Path) -> Path:
    for there, here in tables.MOVED.items():
        if key[: len(there)] == there:
            return (*here, *key[len(there) :])
    return key


def _block(path: Path, block: Tracked | None, sheet: Sheet) -> None:
    """A part that the chart has as well: what it has by the same names, or by others that are known, is carried."""
    sheet.set((*_moved(path), "enabled"), True)  # noqa: FBT003 - a value
    for key, value in tables.IMPLIED.items():
        if key[: len(path)] == path and (block is None or block.get(*key[len(path) :]) is None):
            sheet.set(_moved(key), value)
    if block is None:
        return
    block.hush()
    inner = block.get("ingress")
    if inner is not None and isinstance(inner.value, dict) and not inner.value.get("enabled"):
        inner.silent()
    for key, (ours, row) in tables.RENAMED.items():
        part = block.get(*key[len(path) :]) if key[: len(path)] == path else None
        if part is not None and part.open() and sheet.target.knows(ours):
            row(part, ours, sheet)
    for part in block.children():
        _in_block(part, part.path, sheet)


def _in_block(part: Tracked, key: Path, sheet: Sheet) -> None:
    if not part.open():
        return
    ours = _moved(key)
    if isinstance(part.value, dict) and sheet.target.default(ours):
        for child in part.children():
            _in_block(child, child.path, sheet)
    elif sheet.target.knows(ours):
        sheet.put(ours, part)
    else:
        part.lost(
            "The chart has no such key.", tables.INSTEAD.get(key, "Look for what it is called in chart/README.md.")
        )


def _by_name(part: Tracked, key: Path, sheet: Sheet) -> None:
    if part.value in (None, {}, []):
        part.silent()
    elif key in _SECTIONS and isinstance(part.value, dict):
        for child in part.children():
            _by_name(child, (*key, str(child.path[-1])), sheet)
    elif isinstance(sheet.target.default(key), Mapping) and not isinstance(part.value, dict):
        part.lost("It is no mapping, which both charts have there.", "Correct it.")
    elif sheet.target.knows(key):
        part.note("dask/helm-chart has no such key, but this chart has: here it counts.")
        sheet.put(key, part)
    else:
        part.lost("Neither dask/helm-chart nor this chart has such a key.", "Leave it out.")


def _images(values: Mapping[str, Any]) -> dict[str, Any]:
    """What both roles say alike of their images is said once, unless a group differs."""
    made = pods.together(values.get("scheduler") or {}, values.get("worker") or {})
    rest = {key: item for key, item in values.items() if key not in ("scheduler", "worker")}
    return merge(made, rest)
