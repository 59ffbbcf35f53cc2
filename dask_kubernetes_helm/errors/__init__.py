"""What can go wrong, in our words: the one tree of exceptions.

Belongs here: a class per meaning that a caller may want to catch. Never here: imports, or text about one
particular failure (that is said where it is raised).

`base` is the root; `given` has those about what a caller gave, `service` about Helm, the API and scaling, `pods` about
pods that don't come up or aren't reached. The tree::

    HelmClusterError                     everything that this package raises on purpose
      InvalidArgumentError               a value that can't be meant (also a ValueError)
        InvalidNameError                 a release name that Kubernetes or Helm would refuse
        PodTemplateError                 a pod template that can't be used, or none anywhere
        DeployModeError                  neither local nor remote (also a RuntimeError, as in classic dask-kubernetes)
      InvalidTypeError                   an argument of the wrong type (also a TypeError)
        InvalidSecurityError             security is no distributed.security.Security (also a RuntimeError)
        InvalidAuthError                 auth is no way to authenticate (also a ValueError)
      ClusterClosedError                 a closed cluster was used
      NotStartedError                    asynchronous, and not awaited or without a running loop (also a RuntimeError)
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
          WrongChartError                there is one of this name, but of another chart
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

from dask_kubernetes_helm.errors.base import (
    HelmClusterError,
)
from dask_kubernetes_helm.errors.given import (
    ClusterClosedError,
    DeployModeError,
    InvalidArgumentError,
    InvalidAuthError,
    InvalidNameError,
    InvalidSecurityError,
    InvalidTypeError,
    NotStartedError,
    PodTemplateError,
    TemplateWarning,
    UnknownEnvironmentError,
    ValuesError,
    ValuesFileError,
    ValuesSchemaError,
)
from dask_kubernetes_helm.errors.pods import (
    AdmissionError,
    CrashLoopError,
    EvictedError,
    ImagePullError,
    LoadBalancerTimeoutError,
    MissingObjectError,
    MissingServiceAccountError,
    NodeLostError,
    OutOfMemoryError,
    PodCreationError,
    PodLostError,
    PortInUseError,
    PreemptedError,
    QuotaExceededError,
    SchedulerUnreachableError,
    StartError,
    StartTimeoutError,
    UnschedulableError,
    VersionMismatchError,
    VersionMismatchWarning,
)
from dask_kubernetes_helm.errors.service import (
    AgentMissingError,
    ApiUnreachableError,
    ChartError,
    ForbiddenError,
    HelmError,
    HelmNotFoundError,
    HelmTimeoutError,
    HelmVersionError,
    KubeConfigError,
    KubernetesError,
    NamespaceNotFoundError,
    PreloadMissingError,
    ReleaseExistsError,
    ReleaseNotFoundError,
    ResultsAtStakeError,
    RolloutInProgressError,
    ScaleConflictError,
    ScalingError,
    TlsSecretError,
    UnauthorizedError,
    WorkerGroupNotFoundError,
    WorkloadNotFoundError,
    WrongChartError,
)

__all__ = [
    "AdmissionError",
    "AgentMissingError",
    "ApiUnreachableError",
    "ChartError",
    "ClusterClosedError",
    "CrashLoopError",
    "DeployModeError",
    "EvictedError",
    "ForbiddenError",
    "HelmClusterError",
    "HelmError",
    "HelmNotFoundError",
    "HelmTimeoutError",
    "HelmVersionError",
    "ImagePullError",
    "InvalidArgumentError",
    "InvalidAuthError",
    "InvalidNameError",
    "InvalidSecurityError",
    "InvalidTypeError",
    "KubeConfigError",
    "KubernetesError",
    "LoadBalancerTimeoutError",
    "MissingObjectError",
    "MissingServiceAccountError",
    "NamespaceNotFoundError",
    "NodeLostError",
    "NotStartedError",
    "OutOfMemoryError",
    "PodCreationError",
    "PodLostError",
    "PodTemplateError",
    "PortInUseError",
    "PreemptedError",
    "PreloadMissingError",
    "QuotaExceededError",
    "ReleaseExistsError",
    "ReleaseNotFoundError",
    "ResultsAtStakeError",
    "RolloutInProgressError",
    "ScaleConflictError",
    "ScalingError",
    "SchedulerUnreachableError",
    "StartError",
    "StartTimeoutError",
    "TemplateWarning",
    "TlsSecretError",
    "UnauthorizedError",
    "UnknownEnvironmentError",
    "UnschedulableError",
    "ValuesError",
    "ValuesFileError",
    "ValuesSchemaError",
    "VersionMismatchError",
    "VersionMismatchWarning",
    "WorkerGroupNotFoundError",
    "WorkloadNotFoundError",
    "WrongChartError",
]
