"""Errors about what a caller has given: arguments, pod templates, values."""

from __future__ import annotations

from dask_kubernetes_helm.errors.base import HelmClusterError


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


class NotStartedError(HelmClusterError, RuntimeError):
    """A cluster for a running event loop was used outside of one, or before it was awaited."""


class ValuesError(HelmClusterError, ValueError):
    """The values can't be used."""


class ValuesFileError(ValuesError):
    """A values file is missing, not YAML, not a mapping, or uses an undefined variable."""


class UnknownEnvironmentError(ValuesError):
    """No values file has the environment's name."""


class ValuesSchemaError(ValuesError):
    """The chart's schema refuses a key or a value."""


class TemplateWarning(UserWarning):
    """Something of a pod template, or of a call written for classic dask-kubernetes, is carried out otherwise."""
