"""What HelmCluster was told, judged and settled before anything else happens.

Belongs here: refusing what can't be meant, and turning arguments into values of the chart. Never here: reading
files (values.py does), or acting.
"""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dask_kubernetes_helm import config, contract, naming, versions
from dask_kubernetes_helm.errors import InvalidArgumentError, InvalidTypeError

if TYPE_CHECKING:
    from dask_kubernetes_helm.chartvalues.values import Layer
    from dask_kubernetes_helm.releases.lifecycle import Plan

_GROUP = re.compile(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?")
_IMAGE = re.compile(
    r"(?P<repository>[a-z0-9][\w.-]*(?::\d+(?=/))?(?:/[a-z0-9][\w.-]*)*)(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


@dataclass(frozen=True)
class Arguments:
    """HelmCluster's arguments; see there."""

    namespace: str | None
    environment: str | None
    values: Any
    n_workers: int | None
    image: str | None
    chart: str | None
    auth: Any
    timeout: float
    shutdown_on_close: bool = True

    def checked(self) -> Arguments:
        """Itself, when all that can be judged without reading anything is sound.

        Raises
        ------
        InvalidArgumentError, InvalidTypeError
        """
        if self.n_workers is not None:
            worker_count(self.n_workers, "n_workers")
        if self.image is not None:
            image_values(self.image)
        if self.namespace:
            naming.namespace(self.namespace)
        return self

    def plan(self, name: str) -> Plan:
        """What to install: the values read, and these arguments on top of them."""
        from dask_kubernetes_helm.chartvalues.values import Layer  # noqa: PLC0415
        from dask_kubernetes_helm.releases.lifecycle import Plan  # noqa: PLC0415 - its libraries are slow to import

        said: dict[str, Any] = {}
        if self.n_workers is not None:
            said["worker"] = {"replicas": worker_count(self.n_workers, "n_workers")}
        if self.image is not None:
            said["image"] = image_values(self.image)
        own = [Layer("arguments of HelmCluster", said)] if said else []
        read = layers(self.values, self.environment)
        return Plan(name, self.namespace, read + own, self.chart, self.auth, self.timeout, self.shutdown_on_close)


def chart_reference(chart: Any) -> str | None:
    """Where a chart is, as text.

    Raises
    ------
    InvalidTypeError
    """
    if chart is not None and not isinstance(chart, str | os.PathLike):
        raise InvalidTypeError(
            f"chart is {chart!r} ({type(chart).__name__}), not a path or text",
            cure="Name a folder, a packed .tgz, 'repo/chart' or 'oci://...', or leave it out for the packaged one.",
        )
    return None if chart is None else os.fspath(chart)


def layers(values: Any, environment: str | None = None) -> list[Layer]:
    """Read values; see `values.layers`. An image's tag ``match-client`` becomes that of this client's versions."""
    from dask_kubernetes_helm.chartvalues import values as reader  # noqa: PLC0415 - its libraries are slow to import

    return versions.settled(reader.layers(values, environment))


def wanted_replicas(layers: list[Layer]) -> int | None:
    """The number of workers that layers of values ask for; None where they don't."""
    from dask_kubernetes_helm.chartvalues.values import merge  # noqa: PLC0415 - its libraries are slow to import

    worker: Any = merge(*(layer.mapping for layer in layers)).get("worker") or {}
    replicas = worker.get("replicas")
    return replicas if isinstance(replicas, int) else None


def release_name(name: str | None, *, attach: bool) -> str:
    """The release's name from a template; a name to attach to is taken as it is.

    Raises
    ------
    InvalidNameError
    """
    template = config.get("name", name)
    if not isinstance(template, str):
        raise InvalidTypeError(f"name is {template!r} ({type(template).__name__}), not text", cure="Give a name.")
    return naming.validate(template) if attach else naming.expand(template, os.environ)


def worker_count(value: Any, name: str) -> int:
    """A number of workers: any kind of integer from 0 on.

    Raises
    ------
    InvalidTypeError, InvalidArgumentError

    Examples
    --------
    >>> worker_count(3, "n")
    3
    """
    try:
        if isinstance(value, bool):
            raise TypeError  # noqa: TRY301 - a bool is an int for Python, not for people
        count = operator.index(value)
    except TypeError:
        raise InvalidTypeError(
            f"{name} is {value!r} ({type(value).__name__}), not an integer", cure="Give 0, 1, 2, ..."
        ) from None
    if count < 0:
        raise InvalidArgumentError(f"{name} is {count}, it can't be negative", cure="Give 0, 1, 2, ...")
    return count


def image_values(image: str) -> dict[str, str]:
    """The chart's `image` values from an image's name.

    Examples
    --------
    >>> image_values("localhost:5000/dask:2026.8.0")
    {'repository': 'localhost:5000/dask', 'tag': '2026.8.0'}

    The tag ``match-client`` is that of Dask's own images with this client's versions of Dask and Python.
    """
    match = _IMAGE.fullmatch(image) if isinstance(image, str) else None
    if not match:
        raise InvalidArgumentError(
            f"image is {image!r}, which names no image",
            cure="Give repository[:tag][@sha256:...], such as ghcr.io/dask/dask:2026.8.0, in lower case.",
        )
    parts = {key: part for key, part in match.groupdict().items() if part}
    if parts.get("tag") == versions.MATCH_CLIENT:
        parts["tag"] = versions.own_tag()
    return parts


def group_values(
    name: str,
    n_workers: int,
    *,
    image: str | None = None,
    resources: Mapping[str, Any] | None = None,
    dask_resources: Mapping[str, float] | None = None,
    env: Mapping[str, Any] | None = None,
    values: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The chart's values for a new worker group; see `HelmCluster.add_worker_group`.

    Raises
    ------
    InvalidArgumentError, InvalidTypeError

    Examples
    --------
    >>> group_values("gpu", 0, dask_resources={"GPU": 1})
    {'worker': {'groups': {'gpu': {'replicas': 0, 'daskResources': {'GPU': 1}}}}}
    """
    if not isinstance(name, str) or not _GROUP.fullmatch(name) or name == contract.DEFAULT_GROUP:
        raise InvalidArgumentError(
            f"{name!r} can't be the name of a new worker group",
            cure="Give up to 20 lower-case letters, digits and '-', a letter first; 'default' is the worker itself.",
        )
    group = {**(values or {}), "replicas": worker_count(n_workers, "n_workers")}
    if image is not None:
        group["image"] = image_values(image)
    if resources is not None:
        group["resources"] = dict(resources)
    if dask_resources is not None:
        group["daskResources"] = dict(dask_resources)
    if env is not None:
        group["env"] = [{"name": key, "value": str(value)} for key, value in env.items()]
    return {"worker": {"groups": {name: group}}}
