"""All that a bug report needs of a release, in one archive, as far as it can be had.

Belongs here: what is asked for, and the account of what could not be had. Never here: what is a secret (redaction.py),
the archive's form (archive.py), or Dask, whose part its callers bring along (describing.py).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import ForbiddenError, HelmClusterError, KubernetesError, UnauthorizedError
from dask_kubernetes_helm.helmcli import helmrecord
from dask_kubernetes_helm.kubeapi.kube import Object
from dask_kubernetes_helm.reports import archive, events, inventory, podlogs, readme
from dask_kubernetes_helm.reports.excerpt import Excerpt
from dask_kubernetes_helm.reports.redaction import Redactor
from dask_kubernetes_helm.reports.sights import Sights

#: What a part gives: texts, or plain data that becomes JSON, by the name of the file.
Files = dict[str, Any]
Part = Callable[[], Awaitable[Any]]

#: Seconds that one part may take.
_PATIENCE = 60.0
#: Seconds for one log, and for all: those of a lost node keep the API server waiting for half a minute each.
_ONE_LOG, _ALL_LOGS = 10.0, 50.0
#: Lines of all logs together, and fewest and most of one.
_LINES, _FEWEST, _MOST = 400_000, 1_000, 20_000
_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


async def collect(release: Sights, path: str | os.PathLike[str], more: Mapping[str, Part] | None = None) -> Path:
    """Write the archive; see `HelmCluster.collect`.

    Parameters
    ----------
    release : Release
        Whose.
    path : str or path
        Where.
    more : mapping, optional
        Coroutine functions by the name of the file that they give: text for a ``.txt``, else plain data.

    Returns
    -------
    Path
        Where it is.

    Raises
    ------
    InvalidArgumentError, OSError
    """
    when = datetime.now(timezone.utc)
    where = archive.place(path, release.name, when)
    return await _Collection(release, when).write(where, more or {})


class _Collection:
    """The parts of one archive."""

    def __init__(self, release: Sights, when: datetime) -> None:
        self._release, self._kube, self._when = release, release.kube, when
        self._redactor = Redactor(harmless=(release.name, release.namespace))
        self._files: Files = {}
        self._missing: dict[str, str] = {}

    async def write(self, where: Path, more: Mapping[str, Part]) -> Path:
        await self._learn_credentials()
        parts: dict[str, Part] = {
            "manifests": self._manifests,
            "the namespace's quotas and limits": self._limits,
            "what Helm was given": self._helm,
            "Secrets": self._secrets,
            "events": self._events,
            "logs": self._logs,
            "kubernetes.json": self._kubernetes,
            "permissions.json": self._permissions,
            "diagnosis.txt": self._diagnosis,
            "lost-workers.json": self._losses,
        }
        for name, part in more.items():
            parts[name] = _named(name, part)
        await asyncio.gather(*(self._add(name, part) for name, part in parts.items()))
        await asyncio.to_thread(self._pack, where)
        return where

    def _pack(self, where: Path) -> None:
        """Take the secrets out, and write what is left."""
        # Logs come last: only so many secrets are looked for by their form, and logs may have any number.
        for _, data in sorted(self._files.items(), key=lambda item: item[0].startswith("logs/")):
            self._redactor.learn_from(data)
        texts = {name: self._rendered(data) for name, data in self._files.items()}
        missing = {name: self._redactor.text(reason) for name, reason in self._missing.items()}
        texts["README.txt"] = readme.text(self._release.name, self._release.namespace, self._when, list(texts), missing)
        archive.write(where, texts, self._when)

    def _rendered(self, data: Any) -> str:
        if isinstance(data, str):
            return self._redactor.text(data)
        return json.dumps(self._redactor.data(data), indent=2, default=lambda item: self._redactor.text(str(item)))

    async def _add(self, name: str, part: Part) -> None:
        try:
            self._files |= await asyncio.wait_for(part(), _PATIENCE)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one part, the others are worth having
            self._missing[name] = _why(error, _PATIENCE)

    async def _learn_credentials(self) -> None:
        """What this process authenticates with is in no part, but a log may have it."""
        with contextlib.suppress(Exception):  # a part that needs them tells
            for header in (await self._kube.credentials.headers()).values():
                self._redactor.learn(header.rpartition(" ")[2])

    # Parts ----------------------------------------------------------------------------------------------

    async def _manifests(self) -> Files:
        found: Files = {}
        for kind, items in (await inventory.objects(self._kube, self._release.name)).items():
            if isinstance(items, KubernetesError):
                self._missing[f"manifests/{kind}"] = items.message
                continue
            found |= {f"manifests/{kind}/{item['metadata']['name']}.json": _plain(item) for item in items}
        return found

    async def _limits(self) -> Files:
        kinds = ("resourcequotas", "limitranges")
        return {f"namespace/{kind}.json": list(map(_plain, await self._kube.find(kind))) for kind in kinds}

    async def _helm(self) -> Files:
        records = await self._kube.find("secrets", f"owner=helm,name={self._release.name}")
        told = helmrecord.newest(records)
        if told is None:
            self._missing["what Helm was given"] = "there is no record of Helm's that can be read"
            return {}
        return {"helm/values.json": told.pop("values"), "helm/release.json": told}

    async def _secrets(self) -> Files:
        """Names and keys; the data is read only to find it where it should not be."""
        secrets = {item["metadata"]["name"]: item for item in await self._kube.find("secrets", self._selector)}
        for name in sorted(_referred(await self._kube.find("pods", self._selector)) - set(secrets)):
            with contextlib.suppress(KubernetesError):
                secrets[name] = await self._kube.get("secrets", name)
        for item in secrets.values():
            for value in (item.get("data") or {}).values():
                self._redactor.learn(base64.b64decode(value).decode(errors="replace"))
        return {
            "manifests/secrets.json": [
                {"name": name, "type": item.get("type"), "holds": sorted(item.get("data") or {})}
                for name, item in secrets.items()
            ]
        }

    async def _events(self) -> Files:
        found: events.Events = await self._release.events()
        return {"events.txt": str(found), "events.json": found.to_dict()}

    async def _logs(self) -> Files:
        """Nothing to hand over: each log is in the archive as soon as it is there, and named as missing until then."""
        pods = sorted(await self._kube.find("pods", self._selector), key=_lost)
        lives = [(pod["metadata"]["name"], *life) for pod in pods for life in _lives(pod)]
        tail = max(_FEWEST, min(_MOST, _LINES // max(1, len(lives))))
        places = asyncio.Semaphore(podlogs.READ)
        tasks = [
            asyncio.create_task(self._log(places, pod, container, Excerpt(previous=previous, tail=tail)))
            for pod, container, previous in lives
        ]
        try:
            if tasks:
                await asyncio.wait(tasks, timeout=_ALL_LOGS, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
        for refused in ends:
            if isinstance(refused, Exception):  # who may not read one may read none: said once
                self._missing = {name: why for name, why in self._missing.items() if not name.startswith("logs/")}
                raise refused
        return {}

    async def _log(self, places: asyncio.Semaphore, pod: str, container: str, part: Excerpt) -> None:
        path = f"logs/{pod}/{container}{'.previous' if part.previous else ''}.log"
        self._missing[path] = f"not there after {_ALL_LOGS:.0f} s"
        async with places:
            try:
                text = await asyncio.wait_for(podlogs.log(self._kube, pod, container, part), _ONE_LOG)
            except (ForbiddenError, UnauthorizedError):
                raise
            except Exception as error:  # noqa: BLE001 - as for parts: the others are worth having
                self._missing[path] = _why(error, _ONE_LOG)
                return
        self._files[path] = text
        del self._missing[path]

    async def _kubernetes(self) -> Files:
        server, nodes = await asyncio.gather(self._kube.server(), self._kube.nodes())
        told = [
            {
                "name": node["metadata"]["name"],
                "taints": node.get("spec", {}).get("taints", []),
                **{key: node["status"].get(key) for key in ("nodeInfo", "capacity", "allocatable", "conditions")},
            }
            for node in nodes
        ]
        return {"kubernetes.json": {"server": server, "nodes": told}}

    async def _permissions(self) -> Files:
        rules, complete = await self._kube.allowed()
        return {"permissions.json": {"complete": complete, "rules": rules}}

    async def _diagnosis(self) -> Files:
        return {"diagnosis.txt": str(await self._release.diagnose())}

    async def _losses(self) -> Files:
        return {"lost-workers.json": [item.to_dict() for item in await self._release.lost_workers()]}

    @property
    def _selector(self) -> str:
        return contract.selector(self._release.name)


def _named(name: str, part: Part) -> Part:
    async def named() -> Files:
        return {name: await part()}

    return named


def _why(error: Exception, patience: float) -> str:
    """Why something is missing that had so many seconds."""
    if isinstance(error, asyncio.TimeoutError):
        return f"not there after {patience:.0f} s"
    return error.message if isinstance(error, HelmClusterError) else f"{type(error).__name__}: {error}"


def _lost(pod: Object) -> bool:
    """Whether a pod is said not to be ready, as those of lost nodes are: others' logs don't wait for theirs."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(item.get("type") == "Ready" and item.get("status") != "True" for item in conditions)


