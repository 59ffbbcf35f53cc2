"""Versions of Python, Dask and what carries its messages: compared with those of the image, and the image that fits.

Belongs here: judging them, on plain data, and the tag `match-client`. Never here: asking a scheduler (connected.py).

Sources: https://distributed.dask.org/en/stable/serialization.html (functions travel by cloudpickle, messages by
msgpack) and https://github.com/cloudpipe/cloudpickle (what one Python has pickled is for the same Python).
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dask_kubernetes_helm import config
from dask_kubernetes_helm.errors import InvalidArgumentError

if TYPE_CHECKING:
    from dask_kubernetes_helm.chartvalues.values import Layer

#: The tag that stands for the client's own versions.
MATCH_CLIENT = "match-client"
OFF, WARN, ERROR = "off", "warn", "error"
#: What is compared, and how many numbers of a version have to agree: for all to be well, and for anything to work.
_JUDGED = {"python": (2, 2), "dask": (3, 1), "distributed": (3, 1), "msgpack": (1, 1), "cloudpickle": (1, 1)}


@dataclass(frozen=True)
class Comparison:
    """A client's versions beside those of a scheduler or a worker.

    Parameters
    ----------
    whose : str
        Who the other is, as a column's head.
    mine, other : mapping
        Versions by package.

    Examples
    --------
    >>> old = {"python": "3.12.4", "dask": "2025.1.0", "distributed": "2025.1.0"}
    >>> found = Comparison("scheduler", {"python": "3.11.7", "dask": "2026.8.0", "distributed": "2026.8.0"}, old)
    >>> print(found.table)
    package      this client  scheduler
    python       3.11.7       3.12.4     breaks
    dask         2026.8.0     2025.1.0   breaks
    distributed  2026.8.0     2025.1.0   breaks
    """

    whose: str
    mine: Mapping[str, str]
    other: Mapping[str, str]

    @property
    def differing(self) -> list[str]:
        """Packages whose difference may matter."""
        return [package for package in _JUDGED if self._differs(package, 0)]

    @property
    def breaking(self) -> list[str]:
        """Packages whose difference is known to break."""
        return [package for package in _JUDGED if self._differs(package, 1)]

    def _differs(self, package: str, degree: int) -> bool:
        numbers = _JUDGED[package][degree]
        mine, other = (_numbers(versions.get(package, "")) for versions in (self.mine, self.other))
        return bool(mine and other) and mine[:numbers] != other[:numbers]

    @property
    def table(self) -> str:
        """All of it, for people."""
        rows = [("package", "this client", self.whose, "")]
        for package in _JUDGED:
            if package in self.mine or package in self.other:
                said = "breaks" if package in self.breaking else "differs" if package in self.differing else ""
                rows.append((package, self.mine.get(package, "-"), self.other.get(package, "-"), said))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
        )

    @property
    def sentence(self) -> str:
        """What is the matter."""
        what = ", ".join(self.breaking or self.differing)
        how = "which is known to break" if self.breaking else "which may break"
        return f"{self.whose.capitalize()} and client differ in {what}, {how}:\n{self.table}\n"

    @property
    def cure(self) -> str:
        """Which image to take, or which packages to install."""
        image = f'Take an image with the client\'s versions: image="ghcr.io/dask/dask:{client_tag(self.mine)}", '
        image += f'or "REPOSITORY:{MATCH_CLIENT}"'
        if "python" in self.differing:
            here = ".".join(map(str, _numbers(self.other["python"])[:2]))
            return f"{image}; or run the client with Python {here}{self._pip(' and ')}."
        return f"{image}; or install the {self.whose}'s here:{self._pip(' ')}."

    def _pip(self, joint: str) -> str:
        packages = [f"{name}=={self.other[name]}" for name in self.differing if name != "python"]
        return f"{joint}pip install {' '.join(packages)}" if packages else ""


def _numbers(version: str) -> list[int]:
    """The release's numbers of a version."""
    match = re.match(r"\d+(\.\d+)*", version)
    return [int(part) for part in match[0].split(".")] if match else []


def wanted(value: Any = None) -> str:
    """What is to be done where versions differ: off, warn or error.

    Raises
    ------
    InvalidArgumentError

    Examples
    --------
    >>> wanted("error"), wanted(False)  # YAML reads `off` as false
    ('error', 'off')
    """
    given = config.get("version-check", value)
    said = OFF if given is False else given
    if said not in (OFF, WARN, ERROR):
        raise InvalidArgumentError(
            f"kubernetes.version-check is {given!r}", cure=f"Give {OFF}, {WARN} or {ERROR}; see docs/connections.md."
        )
    return str(said)


def told(reply: Mapping[str, Any]) -> dict[str, str]:
    """Versions by package, of what Dask's `versions` answers.

    Examples
    --------
    >>> told({"host": {}, "packages": {"python": "3.11.7.final.0", "dask": "2026.8.0", "lz4": None}})
    {'python': '3.11.7', 'dask': '2026.8.0'}
    """
    found = {name: version for name, version in reply.get("packages", {}).items() if name in _JUDGED and version}
    if "python" in found:
        found["python"] = ".".join(found["python"].split(".")[:3])
    return found


# The image that fits --------------------------------------------------------------------------------------


def client_tag(mine: Mapping[str, str]) -> str:
    """The tag of Dask's own images that has the same versions.

    Source: https://github.com/dask/dask-docker#readme

    Examples
    --------
    >>> client_tag({"dask": "2026.8.0+4.gabcdef", "python": "3.11.7"})
    '2026.8.0-py3.11'
    """
    dask, python = _numbers(mine["dask"]), _numbers(mine["python"])
    return f"{'.'.join(map(str, dask))}-py{python[0]}.{python[1]}"


def own_tag() -> str:
    """The tag that `match-client` stands for here."""
    import dask  # noqa: PLC0415 - loaded already wherever it counts

    return client_tag({"dask": dask.__version__, "python": platform.python_version()})


def matched(values: Any, tag: str) -> Any:
    """Values with the tag in the place of each image's `match-client`.

    Examples
    --------
    >>> matched({"image": {"tag": "match-client"}, "worker": {"env": ["match-client"]}}, "1-py3.11")
    {'image': {'tag': '1-py3.11'}, 'worker': {'env': ['match-client']}}
    """
    if not isinstance(values, dict):
        return values
    return {
        key: {**item, "tag": tag}
        if key == "image" and isinstance(item, dict) and item.get("tag") == MATCH_CLIENT
        else matched(item, tag)
        for key, item in values.items()
    }


def settled(layers: list[Layer]) -> list[Layer]:
    """Layers of values with this client's tag in the place of `match-client`."""
    tag = own_tag()
    return [replace(layer, mapping=matched(layer.mapping, tag)) for layer in layers]
