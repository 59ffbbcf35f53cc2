"""The options of Dask's own commands, of all releases: words become options.

Belongs here: which options there are, which take a value, and what became of those that are gone. Never here: what an
option means for the chart (commands.py), or a shell's quoting (scripts.py).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["worker", "scheduler", "cuda"]
#: How a template names the scheduler's address, which the chart gives itself.
ADDRESSES = ("$(DASK_SCHEDULER_ADDRESS)", "$DASK_SCHEDULER_ADDRESS", "${DASK_SCHEDULER_ADDRESS}")


@dataclass(frozen=True)
class Flag:
    """What click knows of an option."""

    key: str
    takes_value: bool
    multiple: bool = False


@dataclass(frozen=True)
class Item:
    """An option or an argument, and where it stood.

    Attributes
    ----------
    key : str
        The option's name for Dask, whatever it is spelled like; "scheduler" for the address, "" for what is not known.
    flag, value : str
        As today's Dask writes it.
    words : tuple of str
        What to pass for it today.
    start, end : int
        The words that it came from.
    was : str
        The retired flag that it was written with.
    """

    key: str
    flag: str
    value: str | None
    words: tuple[str, ...]
    start: int
    end: int
    was: str = ""


#: Options of dask-cuda, which is seldom there where clusters are made. None of it takes part in the chart's decisions.
_CUDA_VALUES = (
    "host nthreads name memory-limit device-memory-limit rmm-pool-size rmm-initial-pool-size rmm-maximum-pool-size "
    "rmm-release-threshold rmm-log-directory pid-file resources dashboard-address local-directory scheduler-file "
    "protocol interface preload death-timeout dashboard-prefix tls-ca-file tls-cert tls-key worker-class pre-import "
    "net-devices multiprocessing-method cudf-spill-stats preload-nanny"
)
_CUDA_FLAGS = (
    "dashboard no-dashboard nanny no-nanny rmm-managed-memory no-rmm-managed-memory rmm-async no-rmm-async "
    "rmm-track-allocations no-rmm-track-allocations set-rmm-allocator-for-libs shared-filesystem no-shared-filesystem "
    "enable-tcp-over-ucx disable-tcp-over-ucx enable-infiniband disable-infiniband enable-nvlink disable-nvlink "
    "enable-rdmacm disable-rdmacm enable-jit-unspill disable-jit-unspill enable-cudf-spill disable-cudf-spill"
)
#: What a port was, an address is.
_PORTS = ("--bokeh-port", "--bokeh-internal-port", "--diagnostics-port", "--http-port")
_RENAMED = {
    **dict.fromkeys(_PORTS, "--dashboard-address"),
    "--bokeh": "--dashboard",
    "--no-bokeh": "--no-dashboard",
    "--bokeh-prefix": "--dashboard-prefix",
}
_RENAMED_BY_KIND = {
    "worker": {"--nprocs": "--nworkers", "--ncores": "--nthreads", "--port": "--worker-port"},
    "scheduler": {"--prefix": "--dashboard-prefix"},
    "cuda": {},
}
#: Retired without a successor, and whether a value follows.
_GONE_FROM_WORKERS = {
    "--reconnect": False,
    "--no-reconnect": False,
    "--temp-filename": True,
    "--bokeh-worker-port": True,
}
_GONE = {
    "worker": _GONE_FROM_WORKERS,
    "scheduler": {
        "--bokeh-external-port": True,
        "--bokeh-whitelist": True,
        "--local-directory": True,
        "--log-level": True,
    },
    "cuda": _GONE_FROM_WORKERS,
}


@functools.cache
def flags(kind: Kind) -> dict[str, Flag]:
    """The options that a command of Dask has today."""
    if kind == "cuda":
        values = {
            f"--{name}": Flag(_key(name), takes_value=True, multiple="preload" in name) for name in _CUDA_VALUES.split()
        }
        bare = {f"--{name}": Flag(_key(name), takes_value=False) for name in _CUDA_FLAGS.split()}
        return {**values, **bare}
    from distributed.cli import dask_scheduler, dask_worker  # noqa: PLC0415 - slow to import

    command = dask_worker.main if kind == "worker" else dask_scheduler.main
    found = {}
    for parameter in command.params:
        for flag in (*parameter.opts, *parameter.secondary_opts):
            if flag.startswith("--"):
                found[flag] = Flag(parameter.name, not parameter.is_flag, parameter.multiple)
    return found


def read(words: Sequence[str], kind: Kind) -> list[Item]:
    """The options among the words that follow one of Dask's commands.

    Retired options come out under today's names. An option that is not known stays as it is with all that follows it up
    to the next option, as nobody can tell what of it is its value.

    Parameters
    ----------
    words : sequence of str
        What follows the command.
    kind : {"worker", "scheduler", "cuda"}
        Which command it is.

    Examples
    --------
    >>> [(item.flag, item.value) for item in read(["--nprocs", "2", "--no-bokeh"], "worker")]
    [('--nworkers', '2'), ('--no-dashboard', None)]
    """
    items: list[Item] = []
    position = 0
    while position < len(words):
        item = _next(words, position, kind)
        if item.key == "scheduler" and kind == "scheduler":
            item = replace(item, key="")  # a scheduler has no address to go to
        elif item.key == "scheduler" and item.value not in ADDRESSES and any(old.key == "scheduler" for old in items):
            item = replace(item, key="")  # click takes one; the others are a preload's arguments
        items.append(item)
        position = item.end
    return items


def superseded(items: Sequence[Item], kind: Kind) -> set[int]:
    """The positions of options that a later one takes the place of."""
    multiple = {flag.key for flag in flags(kind).values() if flag.multiple}
    last = {item.key: index for index, item in enumerate(items)}
    return {
        index
        for index, item in enumerate(items)
        if item.key not in ("", "scheduler", "gone", *multiple) and last[item.key] != index
    }


def _next(words: Sequence[str], start: int, kind: Kind) -> Item:
    word = words[start]
    if word == "--":
        return Item("", "", None, tuple(words[start:]), start, len(words))
    if not word.startswith("-") or word == "-":
        return Item("scheduler", "", word, (word,), start, start + 1)
    was, joined, _ = word.partition("=")
    flag = {**_RENAMED, **_RENAMED_BY_KIND[kind]}.get(was, was)
    gone = _GONE[kind].get(was)
    known = flags(kind).get(flag) if gone is None else Flag("gone", takes_value=gone)
    end = start + 2 if known and known.takes_value and not joined else start + 1
    if known is None or (joined and not known.takes_value) or end > len(words):
        return _unknown(words, start)
    retired = was if flag != was or known.key == "gone" else ""
    if not known.takes_value:
        return Item(known.key, flag, None, (flag,), start, end, retired)
    value = words[start + 1] if not joined else word.partition("=")[2]
    if was in _PORTS and ":" not in value:
        value = f":{value}"
    passed = (f"{flag}={value}",) if joined else (flag, value)
    return Item(known.key, flag, value, passed, start, end, retired)


def _unknown(words: Sequence[str], start: int) -> Item:
    end = start + 1
    while end < len(words) and not words[end].startswith("-") and words[end] not in ADDRESSES:
        end += 1
    return Item("", words[start], None, tuple(words[start:end]), start, end)


def _key(name: str) -> str:
    """One key for an option and its opposite."""
    for prefix in ("no-", "enable-", "disable-"):
        name = name.removeprefix(prefix)
    return name.replace("-", "_")
