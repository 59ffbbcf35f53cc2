"""Which releases, or halves of one, nobody wants any more.

Belongs here: judging, on plain data. Never here: asking for what is judged, or removing it (survey.py does).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dask_kubernetes_helm import contract
from dask_kubernetes_helm.releases import overview, ownership

Object = dict[str, Any]

#: Seconds that an install may take: younger ones may still be under way.
_UNDER_WAY = 600.0


@dataclass(frozen=True)
class Leftover:
    """What is left of a release.

    Attributes
    ----------
    release, namespace : str
        Whose, and where.
    why : str
        Why nobody wants it any more.
    seconds : float
        For how long that has been so, as far as it is known.
    owner : Owner, optional
        With which everything else goes.
    records : tuple of (str, str)
        Helm's records, by name and uid.
    """

    release: str
    namespace: str
    why: str
    seconds: float
    owner: ownership.Owner | None = None
    records: tuple[tuple[str, str], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        told = asdict(self)
        told["owner"] = self.owner.name if self.owner else None
        told["records"] = [name for name, _ in self.records]
        return told


def judge(
    namespace: str,
    owners: Iterable[Object],
    records: Iterable[Object],
    now: float,
    *,
    alone: Mapping[str, float] | None = None,
    unused: float | None = None,
) -> list[Leftover]:
    """What could be removed.

    Parameters
    ----------
    namespace : str
        Where all of it is.
    owners, records : iterable of dict
        Metadata of the owners, and of those of Helm's records that have one.
    now : float
        Seconds since the epoch.
    alone : mapping of str to float, optional
        For how many seconds a release has had no client, where that is known.
    unused : float, optional
        For how many seconds it may have none.
    """
    by_owner: dict[str, list[Object]] = {}
    for record in records:
        by_owner.setdefault(record["metadata"]["labels"][ownership.OWNER_LABEL], []).append(record)
    known = {owner["metadata"]["uid"]: owner for owner in owners}
    found = [_halves(namespace, owner, by_owner.get(uid, []), now) for uid, owner in known.items()]
    found += [_orphan(namespace, held, now) for uid, held in by_owner.items() if uid not in known]
    found += [
        Leftover(release, namespace, "has had no client", seconds, _owner(owner), _named(by_owner.get(uid, [])))
        for uid, owner in known.items()
        for release, seconds in [(_release(owner), (alone or {}).get(_release(owner), 0.0))]
        if unused is not None and seconds > unused
    ]
    unique = {(one.release, one.owner, one.records): one for one in reversed([one for one in found if one])}
    return sorted(unique.values(), key=lambda one: (one.release, one.why))


def _halves(namespace: str, owner: Object, records: list[Object], now: float) -> Leftover | None:
    """An owner without a release, or one whose install has come to nothing."""
    if not records:
        age = now - ownership.created(owner)
        why = "only its owner is left, as after helm uninstall"
        return Leftover(_release(owner), namespace, why, age, _owner(owner)) if age > _UNDER_WAY else None
    (record,) = overview.records(records).values()
    since = now - record.modified
    if record.has_run or (record.status != overview.FAILED and since <= _UNDER_WAY):
        return None
    why = "its install failed" if record.status == overview.FAILED else f"it has been {record.status}"
    return Leftover(_release(owner), namespace, why, since, _owner(owner), _named(records))


def _orphan(namespace: str, records: list[Object], now: float) -> Leftover:
    """Helm's records of a release whose owner is gone, and everything else with it."""
    (record,) = overview.records(records).values()
    name = records[0]["metadata"]["labels"]["name"]
    return Leftover(name, namespace, "only Helm's record of it is left", now - record.modified, None, _named(records))


def _release(owner: Object) -> str:
    return str(owner["metadata"]["labels"].get(contract.INSTANCE_LABEL, ""))


def _owner(owner: Object) -> ownership.Owner:
    return ownership.Owner(owner["metadata"]["name"], owner["metadata"]["uid"])


def _named(records: list[Object]) -> tuple[tuple[str, str], ...]:
    return tuple((record["metadata"]["name"], record["metadata"]["uid"]) for record in records)
