"""What encryption costs: the start of two workers, and what one worker fetches from another.

Each try is a release of its own, with certificates by the chart or without encryption; both kinds take turns.
"""

from __future__ import annotations

import argparse
import sys
import time
from statistics import median

from distributed import Client, get_worker, wait

from bench import common
from dask_kubernetes_helm import HelmCluster

BOUND = 1.1
WORKERS = 2
#: MiB of one piece, and how many pieces are fetched.
PIECE, PIECES = 32, 8


def one_try(namespace: str, *, encrypted: bool) -> dict[str, float]:
    """Figures of one release."""
    values = {"tls": {"enabled": encrypted}}
    began = time.monotonic()
    cluster = HelmCluster(
        namespace=namespace, environment="ci", values=values, n_workers=WORKERS, image=common.image(), quiet=True
    )
    with cluster, Client(cluster) as client:
        client.wait_for_workers(WORKERS, timeout=120)
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3
        start = time.monotonic() - began
        return {"start s": start, "transfer MiB/s": _transfer(client), "round trip ms": _round_trip(client)}


def _make(number: int) -> bytes:
    return bytes([number]) * (PIECE << 20)


def _length(piece: bytes, who: str) -> int:
    assert get_worker().address == who
    return len(piece)


def _transfer(client: Client) -> float:
    """MiB a second from one worker to the other."""
    source, target = list(client.scheduler_info()["workers"])[:WORKERS]
    pieces = client.map(_make, range(PIECES), workers=[source], pure=False)
    wait(pieces)
    began = time.monotonic()
    lengths = client.map(_length, pieces, who=target, workers=[target], pure=False)
    assert sum(client.gather(lengths)) == PIECES * PIECE << 20
    return PIECES * PIECE / (time.monotonic() - began)


def _round_trip(client: Client) -> float:
    """Milliseconds from a submitted task to its result, one after the other."""
    taken = []
    for number in range(100):
        began = time.monotonic()
        client.submit(abs, number, pure=False).result()
        taken.append(time.monotonic() - began)
    return median(taken) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tries", type=int, default=7)
    tries = parser.parse_args().tries
    kinds = {"plain": False, "encrypted": True}
    found: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    with common.namespace() as name:
        for number in range(tries):
            common.say(f"tls: try {number + 1} of {tries}")
            for kind, encrypted in kinds.items():
                found[kind].append(one_try(name, encrypted=encrypted))
    rows = []
    for figure in found["plain"][0]:
        plain, encrypted = (median(item[figure] for item in found[kind]) for kind in kinds)
        rows.append((figure, plain, encrypted, encrypted / plain))
    common.show(f"Encryption (start: at most {BOUND} times)", ["", "plain", "encrypted", "ratio"], rows)


if __name__ == "__main__":
    sys.exit(main())
