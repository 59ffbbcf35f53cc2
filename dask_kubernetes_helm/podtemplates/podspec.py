"""Pod templates in Python: what classic dask-kubernetes' users build them with.

Belongs here: `make_pod_spec`, `make_pod_from_dict` and `clean_pod_template`, with all classic releases' arguments.
Never here: what the chart makes of a template (translation.py), or how models are built (podmodel.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dask_kubernetes_helm.errors import InvalidArgumentError, InvalidTypeError
from dask_kubernetes_helm.podtemplates import podmodel
from dask_kubernetes_helm.text import did_you_mean

#: Dask's own taints, in both spellings: some clouds allow no slash in a taint's key.
TAINTS = ("k8s.dask.org/dedicated", "k8s.dask.org_dedicated")
NODE_PURPOSE = "k8s.dask.org/node-purpose"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
#: 2022's words for what 2020 called match_node_purpose.
_AFFINITIES = {"preferred": "prefer", "required": "require", "none": "ignore"}
_QUANTITY = re.compile(r"[0-9.]+(e[+-]?[0-9]+)?\s*([kmgtpe]i?b?|b)?", re.IGNORECASE)


def make_pod_spec(  # noqa: PLR0917 - classic's signature
    image: str,
    labels: Mapping[str, str] = _NOTHING,
    threads_per_worker: int = 1,
    env: Mapping[str, Any] = _NOTHING,
    extra_container_config: Mapping[str, Any] = _NOTHING,
    extra_pod_config: Mapping[str, Any] = _NOTHING,
    resources: str | int | None = None,
    memory_limit: str | int | None = None,
    memory_request: str | int | None = None,
    cpu_limit: str | float | None = None,
    cpu_request: str | float | None = None,
    gpu_limit: str | int | None = None,
    annotations: Mapping[str, str] = _NOTHING,
) -> Any:
    """A worker's pod template from a few choices.

    Parameters
    ----------
    image : str
        Container image.
    labels, annotations : mapping
        Of the pod.
    threads_per_worker : int
        Threads of a worker.
    env : mapping
        Environment variables; values become text.
    extra_container_config, extra_pod_config : mapping
        More of the container and of the pod's spec, in Kubernetes' own spelling (`imagePullPolicy`): mappings merge,
        lists are appended, all else replaces.
    resources : str, optional
        Dask's abstract resources of a worker, e.g. "GPU=2 MEM=10e9".
    memory_limit, memory_request, cpu_limit, cpu_request : str or number, optional
        What the container gets at most, and what it asks for, as Kubernetes writes it; the memory limit is the
        worker's, too.
    gpu_limit : str or int, optional
        Number of GPUs (`nvidia.com/gpu`).

    Returns
    -------
    kubernetes.client.V1Pod

    Raises
    ------
    PodTemplateError
        Also a ValueError: an attribute that Kubernetes does not know.

    Notes
    -----
    The seventh argument was `memory_limit` until 2021, and has been `resources` since. Without a name it is taken for
    what it looks like: an amount of memory ("6G", "4Gi", 6000000000) makes it, and all after it, 2020's, while
    `GPU=2` is 2022's. With their names all arguments are what they are called.

    Examples
    --------
    >>> pod = make_pod_spec("ghcr.io/dask/dask:latest", threads_per_worker=2, memory_limit="4G")
    >>> pod.spec.containers[0].args[-2:]
    ['--memory-limit', '4G']
    """
    if _is_quantity(resources):
        # Written for 2020: memory_limit, memory_request, cpu_limit and cpu_request each stand one place earlier.
        memory_limit, memory_request, cpu_limit, cpu_request = _shifted(
            resources, memory_limit, memory_request, cpu_limit, cpu_request
        )
        resources = None
    limits = {"cpu": cpu_limit, "memory": memory_limit, "nvidia.com/gpu": gpu_limit}
    requests = {"cpu": cpu_request, "memory": memory_request}
    container = {
        "name": "dask-container",
        "image": image,
        "args": _arguments(threads_per_worker, memory_limit, resources),
        "env": [{"name": key, "value": str(value)} for key, value in env.items()],
        "resources": {"limits": _given(limits), "requests": _given(requests)},
    }
    container = _extended(container, extra_container_config, "V1Container", "extra_container_config")
    spec = _extended(
        {"restartPolicy": "Never", "containers": [container]}, extra_pod_config, "V1PodSpec", "extra_pod_config"
    )
    return _built({"metadata": {"labels": dict(labels), "annotations": dict(annotations)}, "spec": spec})


def make_pod_from_dict(dict_: Mapping[str, Any]) -> Any:
    """A pod template from a mapping such as a YAML file has; it needs no metadata, and containers need no names.

    Parameters
    ----------
    dict_ : mapping
        In Kubernetes' own spelling. Containers without a name get `dask-0`, `dask-1`, ...

    Returns
    -------
    kubernetes.client.V1Pod

    Raises
    ------
    PodTemplateError, InvalidTypeError

    Examples
    --------
    >>> make_pod_from_dict({"spec": {"containers": [{"image": "ghcr.io/dask/dask"}]}}).spec.containers[0].name
    'dask-0'
    """
    if not isinstance(dict_, Mapping):
        raise InvalidTypeError(f"The pod is {type(dict_).__name__}, not a mapping", cure="Give a mapping.")
    return _built(podmodel.plain(dict_))


def clean_pod_template(
    pod_template: Any,
    match_node_purpose: str = "prefer",
    pod_type: str = "worker",
    apply_default_affinity: str | None = None,
) -> Any:
    """A copy of a pod template with Dask's tolerations, and an affinity to the nodes that are kept for Dask.

    Parameters
    ----------
    pod_template : kubernetes.client.V1Pod
        Is not changed.
    match_node_purpose : {"prefer", "require", "ignore"}
        What nodes labelled `k8s.dask.org/node-purpose=<pod_type>` are to the pod.
    pod_type : str
        "worker" or "scheduler".
    apply_default_affinity : {"preferred", "required", "none"}, optional
        The same in the words of classic releases since 2022, which called the second argument so; comes before
        `match_node_purpose`.

    Returns
    -------
    kubernetes.client.V1Pod

    Raises
    ------
    InvalidTypeError
        Also a TypeError: something else than a V1Pod.
    InvalidArgumentError
        Also a ValueError: another word.

    Examples
    --------
    >>> pod = clean_pod_template(make_pod_spec("ghcr.io/dask/dask"))
    >>> [toleration.key for toleration in pod.spec.tolerations]
    ['k8s.dask.org/dedicated', 'k8s.dask.org_dedicated']
    """
    _refuse_other_types(pod_template)
    purpose = _purpose(match_node_purpose, apply_default_affinity)
    pod = podmodel.plain(pod_template)
    spec = pod.setdefault("spec", {})
    spec["tolerations"] = [*spec.get("tolerations", []), *tolerations(pod_type)]
    if purpose != "ignore":
        affinity = spec.setdefault("affinity", {}).setdefault("nodeAffinity", {})
        _match(affinity, purpose, pod_type)
    return _built(pod)


def tolerations(pod_type: str) -> list[dict[str, Any]]:
    """The tolerations of Dask's own taints."""
    return [{"key": key, "operator": "Equal", "value": pod_type, "effect": "NoSchedule"} for key in TAINTS]


