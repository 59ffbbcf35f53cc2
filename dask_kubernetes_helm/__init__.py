"""Dask on Kubernetes from one Helm chart and one Python package."""

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from pathlib import Path as _Path
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

import dask.widgets as _widgets

from dask_kubernetes_helm import config
from dask_kubernetes_helm.classic import KubeCluster
from dask_kubernetes_helm.cluster import HelmCluster
from dask_kubernetes_helm.podtemplates.podspec import clean_pod_template, make_pod_from_dict, make_pod_spec

if _TYPE_CHECKING:
    from dask_kubernetes_helm.auth import ClusterAuth, InCluster, KubeAuth, KubeConfig

config.register()
_widgets.TEMPLATE_PATHS.append(str(_Path(__file__).parent / "widgets"))

__version__ = _version("dask-kubernetes-helm")

__all__ = [
    "ClusterAuth",
    "HelmCluster",
    "InCluster",
    "KubeAuth",
    "KubeCluster",
    "KubeConfig",
    "clean_pod_template",
    "config",
    "make_pod_from_dict",
    "make_pod_spec",
]

#: Imported when they are asked for: the library behind them takes a second.
_LATE = ("ClusterAuth", "InCluster", "KubeAuth", "KubeConfig")


def __getattr__(name: str) -> _Any:
    if name in _LATE:
        return getattr(_import_module("dask_kubernetes_helm.auth"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
