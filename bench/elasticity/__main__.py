"""The comparison: all peers in turns, several rounds, medians; see the package's charter."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import common
from bench.elasticity import calls, environments, report

#: Seconds that a round may take.
_DEADLINE = 300
#: Peers by the name of their module: what the reader calls them, and the file that pins them.
PEERS = {
    "plain": ("`kubectl apply` and `scale`, the limit", None),
    "ours": ("this project's HelmCluster", None),
    "operator": ("dask-kubernetes operator 2026.3.0", "operator.txt"),
    "classic": ("classic KubeCluster 2024.4.1, local mode", "classic.txt"),
    "old": ("old HelmCluster 2024.4.1", "classic.txt"),
}


def one_round(peer: str, python: Path) -> dict[str, Any]:
    """Figures of a peer in a namespace of its own; raises with the end of what it said."""
    with contextlib.ExitStack() as stack:
        namespace = stack.enter_context(environments.namespace())
        if peer == "operator":
            stack.enter_context(environments.operator(namespace, python))
        figures = stack.enter_context(_child(python, peer, namespace))
        figures["calls"] = calls.counted(namespace, figures["spans"])
    return figures


@contextlib.contextmanager
def _child(python: Path, peer: str, namespace: str) -> Iterator[dict[str, Any]]:
    command = [str(python), "-m", "bench.elasticity.drive", peer, namespace]
    with tempfile.TemporaryFile("w+") as said:
        # In a session of its own, so that it ends with all that it started, and only when told to.
        child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, text=True, cwd=common.ROOT, start_new_session=True
        )
        try:
            printed, _ = child.communicate(timeout=_DEADLINE)
            if child.returncode:
                said.seek(0)
                raise RuntimeError(said.read()[-2000:])
            yield json.loads(printed.splitlines()[-1])
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def measure(names: list[str], rounds: int) -> dict[str, list[dict[str, Any]]]:
    """All rounds of all peers, in turns; a round that fails is told of and left out."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    files = {name: PEERS[name][1] for name in names}
    pythons = {name: environments.interpreter(file) if file else Path(sys.executable) for name, file in files.items()}
    for number in range(rounds):
        for name in names:
            common.say(f"elasticity: {name}, round {number + 1} of {rounds}")
            try:
                found[name].append(one_round(name, pythons[name]))
            except (RuntimeError, SystemExit, subprocess.TimeoutExpired) as error:
                common.say(f"elasticity: {name} failed in round {number + 1}: {error}")
    return found


def main() -> None:
    """Measure, show, and write if asked to."""
    parser = argparse.ArgumentParser(prog="python -m bench.elasticity", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--peers", default=",".join(PEERS), help="default: %(default)s")
    parser.add_argument("--write", action="store_true", help="write docs/elasticity.md and its plot")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="keep the figures as JSON")
    parser.add_argument("--take", type=Path, metavar="FILE", help="take kept figures instead of measuring")
    options = parser.parse_args()
    names = options.peers.split(",")
    if unknown := set(names) - set(PEERS):
        parser.error(f"no such peers: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        found = json.loads(options.take.read_text()) if options.take else measure(names, options.rounds)
    except KeyboardInterrupt:
        sys.exit("interrupted; nothing of it is left on the cluster")
    if options.keep:
        options.keep.write_text(json.dumps(found, indent=1))
    report.show(found)
    if options.write:
        report.write({name: title for name, (title, _) in PEERS.items()}, found)


if __name__ == "__main__":
    main()
