"""Errors about pods that do not come up, or are not reached."""

from __future__ import annotations

from dask_kubernetes_helm.errors.base import HelmClusterError


class StartError(HelmClusterError):
    """Pods did not come up."""


class ImagePullError(StartError):
    """A container image can't be pulled."""


class CrashLoopError(StartError):
    """A container ends as soon as it starts."""


class OutOfMemoryError(CrashLoopError):
    """A container was killed because it took more memory than its limit."""


class MissingObjectError(StartError):
    """Something that a pod names is not there: a Secret, a ConfigMap, a volume."""


class UnschedulableError(StartError):
    """No node takes the pod."""


class PodCreationError(StartError):
    """Kubernetes refused to create the pod."""


class QuotaExceededError(PodCreationError):
    """The namespace's quota has no room for the pod."""


class AdmissionError(PodCreationError):
    """Pod Security, a LimitRange or a webhook does not admit the pod."""


class MissingServiceAccountError(PodCreationError, MissingObjectError):
    """The pod's service account is not there."""


class PodLostError(StartError):
    """A pod was taken away while it was needed."""


class EvictedError(PodLostError):
    """A node, or whoever drains it, has sent the pod away."""


class NodeLostError(PodLostError):
    """The pod's node is gone, or does not answer."""


class PreemptedError(PodLostError):
    """The pod had to make room for one that is more important."""


class StartTimeoutError(StartError, TimeoutError):
    """What was waited for did not happen in time."""


class LoadBalancerTimeoutError(StartTimeoutError):
    """The cloud has provisioned no load balancer in time."""


class SchedulerUnreachableError(HelmClusterError):
    """The scheduler's pod is up, but its port does not answer."""


class VersionMismatchError(HelmClusterError):
    """Client and image have versions that are known not to work together."""


class PortInUseError(HelmClusterError, OSError):
    """The local port that was asked for is taken."""


class VersionMismatchWarning(UserWarning):
    """Client and image have different versions of Python, Dask, or what carries its messages."""
