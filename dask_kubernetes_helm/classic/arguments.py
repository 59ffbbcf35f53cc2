"""What KubeCluster was told, judged and settled before anything else happens.

Belongs here: classic dask-kubernetes' arguments and configuration, each for itself. Never here: what they come to
together (plan.py), or reading files.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dask.utils import parse_bytes

from dask_kubernetes_helm import config, naming
from dask_kubernetes_helm.connections import certificates
from dask_kubernetes_helm.errors import DeployModeError, InvalidArgumentError, InvalidTypeError
from dask_kubernetes_helm.fronts.arguments import worker_count
from dask_kubernetes_helm.text import did_you_mean

if TYPE_CHECKING:
    from distributed.security import Security

logger = logging.getLogger(__name__)

LOCAL, REMOTE = "local", "remote"
#: `apply_default_affinity` of 2022 in `match_node_purpose`'s words of 2020.
AFFINITIES = {"preferred": "prefer", "required": "require", "none": "ignore"}
_SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")


def deploy_mode(given: str | None) -> str:
    """Where the scheduler shall run.

    Raises
    ------
    DeployModeError
    """
    mode = config.get("deploy-mode", given)
    if mode not in (LOCAL, REMOTE):
        raise DeployModeError(
            f"Unknown deploy mode {mode!r}{did_you_mean(str(mode), (LOCAL, REMOTE))}",
            cure="Give 'remote' (the scheduler in a pod) or 'local' (the scheduler in this process).",
        )
    return str(mode)


def encryption(security: Any, protocol: str | None, mode: str) -> tuple[Security | None, bool]:
    """The certificates that are given, or made for a scheduler in this process; and whether comms are encrypted.

    Without a word they are. A scheduler in the release has the chart's certificates, which are read once they exist.

    Raises
    ------
    InvalidSecurityError, InvalidArgumentError
    """
    is_local = mode == LOCAL
    asked = protocol is not None and is_local
    plain = security is False or (asked and str(protocol).removesuffix("://") != "tls")
    judged = certificates.judged(security)
    if judged is not None or plain:
        return judged, judged is not None
    encrypted = bool(config.get("tls")) or asked
    made = certificates.judged(security=True) if encrypted and is_local else None
    return made, encrypted


def variables(given: Any) -> dict[str, Any]:
    """Environment variables that are given besides the template's.

    Raises
    ------
    InvalidTypeError
    """
    env = config.get("env", given) or {}
    if not isinstance(env, Mapping):
        raise InvalidTypeError(f"env is {type(env).__name__}", cure='Give a mapping, such as {"NAME": "value"}.')
    return dict(env)


def name(given: Any) -> str:
    """The cluster's name, from a template.

    Raises
    ------
    InvalidTypeError, InvalidNameError
    """
    template = config.get("name", given or config.get("worker-name"))
    if not isinstance(template, str):
        raise InvalidTypeError(f"name is {type(template).__name__}", cure="Give text.")
    return naming.lenient(template, os.environ)


def affinity(match_node_purpose: str | None, apply_default_affinity: str | None) -> str:
    """What nodes labelled for Dask mean, in 2020's words; `apply_default_affinity` has 2022's.

    Raises
    ------
    InvalidArgumentError
    """
    for given, known in ((match_node_purpose, AFFINITIES.values()), (apply_default_affinity, AFFINITIES)):
        if given is not None and given not in known:
            raise InvalidArgumentError(
                f"Attribute must be one of {', '.join(known)}, not {given!r}{did_you_mean(str(given), known)}"
            )
    return match_node_purpose or AFFINITIES[apply_default_affinity or "preferred"]


def service_type(given: str | None) -> str:
    """The type of the scheduler's Service.

    Raises
    ------
    InvalidArgumentError
    """
    template = (config.get("scheduler-service-template") or {}).get("spec") or {}
    kind = given or template.get("type") or config.get("scheduler-service-type")
    if kind not in _SERVICE_TYPES:
        raise InvalidArgumentError(
            f"The scheduler's Service can't be of type {kind!r}{did_you_mean(str(kind), _SERVICE_TYPES)}",
            cure=f"Types are: {', '.join(_SERVICE_TYPES)}.",
        )
    return str(kind)


def workers_for(template: Mapping[str, Any], *, memory: Any = None, cores: Any = None) -> list[int]:
    """How many workers of a pod template have so many bytes, or threads, together.

    Raises
    ------
    InvalidArgumentError
        The template does not tell how large a worker is.
    """
    if memory is None and cores is None:
        return []
    from dask_kubernetes_helm import sizing  # noqa: PLC0415 - their libraries are slow to import
    from dask_kubernetes_helm.podtemplates import translation  # noqa: PLC0415 - their libraries are slow to import

    translated = translation.translate(template, "worker")
    worker, several = translated.values, translated.workers
    limits = (worker.get("resources") or {}).get("limits") or {}
    # Kubernetes rounds up the cores that it tells a worker, which has the container for itself then.
    threads, memory_limit = worker.get("threads_per_worker"), worker.get("memory_limit")
    sizes = {
        "cores": (cores, threads * several if threads else math.ceil(sizing.quantity(limits.get("cpu", 0)))),
        "memory": (memory, sizing.quantity(memory_limit) * several if memory_limit else limits.get("memory")),
    }
    found = []
    for name, (given, size) in sizes.items():
        if given is None:
            continue
        wanted = _amount(name, given)
        if not size:
            raise InvalidArgumentError(
                f"The pod template does not tell how much a worker has, so scale({name}=...) can't be meant",
                cure="Give the worker --nthreads and --memory-limit, or the container limits; or scale(n).",
            )
        found.append(math.ceil(wanted / sizing.quantity(size)))
    return found


def _amount(name: str, given: Any) -> float:
    try:
        amount = float(parse_bytes(given) if name == "memory" else given)
    except (TypeError, ValueError) as error:
        raise InvalidArgumentError(
            f"{name} is {given!r}", cure='Give a number of cores, or bytes such as "100 GB".'
        ) from error
    if not 0 <= amount < math.inf:
        raise InvalidArgumentError(f"{name} is {given!r}", cure="Give 0 or more.")
    return amount


def capped(n: int) -> int:
    """A number of workers, at most `kubernetes.count.max`."""
    limit = most()
    if limit is not None and n > limit:
        logger.info("Tried to scale beyond maximum number of workers %d > %d", n, limit)
        return limit
    return n


def most() -> int | None:
    """`kubernetes.count.max`: the most workers that there may be; None for no limit."""
    limit = config.get("count.max")
    return None if limit is None else worker_count(limit, "kubernetes.count.max")
