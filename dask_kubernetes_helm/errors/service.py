"""Errors of Helm, of the Kubernetes API, and of a number of workers that was not changed."""

from __future__ import annotations

from dask_kubernetes_helm.errors.base import HelmClusterError


class HelmError(HelmClusterError):
    """Helm refused."""


class HelmNotFoundError(HelmError):
    """No helm binary was found."""


class HelmVersionError(HelmError):
    """The helm binary can't be used: too old, or not a release build."""


class HelmTimeoutError(HelmError):
    """Helm did not end within its deadline."""


class ChartError(HelmError):
    """There is no chart there, or it does not render."""


class ReleaseNotFoundError(HelmError):
    """There is no such release of this chart."""


class WrongChartError(ReleaseNotFoundError):
    """There is a release of this name, but of another chart."""


class ReleaseExistsError(HelmError):
    """A release of this name exists already."""


class KubernetesError(HelmClusterError):
    """The Kubernetes API refused or can't be reached.

    Parameters
    ----------
    status : int, optional
        The HTTP status that the API server answered.
    """

    def __init__(self, message: str, *, status: int | None = None, cure: str = "") -> None:
        super().__init__(message, cure=cure)
        self.status = status


class KubeConfigError(KubernetesError):
    """There is no usable way to authenticate with a cluster."""


class ApiUnreachableError(KubernetesError):
    """No API server answers at the address."""


class UnauthorizedError(KubernetesError):
    """The API server does not accept the credentials."""


class ForbiddenError(KubernetesError):
    """The credentials lack a permission."""


class NamespaceNotFoundError(KubernetesError):
    """The namespace does not exist."""


class WorkloadNotFoundError(KubernetesError):
    """No object carries the chart's labels."""


class TlsSecretError(WorkloadNotFoundError):
    """The Secret with the certificates for Dask's comms is not there, or lacks some."""


class WorkerGroupNotFoundError(KubernetesError):
    """The release has no such worker group."""


class ScalingError(HelmClusterError):
    """The number of workers was not changed."""


class ScaleConflictError(ScalingError):
    """Somebody else changes the number of workers."""


class ResultsAtStakeError(ScalingError):
    """No worker would be left to hold the results that are in memory."""


class PreloadMissingError(ScalingError):
    """Pods run without the chart's preload, so Kubernetes would have to pick those that leave."""


class RolloutInProgressError(ScalingError, TimeoutError):
    """A rollout of the workers did not end in time."""


class AgentMissingError(ScalingError):
    """The release has no agent, which is what adapts."""
