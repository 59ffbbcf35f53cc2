"""The door to the `kubernetes` library's models: pods as plain mappings, and mappings as models.

Belongs here: what knows how the generated models are built (`openapi_types` and `attribute_map`, which all versions and
`kubernetes_asyncio` have). Never here: what a pod means for Dask or for the chart. The library is imported when it is
needed: it takes a second, which importing this package must not.
"""

from __future__ import annotations

import datetime as dt
import functools
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from dask_kubernetes_helm.chartvalues import values
from dask_kubernetes_helm.errors import InvalidTypeError, PodTemplateError
from dask_kubernetes_helm.text import did_you_mean

#: Two spellings of the same type: `list[V1Container]` and `dict(str, str)` until 36, `List[...]` and `Dict[...]` since.
_LIST = re.compile(r"list\[(.*)\]", re.IGNORECASE)
_DICT = re.compile(r"dict[(\[]str, ?(.*)[)\]]", re.IGNORECASE)
_WORDS = {
    list: "a list",
    dict: "a mapping",
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}
_NATIVE = {"str": str, "bool": bool, "int": int, "float": float}
_NEWER = "A field newer than the installed kubernetes library needs `pip install -U kubernetes`."


def plain(pod: Any) -> dict[str, Any]:
    """A pod as plain JSON in Kubernetes' own spelling, without what is None.

    Scalars get the type that the models have: text such as "30" becomes a number, a number such as `cpu: 2` text.

    Parameters
    ----------
    pod : V1Pod or mapping
        A model of `kubernetes` or of `kubernetes_asyncio`, or a mapping; it is not changed, nor is anything shared.

    Raises
    ------
    InvalidTypeError
        When it is neither, or holds what JSON has no type for.
    """
    if not (isinstance(pod, Mapping) or _is_model(pod)):
        raise InvalidTypeError(
            f"The pod template is {type(pod).__name__}", cure="Give a kubernetes.client.V1Pod or a mapping."
        )
    fitted: dict[str, Any] = _fitted(_without_none(values.plain(_flat(pod))), "V1Pod")
    return fitted


def model(mapping: Mapping[str, Any]) -> Any:
    """A `kubernetes.client.V1Pod` from a mapping in Kubernetes' own spelling.

    Raises
    ------
    PodTemplateError
        When the library refuses it, e.g. as a container has no name.
    """
    return pods([mapping])[0]


