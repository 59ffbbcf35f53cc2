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
    deployments: Iterable[Object],
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
    deployments : iterable of dict
        All of this package's, and listed after the records: a release that Helm calls deployed has some by then.
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
    known, running = {owner["metadata"]["uid"]: owner for owner in owners}, list(deployments)
    found = [_halves(namespace, owner, by_owner.get(uid, []), running, now) for uid, owner in known.items()]
    found += [_orphan(namespace, held, now) for uid, held in by_owner.items() if uid not in known]
    found += [
        Leftover(release, namespace, "has had no client", seconds, _owner(owner), _named(by_owner.get(uid, [])))
        for uid, owner in known.items()
        for release, seconds in [(_release(owner), (alone or {}).get(_release(owner), 0.0))]
        if unused is not None and seconds > unused
    ]
    unique = {(one.release, one.owner, one.records): one for one in reversed([one for one in found if one])}
    return sorted(unique.values(), key=lambda one: (one.release, one.why))


def named(name: str, namespace: str, owners: Iterable[Object], records: Iterable[Object]) -> list[Leftover]:
    """All that there is of a release without Deployments, whatever its age: whoever asks has named it.

    Parameters
    ----------
    name, namespace : str
        Which release.
    owners, records : iterable of dict
        Metadata of the namespace's owners, and of Helm's records of that release.
    """
    held = _named([record for record in records if ownership.OWNER_LABEL in record["metadata"]["labels"]])
    mine = [_owner(owner) for owner in owners if _release(owner) == name]
    found = [Leftover(name, namespace, "it was named", 0.0, owner) for owner in mine]
    return [*found, Leftover(name, namespace, "it was named", 0.0, None, held)] if held else found


def changed_by_hand(records: Iterable[Object]) -> bool:
    """Whether the newest revision of a release is none of this package's, though others are: of which chart, who knows.

    Each of our own gets the owner as its Kubernetes owner, too; Helm itself hands on no more than the label.
    """
    revisions = sorted(records, key=lambda item: int(item["metadata"]["labels"].get("version", "0")))
    newest = revisions[-1]["metadata"]
    adopted = any(item["metadata"].get("ownerReferences") for item in revisions)
    return (
        ownership.OWNER_LABEL not in newest["labels"]
        or newest["labels"].get("status") == overview.SUPERSEDED  # by one that is not among these
        or (adopted and not newest.get("ownerReferences"))
    )


def _halves(
    namespace: str, owner: Object, records: list[Object], deployments: list[Object], now: float
) -> Leftover | None:
    """An owner without a release, one whose install has come to nothing, or one whose Deployments somebody deleted."""
    if not records:
        age, mine = now - ownership.created(owner), _owner(owner)
        if age <= _UNDER_WAY or any(ownership.of(item) == mine for item in deployments):
            return None  # Helm may keep its records elsewhere than in Secrets
        return Leftover(_release(owner), namespace, "only its owner is left, as after helm uninstall", age, mine)
    (record,) = overview.records(records).values()
    since, settled = now - record.modified, record.status in (overview.FAILED, overview.DEPLOYED)
    if not settled and since <= _UNDER_WAY:
        return None
    if record.has_run:
        names = {item["metadata"]["labels"].get(contract.INSTANCE_LABEL) for item in deployments}
        if _release(owner) in names or changed_by_hand(records):
            return None
        why = "its Deployments are gone"
    else:
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
