"""From a pod template's command and args to what the chart starts.

Belongs here: finding Dask's command among words and in shell scripts, and splitting it into what starts it and what it
is told. Never here: what an option means (meanings.py), or the rest of a pod (translation.py).
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dask_kubernetes_helm.errors import PodTemplateError
from dask_kubernetes_helm.podtemplates import meanings, options, scripts
from dask_kubernetes_helm.podtemplates.meanings import Found, NotUnderstoodError
from dask_kubernetes_helm.podtemplates.options import Kind
from dask_kubernetes_helm.podtemplates.scripts import Edit, Simple

Role = Literal["worker", "scheduler"]
_SCRIPTS: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "dask-worker": ("worker", ("worker",)),
    "dask-scheduler": ("scheduler", ("scheduler",)),
    "dask-cuda-worker": ("cuda", ("cuda", "worker")),
}
_VERBS: dict[tuple[str, ...], Kind] = {verb: kind for kind, verb in _SCRIPTS.values()}
_MODULES: dict[str, Kind] = {
    "distributed.cli.dask_worker": "worker",
    "distributed.cli.dask_scheduler": "scheduler",
    "dask_cuda.cli.dask_cuda_worker": "cuda",
}
_PYTHON = re.compile(r"python(\d+(\.\d+)?)?")
_SHELLS = ("sh", "bash", "dash", "ash", "zsh", "ksh")
_ALL_ARGUMENTS = ('"$@"', "$@", '"${@}"', "${@}", "$*", '"$*"')


@dataclass(frozen=True)
class Command:
    """What a container starts.

    Attributes
    ----------
    kind : {"worker", "scheduler", "cuda"}
        Which of Dask's commands it is.
    command, program, extra_args : tuple of str
        The container's command (empty: the image's entrypoint), what starts Dask, and what follows the chart's own
        arguments. Of a raw one the first two are the template's command and args, None where it has none.
    found : Found
        What the options say.
    raw : bool
        No command of Dask was found, or none that could be taken apart: it stays as it is.
    notes : tuple of str
        What is carried out otherwise.
    """

    kind: Kind
    command: tuple[str, ...] | None = ()
    program: tuple[str, ...] | None = ()
    extra_args: tuple[str, ...] = ()
    found: Found = field(default_factory=Found)
    raw: bool = False
    notes: tuple[str, ...] = ()

    def values(self) -> dict[str, Any]:
        """The chart's keys for it; a raw one has none."""
        found = self.found
        own = () if self.kind == "cuda" else ("dask", self.kind)
        said = {
            "command": [] if self.raw else list(self.command or ()),
            "program": [] if self.raw or self.program == own else list(self.program or ()),
            "extraArgs": list(self.extra_args),
            "threads_per_worker": found.threads,
            # Text: Helm reads a number of this size as a float.
            "memory_limit": found.memory and str(found.memory),
            "daskResources": found.resources,
            "custom_scheduler_url": found.scheduler,
        }
        values = {key: value for key, value in said.items() if value}
        if found.nanny is not None:
            values["nanny"] = found.nanny
        if not self.raw and not self.program:
            values["program"] = []
        return values


@dataclass(frozen=True)
class _Match:
    """Where Dask's command stands, and how it is written today."""

    start: int
    end: int
    kind: Kind
    program: tuple[str, ...]


def read(container: Mapping[str, Any], role: Role) -> Command:
    """What Dask's container starts.

    Parameters
    ----------
    container : mapping
        With `command` and `args`, as Kubernetes has them.
    role : {"worker", "scheduler"}
        What it is to be.

    Raises
    ------
    PodTemplateError
        It starts the other role's command.

    Examples
    --------
    >>> command = read({"args": ["dask-worker", "--nthreads", "2", "--no-dashboard"]}, "worker")
    >>> command.program, command.extra_args, command.values()
    (('dask', 'worker'), ('--no-dashboard',), {'extraArgs': ['--no-dashboard'], 'threads_per_worker': 2})
    """
    before, after = container.get("command"), container.get("args")
    words = [*(before or ()), *(after or ())]
    held = len(before or ())
    try:
        command = _in_script(words, held) or _in_words(words, held)
    except NotUnderstoodError as error:
        return _raw(container, role, f" ({error})")
    if command is None:
        return _raw(container, role, "")
    if (command.kind == "scheduler") != (role == "scheduler"):
        raise PodTemplateError(
            f"The {role}'s container starts {shlex.join([*(command.command or ()), *(command.program or ())])!r}",
            cure=f"Give it `dask {role}`, or leave command and args out.",
        )
    return command


def _raw(container: Mapping[str, Any], role: Role, reason: str) -> Command:
    told = {
        "worker": "It has to go by DASK_SCHEDULER_ADDRESS, and to tell Dask its threads and memory.",
        "scheduler": "It has to listen on 8786, with its dashboard on 8787.",
    }
    note = (
        f"No dask-{role} was found in command and args that could be given the chart's own arguments{reason}, so the "
        f"container runs what it is told as it stands. {told[role]}"
    )
    command, args = (
        None if part is None else tuple(part) for part in (container.get("command"), container.get("args"))
    )
    return Command(role, command, args, raw=True, notes=(note,))


# Words --------------------------------------------------------------------------------------------------


