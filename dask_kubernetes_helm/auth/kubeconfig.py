"""Kubeconfig files, read as kubectl reads them; a part of the door to the `kubernetes` library, which knows providers.

Belongs here: files, merging, contexts, and what the library gets wrong or keeps to itself. Never here: other ways to
authenticate (ways.py). No text of a kubeconfig gets into a message; the library's hold whole entries, tokens included.

Sources: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/ and
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.dateutil import parse_rfc3339
from kubernetes.aio.config.exec_provider import ExecProvider
from kubernetes.aio.config.kube_config import ConfigNode, FileOrData, KubeConfigLoader, KubeConfigMerger

from dask_kubernetes_helm.errors import KubeConfigError
from dask_kubernetes_helm.text import did_you_mean

logger = logging.getLogger(__name__)

_SECTIONS = ("clusters", "users", "contexts")


@dataclass(frozen=True)
class Loaded:
    """What a context of a kubeconfig came to.

    Attributes
    ----------
    paths : str
        The files, as $KUBECONFIG names them.
    context : str
        The chosen context's name.
    expires : datetime, optional
        When a plugin's credentials end, if it said so.
    """

    paths: str
    context: str
    namespace: str | None
    configuration: Configuration = field(repr=False)
    expires: dt.datetime | None = None
    #: The command that logs in; empty where there is none.
    plugin: str = ""


async def load(paths: str, context: str | None, *, persist: bool) -> Loaded:
    """Read a context's credentials.

    Parameters
    ----------
    paths : str
        A file, or several as in $KUBECONFIG: of things that have the same name, the first one counts.
    context : str, optional
        By default the current one.
    persist : bool
        Write tokens that were refreshed back to the file.

    Raises
    ------
    KubeConfigError
        Names the file, and what is wrong with it.
    """
    paths = os.pathsep.join(str(Path(part).expanduser()) for part in paths.split(os.pathsep) if part)
    files = _read_all(paths)
    chosen = _choose(files, context, paths)
    entry = _entry(files, chosen, paths)
    merger = KubeConfigMerger(os.pathsep.join(files))
    configuration = Configuration()
    try:
        loader = _Loader(merger.config, active_context=chosen, config_base_path=None)
        loader._config_persister = _persister(merger) if persist else None  # noqa: SLF001 - it has no other way in
        await loader.load_and_set(configuration)
    except Exception as error:
        if isinstance(error, ConfigException) and str(error).startswith("Invalid kube-config"):
            raise _unusable(paths, _missing_key(str(error))) from None  # its text may hold secrets
        raise _unusable(paths, _reason(error)) from error
    user = _named(files, "users").get(entry.get("user", ""), {})
    plugin = Path(str((user.get("exec") or {}).get("command") or "")).name
    return Loaded(paths, chosen, entry.get("namespace"), configuration, loader.expires, plugin)


class _Loader(KubeConfigLoader):  # type: ignore[misc] # the library is untyped
    """The library's loader, but a plugin that fails is an error: the library's logs it and goes on as nobody."""

    expires: dt.datetime | None = None
    _user: Any

    def set_active_context(self, context_name: str | None = None) -> None:
        super().set_active_context(context_name)
        if self._user is None:
            self._user = ConfigNode("user", {})

    async def load_from_exec_plugin(self) -> bool:
        plugin = dict(self._user["exec"].value)
        if "/" in (command := str(plugin.get("command", ""))):
            plugin["command"] = str(Path(self._get_base_path(self._user.path)) / command)
        try:
            status = await ExecProvider(ConfigNode("exec", plugin)).run() or {}
        except (OSError, ConfigException) as error:
            hint = str(plugin.get("installHint") or "").strip()
            raise ConfigException(
                f"its plugin {command} failed: {_reason(error)}{'; ' + hint if hint else ''}"
            ) from error
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        if not status.get("token") and not (certificate and key):
            raise ConfigException(f"its plugin {command} gave neither a token nor a certificate with its key")
        if status.get("token"):
            self.token = f"Bearer {status['token']}"
        if certificate and key:
            self.cert_file, self.key_file = _as_file(certificate), _as_file(key)
        if status.get("expirationTimestamp"):
            self.expires = parse_rfc3339(status["expirationTimestamp"])
        return True


def _as_file(pem: str) -> str:
    return str(FileOrData({"it": pem}, "file", "it", base64_file_content=False).as_file())


def _persister(merger: KubeConfigMerger) -> Any:
    def save(_: Any) -> None:
        try:
            merger.save_changes()
        except OSError as error:
            logger.warning("A refreshed token was not written back to the kubeconfig: %s", error)

    return save


# Files --------------------------------------------------------------------------------------------------


def _read_all(paths: str) -> dict[str, dict[str, Any]]:
    """What each of the files holds, of those that are there."""
    files = {part: content for part in paths.split(os.pathsep) if (content := _read(part)) is not None}
    if not files:
        variable = os.environ.get("KUBECONFIG")
        said = f"KUBECONFIG is {variable!r}" if variable else "KUBECONFIG is not set"
        looked = " or ".join(part for part in paths.split(os.pathsep) if part)
        raise KubeConfigError(f"There is no kubeconfig at {looked} ({said})")
    if not any(files.values()):
        raise _unusable(paths, "it is empty")
    return {part: content for part, content in files.items() if content}


def _read(path: str) -> dict[str, Any] | None:
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise _unusable(path, "it is a directory" if Path(path).is_dir() else "it is no regular file")
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise _unusable(path, f"it is not valid YAML{where}") from None  # its text shows the line, token and all
    except UnicodeDecodeError:
        raise _unusable(path, "it is not UTF-8 text") from None
    except OSError as error:
        raise _unusable(path, _reason(error)) from error
    content = {} if content is None else content
    if not isinstance(content, dict):
        raise _unusable(path, f"it holds a {type(content).__name__}, not a mapping")
    for section in _SECTIONS:
        entries = content.get(section) or []
        if not isinstance(entries, list) or not all(_is_entry(item, section[:-1]) for item in entries):
            raise _unusable(path, f"its {section} are no list of entries with a 'name' and a {section[:-1]!r}")
    return content


def _is_entry(item: Any, kind: str) -> bool:
    return isinstance(item, dict) and bool(item.get("name")) and isinstance(item.get(kind), dict)


# Contexts -----------------------------------------------------------------------------------------------


def _named(files: dict[str, dict[str, Any]], section: str) -> dict[str, dict[str, Any]]:
    """All entries of a section by name; the first of a name counts."""
    found: dict[str, dict[str, Any]] = {}
    for content in files.values():
        for item in content.get(section) or []:
            found.setdefault(item["name"], item[section[:-1]])
    return found


def _choose(files: dict[str, dict[str, Any]], context: str | None, paths: str) -> str:
    contexts = _named(files, "contexts")
    current = next((content["current-context"] for content in files.values() if content.get("current-context")), None)
    has = f"it has: {', '.join(map(str, contexts)) or 'none'}"
    if context is None and current is None:
        raise KubeConfigError(f"The kubeconfig {paths} names no current-context, and none was given; {has}")
    chosen = context or current
    if chosen not in contexts:
        named = "" if context else ", which it names as its current one"
        near = did_you_mean(chosen, map(str, contexts))
        raise KubeConfigError(
            f"The kubeconfig {paths} has no context {chosen!r}{named}; {has}{near}",
            cure="" if near else "Name one of these, or set KUBECONFIG to the file that has it.",
        )
    return str(chosen)


def _entry(files: dict[str, dict[str, Any]], chosen: str, paths: str) -> dict[str, Any]:
    """The context, once it is known that what it names is there."""
    entry = _named(files, "contexts")[chosen]
    for kind in ("cluster", "user"):
        name, there = entry.get(kind), _named(files, f"{kind}s")
        if name not in there and (name or kind == "cluster"):
            has = ", ".join(map(str, there)) or "none"
            raise _unusable(
                paths, f"its context {chosen!r} names the {kind} {name!r}, which it does not have; it has: {has}"
            )
    if not _named(files, "clusters")[entry["cluster"]].get("server"):
        raise _unusable(paths, f"its cluster {entry['cluster']!r} has no server")
    return entry


# Reasons ------------------------------------------------------------------------------------------------


def _unusable(path: str, reason: str) -> KubeConfigError:
    return KubeConfigError(f"The kubeconfig {path} can't be used: {reason}")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{': ' + str(error.filename) if error.filename else ''}"
    return re.sub(r"b(['\"])(.*)\1", r"\2", str(error)).rstrip(".")  # a plugin's last words come as bytes


def _missing_key(text: str) -> str:
    match = re.search(r"Expected key (\S+) in", text)
    return f"the key {match[1]!r} is missing" if match else "it has not the form of a kubeconfig"
