"""Where KubeCluster's pod templates come from.

Belongs here: looking an argument and the configuration through, and reading files. Never here: what a template means
(translation.py).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dask.config

from dask_kubernetes_helm import config
from dask_kubernetes_helm.chartvalues import values
from dask_kubernetes_helm.errors import InvalidTypeError, PodTemplateError, ValuesFileError
from dask_kubernetes_helm.podtemplates import podmodel

Pod = dict[str, Any]


def worker(given: Any) -> Pod:
    """The workers' template: what is given, else what the configuration has.

    Parameters
    ----------
    given : V1Pod, mapping or path, optional
        As `KubeCluster` was told.

    Raises
    ------
    PodTemplateError
        There is none, or it can't be used.
    """
    found = _find(given, "worker")
    if found is None:
        raise PodTemplateError(
            "Worker pod specification not provided. See KubeCluster docstring for ways to specify workers. Looked at "
            f"pod_template, kubernetes.worker-template, kubernetes.worker-template-path{_files_read()}",
            cure="KubeCluster.from_yaml('worker-spec.yml') names a file; make_pod_spec(image=...) makes a template.",
        )
    return found


def scheduler(given: Any) -> Pod | None:
    """The scheduler's template, if one is given or configured; see `worker`."""
    return _find(given, "scheduler")


def read(path: str | os.PathLike[str]) -> Pod:
    """A template from a YAML file, environment variables expanded.

    Raises
    ------
    PodTemplateError
        It can't be read, or is no pod template.
    """
    try:
        layer = values.read(Path(path))
    except ValuesFileError as error:
        told = error.message.replace("values file", "pod template file", 1)
        raise PodTemplateError(told, cure=f"Looked at {Path(path).expanduser().resolve()}.") from error
    return _judged(dask.config.expand_environment_variables(layer.mapping), str(path))


def from_given(given: Any) -> Pod:
    """A template from what a caller has: a path, a mapping or a V1Pod."""
    if isinstance(given, str | os.PathLike):
        return read(given)
    if isinstance(given, Mapping) or hasattr(given, "attribute_map"):
        return _judged(podmodel.plain(given), "pod_template")
    raise InvalidTypeError(
        f"The pod template is {type(given).__name__}",
        cure="Give a V1Pod, a mapping, or the path of a YAML file.",
    )


def _find(given: Any, role: str) -> Pod | None:
    if given is not None:
        return from_given(given)
    if configured := config.get(f"{role}-template"):
        source = f"kubernetes.{role}-template"
        if not isinstance(configured, Mapping):
            raise InvalidTypeError(
                f"{source} is {type(configured).__name__}, not a mapping",
                cure=f"A file's path belongs to {source}-path.",
            )
        return _judged(dask.config.expand_environment_variables(podmodel.plain(configured)), source)
    if path := config.get(f"{role}-template-path"):
        try:
            return read(str(path).format(**os.environ))
        except (KeyError, IndexError, ValueError) as error:
            if isinstance(error, PodTemplateError):
                raise
            raise PodTemplateError(
                f"kubernetes.{role}-template-path is {path!r}, whose field {error} is no environment variable",
                cure="Set that variable, or correct the path.",
            ) from error
    return None


def _judged(pod: Any, source: str) -> Pod:
    if isinstance(pod, Mapping) and (kind := pod.get("kind") or "Pod") != "Pod":
        raise PodTemplateError(
            f"kind is {kind!r}, where a pod template has 'Pod' (in {source})",
            cure="Give the pod alone: a Deployment or a Job has it under spec.template.",
        )
    try:
        podmodel.check(pod)
    except PodTemplateError as error:
        raise PodTemplateError(f"{error.message} (in {source})", cure=error.cure) from error
    return dict(pod)


def _files_read() -> str:
    """The configuration files that Dask has read, for who believes to have configured a template."""
    folders = [str(folder) for folder in dask.config.paths if Path(folder).is_dir()]
    return f" of the configuration (files in {', '.join(folders)})" if folders else " of the configuration"
