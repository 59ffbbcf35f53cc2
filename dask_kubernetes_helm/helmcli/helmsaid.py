"""What helm says when it fails, as our errors.

Belongs here: reading helm's standard error. Never here: running helm (helm.py does).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from dask_kubernetes_helm.errors import (
    ApiUnreachableError,
    ChartError,
    HelmClusterError,
    HelmError,
    NamespaceNotFoundError,
    ReleaseExistsError,
    ReleaseNotFoundError,
    ValuesError,
    ValuesSchemaError,
)
from dask_kubernetes_helm.kubeapi.kubesaid import forbidden

CHART_CURE = (
    "Name a folder, a packed .tgz, a repository's 'repo/chart' or 'oci://...', or leave `chart` out for "
    "the packaged one."
)


def translate(stderr: bytes, namespace: str) -> HelmClusterError:
    """Our error for one of helm's, told by what helm printed.

    pyhelm3's own classes say little: most failures of today's helm arrive as its bare `Error`.
    """
    said = _said(stderr)
    for pattern, make in _MEANINGS:
        match = re.search(pattern, said, re.DOTALL)
        if match:
            return make(match, said, namespace)
    return HelmError(f"helm failed: {said[-1000:]}")


def _said(stderr: bytes) -> str:
    """What helm printed, without its log lines and its prefix."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    kept = [line for line in lines if not re.match(r"(level=|WARNING:|W\d{4} |I\d{4} )", line)]
    return re.sub(r"^Error: (INSTALLATION FAILED: |UPGRADE FAILED: )?", "", "\n".join(kept))


_Meaning = Callable[["re.Match[str]", str, str], HelmClusterError]
_MEANINGS: list[tuple[str, _Meaning]] = [
    (
        r"cannot re-?use a name that is still in use|release: already exists",
        lambda match, said, namespace: ReleaseExistsError(
            "A release of this name exists already",
            cure="Attach to it with HelmCluster.from_name, choose another name, or remove it with helm uninstall.",
        ),
    ),
    (
        r"release: not found",
        lambda match, said, namespace: ReleaseNotFoundError("There is no such release", cure="See helm list."),
    ),
    (
        r"namespaces \"([^\"]+)\" not found",
        lambda match, said, namespace: NamespaceNotFoundError(
            f"There is no namespace {match[1]!r}", cure=f"Create it: kubectl create namespace {match[1]}."
        ),
    ),
    (r"is forbidden: User|cannot \w+ resource", lambda match, said, namespace: forbidden(said, namespace)),
    (
        r"cluster unreachable|connection refused|no such host|i/o timeout",
        lambda match, said, namespace: ApiUnreachableError(
            f"helm reaches no Kubernetes API: {said}", cure="Check the kubeconfig's context."
        ),
    ),
    (
        r"values don't meet the specifications of the schema",
        lambda match, said, namespace: ValuesSchemaError(said, cure="Correct the values."),
    ),
    (
        r"execution error at \(([^)]*)\): (.*)",
        lambda match, said, namespace: ValuesError(f"The chart refuses these values: {match[2].strip()}"),
    ),
    (
        r"another operation \(install/upgrade/rollback\) is in progress",
        lambda match, said, namespace: HelmError(
            "Another helm is at work on this release, or one was killed half-way",
            cure="Wait for it, or remove the release with helm uninstall.",
        ),
    ),
    (
        r"https://([^/\"]+)/v2/(\S+?)/(?:tags|manifests)/\S+ http: server gave HTTP response to HTTPS client",
        lambda match, said, namespace: ChartError(
            f"The registry {match[1]} speaks plain http, which helm takes only where it is told to",
            cure=f"Fetch the chart yourself (helm pull oci://{match[1]}/{match[2]} --plain-http), and name the .tgz.",
        ),
    ),
    (
        (
            r"repo \S+ not found|failed to (download|do request|perform|render)|not a valid chart|"
            r"chart .* not found|Chart.yaml"
        ),
        lambda match, said, namespace: ChartError(f"The chart can't be had: {said}", cure=CHART_CURE),
    ),
]
