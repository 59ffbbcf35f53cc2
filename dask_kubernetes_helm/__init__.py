"""Dask on Kubernetes from one Helm chart and one Python package."""

from importlib.metadata import version as _version
from pathlib import Path as _Path

import dask.widgets as _widgets

from dask_kubernetes_helm import config as _config
from dask_kubernetes_helm.cluster import HelmCluster

_config.register()
_widgets.TEMPLATE_PATHS.append(str(_Path(__file__).parent / "widgets"))

__version__ = _version("dask-kubernetes-helm")

__all__ = ["HelmCluster"]