def pods(items: Iterable[Mapping[str, Any]]) -> list[Any]:
    """A list of `kubernetes.client.V1Pod` from mappings such as the API answers.

    Raises
    ------
    PodTemplateError
        When the library refuses one.
    """
    from kubernetes import client  # noqa: PLC0415 - slow to import

    api = client.ApiClient()
    text = json.dumps([dict(item) for item in items])
    try:
        if "content_type" in inspect.signature(api.deserialize).parameters:
            found = api.deserialize(text, "List[V1Pod]", None)
        else:
            found = api.deserialize(SimpleNamespace(data=text), "list[V1Pod]")
    except (ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise PodTemplateError(
            f"The kubernetes library builds no pod of this: {reason}", cure=f"Correct it. {_NEWER}"
        ) from error
    return list(found)


def check(pod: Mapping[str, Any]) -> None:
    """Refuse a pod with an attribute that Kubernetes does not know, or of another type, or without containers.

    Parameters
    ----------
    pod : mapping
        In Kubernetes' own spelling; what `plain` makes fit is right here.

    Raises
    ------
    PodTemplateError
        Names the attribute by its full path.
    """
    _check(pod, "V1Pod", "")
    for path, found in (("spec", pod.get("spec")), ("spec.containers", (pod.get("spec") or {}).get("containers"))):
        if not found:
            raise PodTemplateError(
                f"The pod template has no {path}",
                cure="Give spec.containers with at least one container, which is Dask's.",
            )


def attributes(kind: str) -> list[str]:
    """The attributes of a kind in Kubernetes' own spelling, e.g. of "V1Container".

    Examples
    --------
    >>> "imagePullPolicy" in attributes("V1Container")
    True
    """
    return sorted(_fields(kind))


def unknown(path: str, key: str, kind: str) -> PodTemplateError:
    """The error for an attribute that a kind does not have, with the nearest that it has."""
    fields = _fields(kind)
    camel = re.sub(r"_+(\w)", lambda match: match.group(1).upper(), key)
    same = [known for known in fields if known.lower() == camel.lower()]
    hint = f"; did you mean {same[0]!r}?" if same else did_you_mean(key, fields)
    return PodTemplateError(
        f"{path} is no attribute that Kubernetes knows{hint}",
        cure=f"Attribute must be one of {', '.join(sorted(fields))}. {_NEWER}",
    )


def strangers(item: Any, kind: str = "V1Pod", path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of attributes that Kubernetes does not know, in a pod or a part of one.

    Examples
    --------
    >>> list(strangers({"spec": {"containers": [{"imge": "x"}]}}))
    [('spec', 'containers', 0, 'imge')]
    """
    container, inner = _inner(kind)
    if container and isinstance(item, container):
        pairs: Any = item.items() if isinstance(item, dict) else enumerate(item)  # type: ignore[arg-type]
        for key, value in pairs:
            yield from strangers(value, inner, (*path, key))
    elif not container and _is_kind(inner) and isinstance(item, dict):
        fields = _fields(inner)
        for key, value in item.items():
            if key in fields:
                yield from strangers(value, fields[key], (*path, key))
            else:
                yield (*path, key)


def fitted(part: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """A part of a pod as `plain` gives whole ones."""
    found: dict[str, Any] = _fitted(_without_none(values.plain(_flat(part))), kind)
    return found


def _is_model(item: Any) -> bool:
    return hasattr(type(item), "attribute_map") and hasattr(type(item), "openapi_types")


def _flat(item: Any) -> Any:
    if _is_model(item):
        return {key: _flat(getattr(item, name, None)) for name, key in type(item).attribute_map.items()}
    if isinstance(item, Mapping):
        return {key: _flat(value) for key, value in item.items()}
    if isinstance(item, list | tuple):
        return [_flat(value) for value in item]
    return item.isoformat() if isinstance(item, dt.date) else item


def _without_none(item: Any) -> Any:
    """For Kubernetes an attribute that is null is one that is not there."""
    if isinstance(item, dict):
        return {key: _without_none(value) for key, value in item.items() if value is not None}
    if isinstance(item, list):
        return [_without_none(value) for value in item]
    return item


@functools.cache
def _fields(kind: str) -> dict[str, str]:
    """The types of a model's attributes, by their JSON names."""
    from kubernetes import client  # noqa: PLC0415 - slow to import

    cls: Any = getattr(client, kind)
    return {key: cls.openapi_types[name] for name, key in cls.attribute_map.items()}


def _inner(kind: str) -> tuple[type | None, str]:
    """The container that a type is (None: a model or a scalar), and the type of what is in it."""
    for cls, pattern in ((list, _LIST), (dict, _DICT)):
        match = pattern.fullmatch(kind)
        if match:
            return cls, match.group(1)
    return None, kind


def _is_kind(kind: str) -> bool:
    """Whether a type is a model; those named `object` are free-form, dates are left to the library."""
    return kind[:1].isupper()


def _fitted(item: Any, kind: str) -> Any:
    container, inner = _inner(kind)
    if container is list:
        return [_fitted(value, inner) for value in item] if isinstance(item, list) else item
    if container is dict:
        return {key: _fitted(value, inner) for key, value in item.items()} if isinstance(item, dict) else item
    if _is_kind(inner):
        fields = _fields(inner)
        if not isinstance(item, dict):
            return item
        return {key: _fitted(value, fields[key]) if key in fields else value for key, value in item.items()}
    return _scalar(item, inner)


def _scalar(item: Any, kind: str) -> Any:
    if kind == "str" and isinstance(item, bool | int | float):
        return str(item)
    if kind == "int" and isinstance(item, str) and re.fullmatch(r"[-+]?\d+", item.strip()):
        return int(item)
    if kind == "int" and isinstance(item, float) and item.is_integer():
        return int(item)
    if kind == "bool" and isinstance(item, str) and item.lower() in ("true", "false"):
        return item.lower() == "true"
    return item


def _check(item: Any, kind: str, path: str) -> None:
    container, inner = _inner(kind)
    if container is list:
        for index, value in enumerate(_typed(item, list, path)):
            _check(value, inner, f"{path}[{index}]")
    elif container is dict:
        _check_fields(_typed(item, dict, path), dict.fromkeys(item, inner), path)
    elif inner in _NATIVE:
        _typed(_scalar(item, inner), _NATIVE[inner], path)
    elif _is_kind(inner):
        fields = _fields(inner)
        for key in _typed(item, dict, path):
            if key not in fields:
                raise unknown(f"{path}.{key}" if path else key, key, inner)
        _check_fields(item, fields, path)


def _check_fields(item: Mapping[str, Any], fields: Mapping[str, str], path: str) -> None:
    for key, value in item.items():
        if value is not None:
            _check(value, fields[key], f"{path}.{key}" if path else key)


def _typed(item: Any, cls: type, path: str) -> Any:
    wrong = not isinstance(item, (int, float) if cls is float else cls) or (cls is int and isinstance(item, bool))
    if wrong:
        found = _WORDS.get(type(item), type(item).__name__)
        raise PodTemplateError(
            f"{path or 'The pod template'} is {found}, where Kubernetes has {_WORDS[cls]}", cure="Correct it."
        )
    return item
