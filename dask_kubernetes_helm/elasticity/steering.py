"""What this process and the release's agent have to say to each other.

Belongs here: steering the agent, and being there for it. Never here: changing a number of pods ourselves (scaling.py),
or what the agent does (see chart/files).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Any

from dask_kubernetes_helm import contract, naming
from dask_kubernetes_helm.desk import Desk
from dask_kubernetes_helm.errors import AgentMissingError, HelmClusterError
from dask_kubernetes_helm.releases.release import Release

#: Seconds between signs of life; the agent takes us for gone after 15. The replies tell what it has done since, so
#: that within ten seconds users hear where that comes to nothing.
ATTENDANCE = 2.5


class Steering:
    """Steers the agent of a release.

    Parameters
    ----------
    release : Release
        Whose agent.
    desk : Desk
        The door to its scheduler.
    grown : callable, optional
        Called where the agent is found to have asked for more workers.
    """

    def __init__(self, release: Release, desk: Desk, grown: Callable[[], None] = lambda: None) -> None:
        self._release, self._desk, self._grown = release, desk, grown
        #: What was last said of a group: bounds, or None to leave it alone.
        self._said: dict[str, dict[str, Any] | None] = {}
        self._agent = ""
        self._attending: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Give signs of life from now on."""
        self._attending = asyncio.create_task(self._attend())

    async def close(self) -> None:
        """Give no more signs of life; the agent goes on."""
        if self._attending is not None:
            self._attending.cancel()
            await asyncio.gather(self._attending, return_exceptions=True)

    async def adapt(self, group: str, bounds: dict[str, Any]) -> None:
        """Have a group follow its work.

        Raises
        ------
        WorkerGroupNotFoundError
        AgentMissingError
        """
        deployment = self._release.deployment(group)
        if await self._desk.adapt(group=group, deployment=deployment, who=who(), bounds=bounds) is None:
            raise AgentMissingError(
                "The release has no agent, which is what adapts",
                cure="Upgrade it to the packaged chart with agent.enabled=true; or use scale(n).",
            ).concerning(self._release.name, self._release.namespace)
        self._said[group] = bounds

    async def rest(self, group: str) -> None:
        """Have the agent leave a group's number alone; a scheduler that is away has nothing to leave."""
        self._said[group] = None
        with contextlib.suppress(OSError):
            known = (await self._desk.rest(group)).get("replicas")
            if known is not None:
                self._release.replicas[group] = known

    async def returned(self) -> None:
        """The scheduler has started anew: tell its agent what the old one knew."""
        for group, bounds in list(self._said.items()):
            with contextlib.suppress(OSError, HelmClusterError):
                await (self.rest(group) if bounds is None else self.adapt(group, bounds))

    async def tell_settings(self) -> None:
        """Tell the agent of the settings that an upgrade has brought."""
        selector = contract.selector(self._release.name, contract.AGENT)
        for item in await self._release.kube.find("configmaps", selector):
            with contextlib.suppress(OSError):
                await self._desk.tell_settings(item["data"][contract.SETTINGS])

    async def _attend(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                said = dict(self._said)
                reply = await self._desk.attend(who())
                if reply is None:  # a release without an agent
                    return
                if self._agent not in ("", reply["agent"]):
                    await self.returned()
                else:
                    self._note(reply["groups"], said)
                self._agent = reply["agent"]
            await asyncio.sleep(ATTENDANCE)

    def _note(self, groups: dict[str, dict[str, Any]], asked: dict[str, dict[str, Any] | None]) -> None:
        """Take over what the agent has done, and forget what somebody else has said otherwise since."""
        before = sum(self._release.replicas.values())
        for group, state in groups.items():
            if group in self._release.groups and state["replicas"] is not None and state["adapts"]:
                self._release.replicas[group] = state["replicas"]
            if group in asked and self._said.get(group) is asked[group]:
                said = asked[group]
                mine = {"minimum": said["minimum"], "maximum": said["maximum"]} if said else {}
                if state != {"replicas": state["replicas"], "adapts": said is not None, **mine}:
                    del self._said[group]
        if sum(self._release.replicas.values()) > before:
            self._grown()


def who() -> str:
    """Who this is, for others."""
    return f"{naming.user()}@{socket.gethostname()} (process {os.getpid()})"
