"""Findings on their way to the user: explained, told once, or raised with the end of a log.

Belongs here: what one more request can add to a finding, and who hears of it. Never here: making findings
(diagnosis), or waiting (watching.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import math
import re
import time
from collections.abc import Iterable, Mapping
from typing import Any

from dask_kubernetes_helm import contract, sizing
from dask_kubernetes_helm.diagnosis import Finding, is_started
from dask_kubernetes_helm.errors import HelmClusterError, KubernetesError, PodTemplateError, UnschedulableError
from dask_kubernetes_helm.kubeapi.kube import Kube

logger = logging.getLogger(__name__)

Object = dict[str, Any]

#: Seconds for which something has to be in the way before it is told: much of it passes.
STANDS = 5.0
_LOG_TAIL = 20
_NUMBERS = re.compile(r"\d+")


class Trouble:
    """What is in a release's way, as its user is told.

    Parameters
    ----------
    kube : Kube
        The door to the API.
    release : str
        Whose trouble.
    """

    def __init__(self, kube: Kube, release: str) -> None:
        self._kube, self._release = kube, release
        self._since: dict[Any, float] = {}
        self._told: set[Any] = set()

    async def judge(self, findings: Iterable[Finding], pods: Mapping[str, Object]) -> None:
        """Raise the first that is terminal; log each other one once that has been there for a while.

        Parameters
        ----------
        findings : iterable of Finding
            All that there are now, the terminal ones first.
        pods : mapping
            Pods by name.

        Raises
        ------
        HelmClusterError
        """
        now, present = time.monotonic(), {_key(finding): finding for finding in findings}
        self._since = {key: self._since.get(key, now) for key in present}
        for key, finding in present.items():
            stands = now - self._since[key]
            if finding.terminal or stands >= finding.patience:
                raise await self.error(finding, pods)
            if stands >= STANDS and key not in self._told and finding.patience == math.inf:
                self._told.add(key)
                logger.warning("release %s: %s", self._release, await self.explained(finding, pods))

    async def explained(self, finding: Finding, pods: Mapping[str, Object]) -> Finding:
        """With the largest node, where no node takes a pod and these credentials may read nodes."""
        pod = pods.get(finding.object.removeprefix("pod/"))
        if pod is None or not issubclass(finding.error, UnschedulableError) or "Insufficient" not in finding.cause:
            return finding
        try:
            largest = sizing.too_large(sizing.requests(pod), await self._kube.nodes())
        except (KubernetesError, PodTemplateError):
            return finding
        if not largest:
            return finding
        return dataclasses.replace(finding, sentence=f"{finding.sentence}. {largest}")

    async def error(self, finding: Finding, pods: Mapping[str, Object]) -> HelmClusterError:
        """The error that a finding is, with the end of the log that tells more."""
        finding = await self.explained(finding, pods)
        log = await self._log_tail(finding) if finding.pod else ""
        return finding.exception(self._release, self._kube.namespace, log)

    async def _runs_again(self, finding: Finding) -> bool:
        """Whether the container has begun anew by now, so that what it ended of is in its last life's log."""
        with contextlib.suppress(KubernetesError):
            found = await self._kube.find("pods", contract.selector(self._release))
            return any(is_started(pod, finding.container) for pod in found if pod["metadata"]["name"] == finding.pod)
        return False

    async def _log_tail(self, finding: Finding) -> str:
        again = finding.previous or await self._runs_again(finding)
        for previous in (again, not again):
            try:
                text = await self._kube.log(finding.pod, finding.container, previous=previous, tail=_LOG_TAIL)
            except KubernetesError:
                continue
            if text.strip():
                return text.strip()
        return ""


def _key(finding: Finding) -> tuple[Any, ...]:
    """What makes two findings the same news: numbers of nodes come and go."""
    return finding.error, finding.reason, _NUMBERS.sub("#", finding.cause)