def node_purpose(pod_type: str) -> dict[str, Any]:
    """The expression that matches the nodes kept for a kind of pod."""
    return {"key": NODE_PURPOSE, "operator": "In", "values": [pod_type]}


def _match(affinity: dict[str, Any], purpose: str, pod_type: str) -> None:
    expression = node_purpose(pod_type)
    if purpose == "prefer":
        term = {"weight": 100, "preference": {"matchExpressions": [expression]}}
        affinity[PREFERRED] = [*affinity.get(PREFERRED, []), term]
        return
    # Of the terms one has to fit, so what is needed besides goes into each of them.
    selector = affinity.setdefault(REQUIRED, {})
    terms = selector.get("nodeSelectorTerms") or [{}]
    selector["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*term.get("matchExpressions", []), expression]} for term in terms
    ]


def _refuse_other_types(pod_template: Any) -> None:
    if isinstance(pod_template, str):
        raise InvalidTypeError(
            f"Expected a kubernetes.client.V1Pod object, got the text {pod_template!r}",
            cure="If trying to pass a yaml filename then use KubeCluster.from_yaml.",
        )
    if isinstance(pod_template, Mapping):
        raise InvalidTypeError(
            "Expected a kubernetes.client.V1Pod object, got a mapping",
            cure="If trying to pass a dictionary specification then use KubeCluster.from_dict.",
        )


