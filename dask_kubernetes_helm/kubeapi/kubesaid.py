"""What the Kubernetes API says when it refuses, as our errors.

Belongs here: reading status codes and messages. Never here: making requests (kube.py does).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import ssl
from collections.abc import Iterable

from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.errors import (
    ApiUnreachableError,
    ForbiddenError,
    KubernetesError,
    NamespaceNotFoundError,
    UnauthorizedError,
    WorkloadNotFoundError,
)
from dask_kubernetes_helm.text import did_you_mean

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_MAY_NOT = re.compile(r'cannot (?P<verb>\w+) resource "(?P<resource>[\w./-]+)"(?: in API group "(?P<group>[^"]*)")?')
_USER = re.compile(r'User "([^"]+)" cannot')


def translate(status: int, text: str, request: str, namespace: str, credentials: Credentials) -> KubernetesError:
    """Our error for an answer that is none.

    Parameters
    ----------
    status : int
        HTTP's.
    text : str
        The answer's body: a `Status` object in JSON, or what a proxy said.
    request : str
        What was asked.
    namespace : str
        Where.
    credentials : Credentials
        As whom, and of whom.
    """
    message = _message(text)
    if status == _UNAUTHORIZED:
        return UnauthorizedError(
            f"{credentials.server} does not accept the credentials of {credentials.origin}: they have expired, or are "
            "another cluster's",
            status=status,
            cure=credentials.login,
        )
    if status == _FORBIDDEN:
        return forbidden(message, namespace)
    if status == _NOT_FOUND and f'namespaces "{namespace}" not found' in message:
        return no_namespace(namespace, credentials)
    if status == _NOT_FOUND:
        return WorkloadNotFoundError(message, status=status, cure="Was it removed by somebody else?")
    return KubernetesError(f"{request} failed with {status}: {message}", status=status)


def _message(text: str) -> str:
    with contextlib.suppress(ValueError, AttributeError):  # a proxy's answer is no JSON object
        text = str(json.loads(text).get("message", text))
    return text.strip()[:500]


def forbidden(message: str, namespace: str) -> ForbiddenError:
    """The error that names the verb and the object, from the API server's own sentence."""
    match, user = _MAY_NOT.search(message), _USER.search(message)
    what = f"{match['verb']} {match['resource']}" if match else message
    asked = "Ask for a Role with that permission (docs/permissions.md has one to apply"
    if match:
        asked += f"; this verb alone: kubectl create role dask --verb={match['verb']} --resource="
        asked += f"{match['resource']}{'.' + match['group'] if match['group'] else ''} --namespace={namespace}"
    return ForbiddenError(
        f"{who(user[1] if user else '')} may not {what} in namespace {namespace}",
        status=_FORBIDDEN,
        cure=f"{asked}).",
    )


def who(user: str) -> str:
    """Whom a sentence is about: a user by name, where the API server has told it."""
    return f"User {user}" if user else "These credentials"


def no_namespace(namespace: str, credentials: Credentials, known: Iterable[str] = ()) -> NamespaceNotFoundError:
    """The error that says that the namespace does not exist; of those that do, which one is near."""
    return NamespaceNotFoundError(
        f"There is no namespace {namespace!r} at {credentials.server}{did_you_mean(namespace, known)}",
        status=_NOT_FOUND,
        cure=f"Create it (kubectl create namespace {namespace}) or name another.",
    )


def unreachable(error: BaseException, credentials: Credentials) -> ApiUnreachableError:
    """The error that says that nobody answers, or nobody whom the credentials trust."""
    refused = getattr(error, "certificate_error", None)
    if isinstance(refused, ssl.SSLCertVerificationError):
        return ApiUnreachableError(
            f"The certificate of {credentials.server} is not one that {credentials.origin} trusts: "
            f"{refused.verify_message}",
            cure="Is its certificate-authority that of the cluster as it is now? Fetch the kubeconfig anew; "
            "KubeAuth has it as ssl_ca_cert.",
        )
    reason = "no answer in time" if isinstance(error, asyncio.TimeoutError) else _reason(error)
    return ApiUnreachableError(
        f"No Kubernetes API answers at {credentials.server} ({credentials.origin}): {reason}",
        cure="Check that the cluster is up and that the kubeconfig's context is the one you mean.",
    )


def garbled(kind: str, credentials: Credentials) -> ApiUnreachableError:
    """The error that says that somebody answers, who is no Kubernetes API."""
    return ApiUnreachableError(
        f"What answers at {credentials.server} ({credentials.origin}) is no Kubernetes API: it sends {kind}",
        cure="Is a proxy or a login page in between? kubectl get --raw /version shows what it says.",
    )


def _reason(error: BaseException) -> str:
    """Why a connection failed, in the system's words; the HTTP library's have its own types in them."""
    cause = getattr(error, "os_error", error)
    number = getattr(cause, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return str(getattr(cause, "strerror", None) or error)
