"""What a plan would bring, before it is brought: bytes, hosts, licences, what is here already, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from wfx.cli.display import show_size
from wfx.planning import Plan, PlannedInput
from wfx.treeparts import names_part

MOST = 20


def to_fetch(plan: Plan) -> dict[str, Any]:
    """Return what `wfx plan --json` says of it: counts, bytes, hosts, licences and refusals.

    Bytes are those that have to come: of an archive once, whatever number of its members is wanted; null: not known.
    """
    remote = [item for item in plan.files if not item.reference.is_local]
    places: dict[str, PlannedInput] = {}
    for item in remote:
        uri = item.reference.without_fragment().uri if names_part(item.reference) else item.reference.uri
        if uri not in places or (item.transfer or 0) > (places[uri].transfer or 0):
            places[uri] = item
    hosts: Counter[str] = Counter()
    unknown = 0
    for item in places.values():
        size = _bytes(item)
        unknown += size is None
        hosts[item.host or item.reference.scheme] += size or 0
    return {
        "files": len(plan.files),
        "local": len(plan.files) - len(remote),
        "stored": sum(1 for item in remote if item.transfer == 0),
        "references": sum(1 for item in places.values() if item.transfer != 0),
        "bytes": sum(hosts.values()),
        "unknown": unknown,
        "hosts": dict(sorted(hosts.items())),
        "licences": dict(sorted(Counter(item.licence or "" for item in plan.files).items())),
        "refused": {str(item.reference): item.refused for item in places.values() if item.refused},
    }


def _bytes(item: PlannedInput) -> int | None:
    if item.transfer is not None:
        return item.transfer
    if names_part(item.reference):
        return item.archive.size
    return item.known_size if item.known_size is not None else item.expected.size


def fetch_lines(plan: Plan) -> Iterator[str]:
    """Yield the same for people; nothing where all lies on this machine."""
    told = to_fetch(plan)
    if told["files"] == told["local"] or not any(item.transfer is not None for item in plan.files):
        return
    more = f", {told['unknown']} of unknown size" if told["unknown"] else ""
    yield (
        f"to fetch   {told['references']} references, {show_size(told['bytes'])}{more}; "
        f"{told['stored']} files are in the store, {told['local']} on this machine"
    )
    for host, size in told["hosts"].items():
        if size:
            yield f"  {host}  {show_size(size)}"
    licences = {name: count for name, count in told["licences"].items() if name}
    if licences:
        yield "licences   " + ", ".join(f"{name} ({count})" for name, count in licences.items())
    refused = list(told["refused"].items())
    for reference, why in refused[:MOST]:
        yield f"refused    {reference}: {why}"
    if len(refused) > MOST:
        yield f"  and {len(refused) - MOST} more"