def _plain(item: Object) -> Object:
    """An object without what Kubernetes and kubectl write down for themselves."""
    metadata = {key: value for key, value in item["metadata"].items() if key != "managedFields"}
    if annotations := metadata.get("annotations"):
        metadata["annotations"] = {key: value for key, value in annotations.items() if key != _APPLIED}
    return {**item, "metadata": metadata}


def _lives(pod: Object) -> Iterator[tuple[str, bool]]:
    """A pod's containers, and whether it is about their life before this one, as far as there was one."""
    status = pod.get("status", {})
    for item in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        yield item["name"], False
        if item.get("restartCount"):
            yield item["name"], True


def _referred(pods: list[Object]) -> set[str]:
    """Names of Secrets that pods have volumes or variables of."""
    found: set[str] = set()
    for pod in pods:
        spec = pod["spec"]
        for container in [*spec.get("initContainers", []), *spec["containers"]]:
            given = [item.get("valueFrom", {}).get("secretKeyRef", {}) for item in container.get("env", [])]
            given += [item.get("secretRef", {}) for item in container.get("envFrom", [])]
            found |= {item["name"] for item in given if item.get("name")}
        for volume in spec.get("volumes", []):
            sources = [volume, *volume.get("projected", {}).get("sources", [])]
            secrets = [source.get("secret", {}) for source in sources]
            found |= {str(item.get("secretName") or item.get("name")) for item in secrets if item}
    return found
