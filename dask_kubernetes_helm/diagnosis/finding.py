"""One thing that is wrong, and many of the same as one.

Belongs here: what a finding has, and how it becomes an error. Never here: finding it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.errors import HelmClusterError

Object = dict[str, Any]


@dataclass(frozen=True)
class Finding:
    """What is wrong with an object of the release.

    Attributes
    ----------
    error : type of HelmClusterError
        What to raise when it is terminal.
    sentence, cure : str
        What is wrong, without its full stop, and what to do.
    terminal : bool
        Whether waiting can't mend it.
    object : str
        Which object, as kubectl has it: ``"pod/demo-worker-0"``.
    reason : str
        Kubernetes' own word for it.
    cause : str
        Kubernetes' own text, without what it concerns: findings that have it in common are one.
    pod, container : str
        Whose log tells more; empty when there is none.
    patience : float
        Seconds after which it is terminal all the same, if it is still there.
    previous : bool
        The log is that of the container's last life.
    others : int
        How many other objects have the same.

    Examples
    --------
    >>> finding = Finding(HelmClusterError, "Pod p waits", "Wait.", terminal=False, object="pod/p", others=2)
    >>> print(finding)
    Pod p waits (and 2 others). Wait.
    """

    error: type[HelmClusterError]
    sentence: str
    cure: str
    terminal: bool
    object: str = ""
    reason: str = ""
    cause: str = ""
    pod: str = ""
    container: str = ""
    patience: float = math.inf
    previous: bool = False
    others: int = 0

    @property
    def text(self) -> str:
        """The sentence, with how many others it is true of, and without its full stop."""
        return f"{self.sentence} (and {self.others} other{'s' * (self.others != 1)})" if self.others else self.sentence

    def __str__(self) -> str:
        return f"{stopped(self.text)} {self.cure}" if self.cure else self.text

    def exception(self, release: str, namespace: str, log: str = "") -> HelmClusterError:
        """The error that it is, with the end of a log where there is one."""
        return self.error(
            f"{self.text}; its log ends:\n{log}\n" if log else self.text,
            cure=self.cure,
            release=release,
            namespace=namespace,
            object=self.object,
            reason=self.reason,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "error": self.error.__name__,
            "sentence": self.sentence,
            "cure": self.cure,
            "terminal": self.terminal,
            "object": self.object,
            "reason": self.reason,
            "others": self.others,
        }


def fold(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each cause, the terminal ones first, which counts the others that have it.

    Examples
    --------
    >>> one = Finding(HelmClusterError, "Pod a waits", "", terminal=False, object="pod/a", cause="no node")
    >>> [str(item) for item in fold([one, dataclasses.replace(one, object="pod/b")])]
    ['Pod a waits (and 1 other)']
    """
    first: dict[Any, Finding] = {}
    for finding in findings:
        key = (finding.error, finding.reason, finding.container, finding.cause or finding.sentence)
        if key in first:
            known = first[key]
            kept = finding if finding.terminal and not known.terminal else known
            first[key] = dataclasses.replace(kept, others=known.others + 1 + finding.others)
        else:
            first[key] = finding
    return sorted(first.values(), key=lambda finding: not finding.terminal)


def stopped(sentence: str) -> str:
    """A sentence with its full stop, wherever the text in it has come from."""
    return sentence if sentence.endswith((".", "?", "!")) else f"{sentence}."


def role(labels: dict[str, str]) -> str:
    """Under which key of the values an object's part of the release is.

    Examples
    --------
    >>> role({"app.kubernetes.io/component": "worker", "dask.org/worker-group": "gpu"})
    'worker.groups.gpu'
    """
    component = labels.get(contract.COMPONENT_LABEL, contract.WORKER)
    group = labels.get(contract.GROUP_LABEL, contract.DEFAULT_GROUP)
    return f"{component}.groups.{group}" if group != contract.DEFAULT_GROUP else component


def named(pod: Object) -> str:
    """A pod as kubectl has it."""
    return f"pod/{pod['metadata']['name']}"