def _purpose(match_node_purpose: str, apply_default_affinity: str | None) -> str:
    # Given in its place rather than by name, 2022's second argument is told by its words.
    if apply_default_affinity is None and match_node_purpose in _AFFINITIES:
        apply_default_affinity = match_node_purpose
    if apply_default_affinity is not None:
        if apply_default_affinity not in _AFFINITIES:
            raise InvalidArgumentError(
                'Attribute must be one of "none", "preferred", or "required"',
                cure=f"apply_default_affinity is {apply_default_affinity!r}"
                f"{did_you_mean(str(apply_default_affinity), _AFFINITIES)}.",
            )
        return _AFFINITIES[apply_default_affinity]
    if match_node_purpose not in _AFFINITIES.values():
        raise InvalidArgumentError(
            'Attribute must be one of "ignore", "prefer", or "require"',
            cure=f"match_node_purpose is {match_node_purpose!r}"
            f"{did_you_mean(str(match_node_purpose), _AFFINITIES.values())}.",
        )
    return match_node_purpose


def _is_quantity(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and bool(_QUANTITY.fullmatch(value.strip())))


def _shifted(first: Any, limit: Any, request: Any, cpu_limit: Any, cpu_request: Any) -> tuple[Any, Any, Any, Any]:
    """2020's four amounts where the first was told by its place; what was told by name has kept its own."""
    if limit is None:
        return first, request, cpu_limit, cpu_request
    if request is None:
        return first, limit, cpu_limit, cpu_request
    return first, limit, request, cpu_request if cpu_limit is None else cpu_limit


def _given(amounts: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(amount) for key, amount in amounts.items() if amount is not None}


def _arguments(threads: int, memory: Any, resources: Any) -> list[str]:
    args = ["dask-worker", "$(DASK_SCHEDULER_ADDRESS)", "--nthreads", str(threads), "--death-timeout", "60"]
    if memory is not None:
        args += ["--memory-limit", str(memory)]
    if resources:
        args += ["--resources", str(resources)]
    return args


def _extended(base: dict[str, Any], extra: Mapping[str, Any], kind: str, name: str) -> dict[str, Any]:
    known = podmodel.attributes(kind)
    for key in extra:
        if key not in known:
            raise podmodel.unknown(f"{name}.{key}", key, kind)
    return _merged(base, podmodel.fitted(extra, kind))


def _merged(base: dict[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in extra.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            merged[key] = _merged(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            merged[key] = [*old, *value]
        else:
            merged[key] = value
    return merged


def _built(pod: dict[str, Any]) -> Any:
    """The model; containers without a name get one, as the library wants it."""
    podmodel.check(pod)
    for prefix, key in (("dask", "containers"), ("init", "initContainers")):
        for index, container in enumerate(pod["spec"].get(key, ())):
            container.setdefault("name", f"{prefix}-{index}")
    pod.setdefault("metadata", {})
    return podmodel.model(pod)
