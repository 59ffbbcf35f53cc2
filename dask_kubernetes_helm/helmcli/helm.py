"""The door to Helm: every call of the helm binary, with a deadline, errors translated.

Belongs here: one method per thing that we ask of helm, one values mapping in. Never here: knowing Dask or pods.

pyhelm3 builds the commands; how they run is ours, because its own runner can't be cancelled or timed out: it ends the
shell and leaves helm behind. Values travel by standard input and credentials by environment, so that no secret is in
an argument list.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import shutil
import signal
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyhelm3
from pyhelm3.command import Command as PyhelmCommand

from dask_kubernetes_helm.auth import Credentials
from dask_kubernetes_helm.errors import (
    ChartError,
    HelmClusterError,
    HelmTimeoutError,
    ReleaseNotFoundError,
)
from dask_kubernetes_helm.helmcli import helmsaid
from dask_kubernetes_helm.helmcli.helmsaid import CHART_CURE, translate

logger = logging.getLogger(__name__)

_REMOTE = re.compile(r"\w[\w+.-]*://\S+|[\w-]+/[\w-]+")
#: The first that installs by server-side apply. https://helm.sh/docs/overview/
_APPLIES = (4,)
#: Seconds between asking helm to stop and making it.
_GRACE = 1.5


class _Command(PyhelmCommand):  # type: ignore[misc] # pyhelm3 is untyped
    """pyhelm3's commands, run in a session of their own so that nothing outlives a deadline or a cancellation."""

    def __init__(
        self,
        executable: str,
        environment: Mapping[str, str],
        deadline: float,
        unpack_directory: str | None = None,
    ) -> None:
        super().__init__(executable=executable, default_timeout=f"{deadline:.0f}s", unpack_directory=unpack_directory)
        self._environment, self._deadline = environment, deadline

    async def run(self, command: list[Any], input: bytes | None = None) -> bytes:  # noqa: A002 - pyhelm3's name
        arguments = [str(part) for part in command]
        logger.debug("helm %s", " ".join(arguments))
        payload = None if input is None else join_surrogates(input.decode()).encode()
        process = await asyncio.create_subprocess_exec(
            self._executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE if payload is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self._environment},
            start_new_session=True,
        )
        try:
            stdout, stderr = await asyncio.wait_for(process.communicate(payload), self._deadline)
        except asyncio.TimeoutError as error:
            raise HelmTimeoutError(
                f"helm {arguments[0]} did not end within {self._deadline:.0f} s",
                cure="Check that the API server answers; kubernetes.helm.timeout allows more.",
            ) from error
        finally:
            await _end(process)
        if process.returncode:
            raise pyhelm3.Error(process.returncode, stdout, stderr)
        return stdout


