"""What helm says, of itself and when it fails, as our errors.

Belongs here: reading what helm prints, its version and its standard error. Never here: running helm (helm.py does).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from dask_kubernetes_helm.errors import (
    ApiUnreachableError,
    ChartError,
    HelmClusterError,
    HelmError,
    HelmNotFoundError,
    HelmVersionError,
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


#: The first that labels a release's record (`helm install --labels`), which is how we know our own.
MINIMUM = (3, 13)
HOW_TO_GET_HELM = (
    "Install Helm 4 (macOS: brew install helm; Windows: winget install Helm.Helm; conda: conda install -c conda-forge "
    "kubernetes-helm; else https://helm.sh/docs/intro/install), or name it in the configuration "
    "(kubernetes.helm.executable). Attaching with HelmCluster.from_name needs no helm."
)
_NEEDED = "helm is needed to create, upgrade and remove clusters"
#: Characters of what a binary says that are shown.
_SHOWN = 200


def absent(name: str) -> HelmNotFoundError:
    """Why there is no binary of that name."""
    path = Path(name).expanduser()
    if path.is_dir():
        reason = f"{name} is a folder"
    elif path.is_file() and path.name != name:
        reason = f"{name} is not executable (chmod +x makes it so)"
    else:
        reason = f"there is no {name}" if path.name != name else f"there is no {name!r} on PATH"
    return HelmNotFoundError(f"{_NEEDED}, and {reason}", cure=HOW_TO_GET_HELM)


def no_helm(executable: str, said: str) -> HelmNotFoundError:
    """The error that says that a binary is no helm that runs."""
    return HelmNotFoundError(f"{_NEEDED}, and {executable} is none: `version` {said}", cure=HOW_TO_GET_HELM)


def last_words(code: int, said: bytes) -> str:
    r"""How a binary ended, and what it said.

    Examples
    --------
    >>> last_words(3, b"no such flag\n")
    'ended with exit code 3: no such flag'
    """
    text = _line(said)
    return f"ended with exit code {code}{': ' + text if text else ''}"


def _line(said: bytes) -> str:
    return " ".join(said.decode(errors="replace").split())[:_SHOWN]


def version(executable: str, printed: bytes) -> tuple[int, ...]:
    """The version that a helm prints, when it is one that does.

    Raises
    ------
    HelmNotFoundError, HelmVersionError
    """
    text = _line(printed)
    if not re.match(r"v?\d", text):
        raise no_helm(executable, f"printed {text!r}")
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", text)
    if not match:
        raise HelmVersionError(
            f"{executable} calls itself version {text!r}, which is not a released version's form (SemVer, such as "
            "v4.1.4)",
            cure=f"It was built without its version stamped in: take a release build. {HOW_TO_GET_HELM}",
        )
    found = tuple(int(part) for part in match.groups())
    if found[:2] < MINIMUM:
        raise HelmVersionError(
            f"{executable} is version {text}, {MINIMUM[0]}.{MINIMUM[1]} or later is needed", cure=HOW_TO_GET_HELM
        )
    return found


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
