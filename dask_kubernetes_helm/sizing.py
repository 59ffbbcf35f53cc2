"""How much a pod asks for, and whether any node has it: Kubernetes' quantities, exactly.

Belongs here: arithmetic on what pods and nodes say. Never here: asking for them, or deciding what follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from dask_kubernetes_helm.errors import PodTemplateError

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
_QUANTITY = re.compile(r"(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?P<suffix>[numkMGTPE]|[KMGTPE]i)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: dict[str, Fraction] = {f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", start=1)}
_FACTORS: dict[str, Fraction] = {
    "": Fraction(1),
    **{key: Fraction(10) ** power for key, power in _DECIMAL.items()},
    **_BINARY,
}
#: The spelling that the chart's schema takes; Kubernetes takes more.
_CANONICAL = re.compile(r"[0-9]+(\.[0-9]+)?([eE][0-9]+|m|[kMGTPE]|[KMGTPE]i)?")
#: Beyond, a number is a mistake, and would take memory rather than name it.
_MOST_DIGITS = 40


def quantity(value: Any) -> Fraction:
    """What Kubernetes understands by a quantity.

    Raises
    ------
    PodTemplateError

    Examples
    --------
    >>> quantity("500m"), quantity("6G"), quantity("1.5Ki"), quantity(2)
    (Fraction(1, 2), Fraction(6000000000, 1), Fraction(1536, 1), Fraction(2, 1))
    """
    text = str(value)
    match = None if isinstance(value, bool) else _QUANTITY.fullmatch(text)
    if not match or len(text) > _MOST_DIGITS or abs(Decimal(match["number"]).adjusted()) > _MOST_DIGITS:
        raise PodTemplateError(f"{value!r} is no quantity", cure="Give a number with a unit, e.g. 500m, 2 or 6Gi.")
    return Fraction(Decimal(match["number"])) * _FACTORS[match["suffix"] or ""]


def canonical(value: Any) -> str:
    """The same quantity in a spelling that the chart takes.

    Raises
    ------
    PodTemplateError

    Examples
    --------
    >>> canonical("6Gi"), canonical("250000u"), canonical(".5")
    ('6Gi', '0.25', '0.5')
    """
    text = str(value)
    exact = quantity(text)
    if _CANONICAL.fullmatch(text):
        return text
    return f"{Decimal(exact.numerator) / Decimal(exact.denominator):f}"


def written(amount: Fraction, resource: str = "memory") -> str:
    """A quantity as people read it.

    Examples
    --------
    >>> written(Fraction(6 * 1024**3)), written(Fraction(6 * 10**9)), written(Fraction(1, 2), "cpu")
    ('6Gi', '5.588Gi', '500m')
    """
    if resource == "cpu" and amount.denominator != 1:
        return f"{round(amount * 1000)}m"
    if "memory" in resource or "storage" in resource or "hugepages" in resource:
        for suffix, factor in reversed(_BINARY.items()):
            if amount >= factor:
                return f"{float(amount / factor):.4g}{suffix}"
    return f"{float(amount):.10g}"


def requests(pod: Mapping[str, Any]) -> dict[str, Fraction]:
    """What one pod asks of a node, by Kubernetes' rule.

    The sum of its containers and native sidecars, or, where that is more, of an init container and the sidecars that
    were started before it; what counts is a request, or the limit where there is none. On top comes the overhead.

    Parameters
    ----------
    pod : mapping
        With a `spec`.

    Raises
    ------
    PodTemplateError
        For what is no quantity.
    """
    spec = pod.get("spec") or {}
    sidecars: dict[str, Fraction] = {}
    largest: dict[str, Fraction] = {}
    for container in spec.get("initContainers") or ():
        asked = _asked(container.get("resources"))
        if container.get("restartPolicy") == "Always":
            sidecars = _sum(sidecars, asked)
            asked = {}
        largest = _larger(largest, _sum(sidecars, asked))
    running = _sum(sidecars, *(_asked(container.get("resources")) for container in spec.get("containers") or ()))
    # What is said of the whole pod comes before what its containers say.
    whole = {**_larger(running, largest), **_asked(spec.get("resources"))}
    return _sum(whole, _quantities(spec.get("overhead")))


def too_large(requests: Mapping[str, Fraction], nodes: Iterable[Mapping[str, Any]]) -> str:
    """A sentence, without its full stop, when no single node could ever hold a pod; else, or without nodes, nothing.

    Parameters
    ----------
    requests : mapping
        As `requests` gives them.
    nodes : iterable of mapping
        With `metadata.name` and `status.allocatable`.
    """
    asked = {resource: amount for resource, amount in requests.items() if amount > 0}
    best: tuple[list[Fraction], str, dict[str, Fraction]] | None = None
    for node in nodes:
        has = _quantities((node.get("status") or {}).get("allocatable"))
        # The tightest resource comes first: a node with much memory and no GPU is not the largest for a GPU's pod.
        shares = sorted(min(has.get(resource, Fraction()) / amount, Fraction(1)) for resource, amount in asked.items())
        if all(share == 1 for share in shares):
            return ""
        rank = [*shares, has.get("memory", Fraction())]
        if best is None or rank > best[0]:
            best = rank, str((node.get("metadata") or {}).get("name", "")), has
    if best is None:
        return ""
    _, name, has = best
    given = {resource: has.get(resource, Fraction()) for resource in asked}
    return f"A pod asks for {_figures(asked)}, but the largest node, {name}, has {_figures(given)} to give"


def _figures(amounts: Mapping[str, Fraction]) -> str:
    return ", ".join(f"{resource} {written(amount, resource)}" for resource, amount in sorted(amounts.items()))


def _quantities(amounts: Mapping[str, Any] | None) -> dict[str, Fraction]:
    return {resource: quantity(value) for resource, value in (amounts or {}).items()}


def _asked(resources: Mapping[str, Any] | None) -> dict[str, Fraction]:
    resources = resources or {}
    return {**_quantities(resources.get("limits")), **_quantities(resources.get("requests"))}


def _sum(*amounts: Mapping[str, Fraction]) -> dict[str, Fraction]:
    total: dict[str, Fraction] = {}
    for each in amounts:
        for resource, amount in each.items():
            total[resource] = total.get(resource, Fraction()) + amount
    return total


def _larger(one: Mapping[str, Fraction], other: Mapping[str, Fraction]) -> dict[str, Fraction]:
    zero = Fraction()
    return {resource: max(one.get(resource, zero), other.get(resource, zero)) for resource in {**one, **other}}
