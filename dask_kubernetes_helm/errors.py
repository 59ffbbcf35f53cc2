"""What can go wrong, in our words: the one tree of exceptions.

Belongs here: a class per meaning that a caller may want to catch. Never here: imports, or text about one
particular failure (that is said where it is raised). The tree::

    HelmClusterError                     everything that this package raises on purpose
      InvalidArgumentError               a value that can't be meant (also a ValueError)
        InvalidNameError                 a release name that Kubernetes or Helm would refuse
        PodTemplateError                 a pod template that can't be used, or none anywhere
        DeployModeError                  neither local nor remote (also a RuntimeError, as in classic dask-kubernetes)
      InvalidTypeError                   an argument of the wrong type (also a TypeError)
        InvalidSecurityError             security is no distributed.security.Security (also a RuntimeError)
        InvalidAuthError                 auth is no way to authenticate (also a ValueError)
      ClusterClosedError                 a closed cluster was used
      ValuesError                        the values can't be used (also a ValueError)
        ValuesFileError                  missing, not YAML, not a mapping, undefined variable
        UnknownEnvironmentError          no such file in values/
        ValuesSchemaError                the chart's schema refuses a key or a value
      HelmError                          helm refused
        HelmNotFoundError                no helm binary
        HelmVersionError                 a helm that can't be used
        HelmTimeoutError                 helm did not end in time
        ChartError                       no chart there, or it does not render
        ReleaseNotFoundError
        ReleaseExistsError
      KubernetesError                    the API refused or can't be reached
        KubeConfigError                  no usable way to authenticate
        ApiUnreachableError
        UnauthorizedError
        ForbiddenError                   names the verb and the object
        NamespaceNotFoundError
        WorkloadNotFoundError            no object carries the chart's labels
          TlsSecretError                 the Secret of certificates is not there, or lacks some
        WorkerGroupNotFoundError
      ScalingError                       the number of workers was not changed
        ScaleConflictError               somebody else changes it
        ResultsAtStakeError              nobody would be left to hold the results
        PreloadMissingError              Kubernetes would have to pick who leaves
        RolloutInProgressError           (also a TimeoutError)
        AgentMissingError                the release has no agent, which adapts
      StartError                         pods did not come up
        ImagePullError
        CrashLoopError                   a container ends as soon as it starts
          OutOfMemoryError               it was killed for its memory
        MissingObjectError               a Secret, ConfigMap or volume that a pod names is not there
          MissingServiceAccountError     (also a PodCreationError)
        UnschedulableError
        PodCreationError                 Kubernetes refused to create the pod
          QuotaExceededError
          AdmissionError                 Pod Security, a LimitRange or a webhook
        PodLostError                     a pod was taken away
          EvictedError
          NodeLostError
          PreemptedError
        StartTimeoutError                (also a TimeoutError)
          LoadBalancerTimeoutError       no load balancer was provisioned in time
      SchedulerUnreachableError          pods are up, the port is not
      VersionMismatchError               client and image have versions that are known not to work together
      PortInUseError                     the asked-for local port is taken (also an OSError)
    TemplateWarning                      (a UserWarning) something of a pod template is carried out otherwise
    VersionMismatchWarning               (a UserWarning) client and image have different versions
"""

from __future__ import annotations


class HelmClusterError(Exception):
    """Base of everything that this package raises on purpose.

    Parameters
    ----------
    message : str
        What failed, as one sentence without its full stop.
    cure : str, optional
        What to do next.
    release, namespace : str, optional
        Which release it concerns; said in the text as well.
    object : str
        Which Kubernetes object, as kubectl has it (``"pod/demo-worker-0"``); empty where it is about none.
    reason : str
        Kubernetes' own word for it (``"ImagePullBackOff"``); empty where there is none.

    Examples
    --------
    >>> str(HelmClusterError("no scheduler", cure="Look at its pod.", release="demo", namespace="lab"))
    'no scheduler (release demo, namespace lab). Look at its pod.'
    """

    def __init__(
        self,
        message: str,
        *,
        cure: str = "",
        release: str | None = None,
        namespace: str | None = None,
        object: str = "",  # noqa: A002 - Kubernetes' word
        reason: str = "",
    ) -> None:
        self.message, self.cure, self.release, self.namespace = message, cure, release, namespace
        self.object, self.reason = object, reason
        super().__init__(message)

    def __str__(self) -> str:
        named = {"release": self.release, "namespace": self.namespace}
        where = ", ".join(f"{word} {name}" for word, name in named.items() if name)
        text = f"{self.message} ({where})" if where else self.message
        stop = "" if text.endswith("?") else "."
        return f"{text}{stop} {self.cure}" if self.cure else text

    def concerning(self, release: str | None, namespace: str | None) -> HelmClusterError:
        """This error, told which release it concerns, where it does not know yet."""
        self.release = self.release or release
        self.namespace = self.namespace or namespace
        return self


class InvalidArgumentError(HelmClusterError, ValueError):
    """An argument that can't be meant."""


class InvalidNameError(InvalidArgumentError):
    """A release name that Kubernetes or Helm would refuse."""


class PodTemplateError(InvalidArgumentError):
    """A pod template that can't be used, or none anywhere."""


class DeployModeError(InvalidArgumentError, RuntimeError):
    """A deploy mode that is neither local nor remote."""


class InvalidTypeError(HelmClusterError, TypeError):
    """An argument of the wrong type."""


class InvalidSecurityError(InvalidTypeError, RuntimeError):
    """Something else than a `distributed.security.Security`."""


class InvalidAuthError(InvalidTypeError, ValueError):
    """Something else than ways to authenticate."""


class ClusterClosedError(HelmClusterError):
    """A closed cluster was used."""


class ValuesError(HelmClusterError, ValueError):
    """The values can't be used."""


class ValuesFileError(ValuesError):
    """A values file is missing, not YAML, not a mapping, or uses an undefined variable."""


class UnknownEnvironmentError(ValuesError):
    """No values file has the environment's name."""


class ValuesSchemaError(ValuesError):
    """The chart's schema refuses a key or a value."""


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


class TemplateWarning(UserWarning):
    """Something of a pod template, or of a call written for classic dask-kubernetes, is carried out otherwise."""


class VersionMismatchWarning(UserWarning):
    """Client and image have different versions of Python, Dask, or what carries its messages."""