def _find(words: Sequence[str]) -> _Match | None:
    for start, word in enumerate(words):
        name = posixpath.basename(word)
        folder = word[: len(word) - len(name)]
        if name in _SCRIPTS:
            kind, verb = _SCRIPTS[name]
            return _Match(start, start + 1, kind, (f"{folder}dask", *verb))
        if name == "dask":
            match = _verb(words, start, start + 1)
        elif _PYTHON.fullmatch(name):
            match = _module(words, start)
        else:
            continue
        if match:
            return match
    return None


def _verb(words: Sequence[str], start: int, position: int) -> _Match | None:
    for verb, kind in _VERBS.items():
        end = position + len(verb)
        if tuple(words[position:end]) == verb:
            return _Match(start, end, kind, tuple(words[start:end]))
    return None


def _module(words: Sequence[str], start: int) -> _Match | None:
    position = start + 1
    while position < len(words) and words[position].startswith("-") and words[position] != "-m":
        position += 2 if words[position] in ("-W", "-X") else 1
    module = words[position + 1] if words[position : position + 1] == ["-m"] and position + 1 < len(words) else ""
    if module in _MODULES:
        end = position + 2
        return _Match(start, end, _MODULES[module], tuple(words[start:end]))
    return _verb(words, start, position + 2) if module == "dask" else None


def _in_words(words: list[str], held: int) -> Command | None:
    match = _find(words)
    if not match:
        return None
    items = options.read(words[match.end :], match.kind)
    passed, more, found = meanings.judge(items, match.kind)
    # What dask-cuda is told is written out, as it takes fewer options than the chart gives.
    carried = [
        item.words if one is None and match.kind == "cuda" else one for item, one in zip(items, passed, strict=True)
    ]
    extra = [word for part in carried if part for word in part]
    prefix = words[: match.start]
    # As much of it as the container's command held stays there, its program at least where that began there.
    kept = held if held <= match.start else match.start + 1
    whole = [*prefix, *match.program]
    return Command(
        match.kind,
        tuple(whole[:kept]),
        tuple(whole[kept:]),
        (*more, *extra),
        found,
        notes=tuple(found.notes),
    )


# Shell scripts ------------------------------------------------------------------------------------------


def _in_script(words: list[str], held: int) -> Command | None:
    position = _script_at(words)
    if position is None:
        return None
    first = _find(words)
    if first and first.start < position:
        return None
    script, parameters = words[position], words[position + 1 :]
    simples = scripts.parse(script)
    if simples is None:
        if "dask" in script:
            raise NotUnderstoodError("its script has more in it than can be followed")
        return None
    matches = [(simple, match) for simple in simples if (match := _find(simple.values))]
    if not matches:
        if first and not scripts.uses_parameters(script):
            raise NotUnderstoodError("its script makes no use of its arguments")
        return None
    if len(matches) > 1:
        raise NotUnderstoodError("its script has several of Dask's commands")
    simple, match = matches[0]
    return _rewritten(words[:position], script, parameters, simple, match, held=held)


def _script_at(words: Sequence[str]) -> int | None:
    """Where the script of `sh -c` stands."""
    for start, word in enumerate(words):
        if posixpath.basename(word) not in _SHELLS:
            continue
        position, asked = start + 1, False
        while position < len(words) and re.match(r"[-+]", words[position]):
            flags = re.fullmatch(r"[-+]([A-Za-z]+)", words[position])
            asked = asked or bool(flags and "c" in flags[1])
            position += 2 if flags and "o" in flags[1] else 1
        if asked and position < len(words):
            return position
    return None


def _rewritten(
    before: list[str], script: str, parameters: list[str], simple: Simple, match: _Match, *, held: int
) -> Command:
    told = simple.words[match.end :]
    own = [word for word in told if word.text in _ALL_ARGUMENTS]
    rest = [word for word in told if word not in own]
    items = options.read([word.value for word in rest], match.kind)
    given = options.read(parameters[1:] if own else [], match.kind)
    joined = [*items, *given]
    passed, more, found = meanings.judge(joined, match.kind)
    edits = [Edit(word.start, word.end, "") for word in own]
    for item, one in zip(items, passed, strict=False):
        words = rest[item.start : item.end]
        keep = item.words if one is None else one
        if keep != item.words or item.was:
            edits.append(Edit(words[0].start, words[-1].end, " ".join(scripts.quoted(word) for word in keep)))
    if scripts.uses_parameters(scripts.edited(script, [Edit(word.start, word.end, "") for word in own])):
        raise NotUnderstoodError("its script looks at its own arguments")
    at, end = simple.words[match.start].start, simple.words[match.end - 1].end
    edits.append(Edit(at, end, " ".join([*map(scripts.quoted, match.program), '"$@"'])))
    place = simple.exec_at(script)
    if place is not None:
        edits.append(Edit(place, place, "exec "))
    name = parameters[0] if parameters else posixpath.basename(_shell(before))
    whole = [*before, scripts.edited(script, edits), name]
    late = [
        word
        for item, one in zip(given, passed[len(items) :], strict=True)
        for word in ((item.words if match.kind == "cuda" else ()) if one is None else one)
    ]
    kept = min(held, len(whole))
    return Command(
        match.kind, tuple(whole[:kept]), tuple(whole[kept:]), (*more, *late), found, notes=tuple(found.notes)
    )


def _shell(words: Sequence[str]) -> str:
    return next(word for word in reversed(words) if posixpath.basename(word) in _SHELLS)
