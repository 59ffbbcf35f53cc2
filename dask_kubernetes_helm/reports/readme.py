"""The first thing to read in an archive for a bug report.

Belongs here: its text. Never here: what is in the archive (collecting.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from dask_kubernetes_helm.reports.forms import MASK

_TELLS = {
    "diagnosis.txt": "what is wrong, and what to do",
    "lost-workers.json": "which workers went, when and why",
    "events.txt": "what Kubernetes tells, the newest last (events.json: the same for programs)",
    "startup.txt": "how long the start took, pod by pod (startup.json)",
    "logs/": "each container's log; .previous.log is of its life before this one",
    "manifests/": "the release's objects; of Secrets only what they are called and hold",
    "namespace/": "quotas and limits that bind the release",
    "helm/": "what Helm was given (values.json), and of which chart (release.json)",
    "dask/": "versions of client, scheduler and workers, the scheduler's state, what was done to the number of workers",
    "kubernetes.json": "versions of Kubernetes; its nodes, where the credentials may see them",
    "permissions.json": "what the credentials that collected this may do",
}


def text(release: str, namespace: str, when: datetime, files: Iterable[str], missing: Mapping[str, str]) -> str:
    """The README of an archive.

    Parameters
    ----------
    release, namespace : str
        Whose archive it is.
    when : datetime
        When it was collected.
    files : iterable of str
        What is in it.
    missing : mapping
        What could not be had, and why.
    """
    files = list(files)
    there = {name: told for name, told in _TELLS.items() if any(file.startswith(name) for file in files)}
    width = max(map(len, there), default=0)
    lines = [
        f"Release {release} in namespace {namespace}, collected {when:%Y-%m-%d %H:%M:%S} UTC.",
        "",
        "What is in it:",
        *(f"  {name.ljust(width)}  {told}" for name, told in there.items()),
        "",
        "What could not be had:" if missing else "Nothing was missing.",
        *(f"  {name}: {reason}" for name, reason in sorted(missing.items())),
        "",
        f"Secrets are left out: data of Secrets, and what looks like one elsewhere, where it reads {MASK}. Logs hold",
        "what your code prints, so look through them before you give this away.",
    ]
    return "\n".join(lines) + "\n"
