"""Look whether a crate is valid: our own rules always, roc-validator's where it can work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from wfx.crates.reading import Crate, read
from wfx.errors import DefinitionError
from wfx.exporting import Finding

from wfx_ro_crate import rules, validating

MOST_OF_A_KIND = 20
ORDER = {"error": 0, "warning": 1, "note": 2}


def check(place: Path) -> list[Finding]:
    """Return what is wrong with a crate, errors first. Raises MachineError where it cannot be read at all."""
    try:
        crate = read(place)
    except DefinitionError as error:
        said = f"{error.what}: {error.why}" if error.why else error.what
        return [Finding("error", "crate-unreadable", said, where=error.where or str(place))]
    findings = [*own(crate)]
    # A validator of graphs would only say again, and less clearly, what is wrong with a broken one.
    broken = {"crate-graph", "crate-descriptor", "crate-root", "crate-entity-id"} & {f.code for f in findings}
    if not broken:
        findings += validating.findings(crate, place)
    return sorted(_bounded(findings), key=lambda f: ORDER[f.severity])


def own(crate: Crate) -> Iterable[Finding]:
    """Yield what our own rules find."""
    yield from rules.structure(crate)
    yield from rules.files(crate)
    yield from rules.references(crate)
    yield from rules.unlisted(crate)
    profiles = rules.claimed(crate)
    if profiles & {"workflow-ro-crate", "workflow", "provenance"}:
        yield from rules.workflow(crate)
    if profiles & {"process", "workflow", "provenance"}:
        yield from rules.runs(crate, profiles)


def _bounded(findings: Iterable[Finding]) -> Iterable[Finding]:
    """Yield the first findings of each rule, and how many more there are: ten thousand of a kind help nobody."""
    counts: dict[tuple[str, str], int] = {}
    for finding in findings:
        key = (finding.severity, finding.code)
        counts[key] = counts.get(key, 0) + 1
        if counts[key] <= MOST_OF_A_KIND:
            yield finding
    for (severity, code), count in counts.items():
        if count > MOST_OF_A_KIND:
            yield Finding(severity, code, f"and {count - MOST_OF_A_KIND} more of this kind")  # type: ignore[arg-type]