def join_surrogates(text: str) -> str:
    r"""JSON with characters beyond 16 bits as they are, which Helm's YAML parser does not join from JSON's two escapes.

    Examples
    --------
    >>> join_surrogates(r'"\ud83d\ude00"') == '"\U0001f600"'
    True
    """
    pairs = r"\\\\|\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}"
    return re.sub(pairs, lambda match: match[0] if match[0] == "\\\\" else json.loads(f'"{match[0]}"'), text)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave no process, whichever way the waiting ended; a cancellation must not interrupt it."""
    if process.returncode is not None:
        return

    async def end() -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE)
                return

    ending, cancelled = asyncio.ensure_future(end()), False
    while not ending.done():
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:  # an interruption cancels twice: Dask's, and ours
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError


class Helm:
    """A helm binary, in one namespace of one cluster.

    Parameters
    ----------
    executable : str
        Path of the binary.
    credentials : Credentials
        What to authenticate with.
    namespace : str
        Where the releases are.
    timeout : float
        Seconds that one call may take.
    """

    def __init__(self, executable: str, credentials: Credentials, namespace: str, timeout: float) -> None:
        self.executable, self._credentials, self.namespace, self._timeout = (
            executable,
            credentials,
            namespace,
            timeout,
        )
        self.version: tuple[int, ...] = ()

    @property
    def applies(self) -> bool:
        """Whether it installs by server-side apply."""
        return self.version >= _APPLIES

    @classmethod
    async def find(cls, credentials: Credentials, namespace: str, executable: str | None, timeout: float) -> Helm:
        """The helm to use, once its version is known to do.

        Raises
        ------
        HelmNotFoundError, HelmVersionError
        """
        name = executable or "helm"
        path = shutil.which(Path(name).expanduser())
        if path is None:
            raise helmsaid.absent(name)
        helm = cls(path, credentials, namespace, timeout)
        helm.version = await helm._read_version()
        return helm

    async def _read_version(self) -> tuple[int, ...]:
        try:
            printed = await _Command(self.executable, {}, min(self._timeout, 20)).run(
                ["version", "--template", "{{.Version}}"]
            )
        except OSError as error:
            raise helmsaid.no_helm(self.executable, f"did not start: {error.strerror or error}") from error
        except pyhelm3.Error as error:
            said = helmsaid.last_words(error.returncode, error.stderr or error.stdout or b"")
            raise helmsaid.no_helm(self.executable, said) from error
        return helmsaid.version(self.executable, printed)

    async def install(self, release: str, chart: Path, values: Mapping[str, Any], labels: Mapping[str, str]) -> None:
        """Install a release; refuses when one of that name exists.

        pyhelm3 has only `upgrade --install`, by which a second user's cluster would become the first one's revision 2.
        """
        pairs = ",".join(f"{key}={value}" for key, value in labels.items())
        command = [
            "install",
            release,
            chart,
            "--namespace",
            self.namespace,
            "--labels",
            pairs,
            "--values",
            "-",
        ]
        with self._command(release) as helm:
            await helm.run([*command, "--timeout", f"{self._timeout:.0f}s"], json.dumps(values).encode())

    async def upgrade(self, release: str, chart: Path, values: Mapping[str, Any]) -> None:
        """Upgrade a release to exactly these values."""
        with self._command(release) as helm:
            await helm.install_or_upgrade(
                release,
                chart,
                dict(values),
                create_namespace=False,
                namespace=self.namespace,
                reset_values=True,
            )

    async def rendered(self, release: str, chart: Path, values: Mapping[str, Any], *, upgrade: bool) -> str:
        """The manifests that an install or upgrade would send; the cluster is looked at, nothing is changed."""
        act = ["upgrade", "--reset-values"] if upgrade else ["install"]
        command = [*act, release, chart, "--namespace", self.namespace, "--dry-run=server", "--output", "json"]
        with self._command(release) as helm:
            printed = await helm.run([*command, "--values", "-"], json.dumps(values).encode())
        return str(json.loads(printed)["manifest"])

    async def manifest(self, release: str) -> str:
        """The manifests that a release's newest revision has sent."""
        with self._command(release) as helm:
            return (await helm.run(["get", "manifest", release, "--namespace", self.namespace])).decode()

    async def uninstall(self, release: str) -> None:
        """Remove a release; nothing to do where there is none."""
        with contextlib.suppress(ReleaseNotFoundError), self._command(release) as helm:
            await helm.uninstall(release, namespace=self.namespace)

    async def values(self, release: str) -> dict[str, Any]:
        """What was given to the release, without the chart's defaults."""
        with self._command(release) as helm:
            printed = await helm.run(["get", "values", release, "--namespace", self.namespace, "--output", "json"])
        return dict(json.loads(printed) or {})

    @contextlib.asynccontextmanager
    async def unpacked(self, chart: str) -> AsyncIterator[Path]:
        """A chart's folder: its own, or a temporary one for a .tgz, a repository's chart or an OCI reference.

        Raises
        ------
        ChartError
        """
        path = Path(chart).expanduser()
        if path.is_dir():
            yield path
            return
        if not path.is_file() and not _REMOTE.fullmatch(chart):
            raise ChartError(f"There is no chart at {path.resolve()}", cure=CHART_CURE)
        with tempfile.TemporaryDirectory(prefix="dask-helm-") as folder:
            if path.is_file():
                await asyncio.to_thread(_unpack, path, folder)
            else:
                with self._command(None, unpack_directory=folder) as helm:
                    await helm.pull(chart)
            found = next(Path(folder).rglob("Chart.yaml"), None)
            if found is None:
                raise ChartError(f"{chart} holds no chart", cure=CHART_CURE)
            yield found.parent

    @contextlib.contextmanager
    def _command(self, release: str | None, unpack_directory: str | None = None) -> Iterator[_Command]:
        with self._credentials.helm_environment() as environment:
            try:
                yield _Command(self.executable, environment, self._timeout, unpack_directory)
            except pyhelm3.Error as error:
                raise translate(error.stderr, self.namespace).concerning(release, self.namespace) from error
            except HelmClusterError as error:
                raise error.concerning(release, self.namespace) from error.__cause__


def _unpack(archive: Path, folder: str) -> None:
    try:
        with tarfile.open(archive) as file:
            file.extractall(folder, filter="data")
    except (tarfile.TarError, OSError) as error:
        raise ChartError(f"{archive} is not a packed chart: {error}", cure=CHART_CURE) from error
