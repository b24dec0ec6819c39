"""roc-validator's word on a crate, where it is installed and has what it needs without the network."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import re
from pathlib import Path
from typing import Any

from wfx.crates.reading import Crate, path_of, values
from wfx.exporting import Finding

from wfx_ro_crate import rules

MOST_ENTITIES = 30_000
"""It takes about 4 ms for a file; above this a check would go on for minutes."""
PROFILES = {
    "provenance": "provenance-run-crate-0.5", "workflow": "workflow-run-crate-0.5", "process": "process-run-crate-0.5",
    "workflow-ro-crate": "workflow-ro-crate-1.0",
}  # fmt: skip
# What it says of every crate of a kind, whatever is in it.
MISTAKEN = {
    "process-run-crate-0.5_5.1": "it wants a web address as @id of the workflow that lies in the crate",
}
WITHOUT_README = ("workflow-ro-crate-1.0_6.1", "workflow-ro-crate-1.0_6.2")
NOT_INCLUDED = re.compile(r"does not include the Data Entity '(.*)' as part of its payload", re.S)
WARM = "run `rocrate-validator cache warm` once with the network"


def findings(crate: Crate, place: Path) -> list[Finding]:
    """Return its findings for the most particular profile that the crate claims, or a note why there are none."""
    if importlib.util.find_spec("rocrate_validator") is None:
        return [_left_out("it is not installed", "pip install roc-validator")]
    if crate.detached:
        return [_left_out("the metadata stands alone", "check the folder that it belongs to")]
    if len(crate.graph) > MOST_ENTITIES:
        return [_left_out(f"the crate has {len(crate.graph)} entities, for which it needs too long", "")]
    profile = profile_of(crate)
    if profile is None:
        return [_left_out(f"it knows no profile for RO-Crate {rules.version(crate) or 'of no version'}", "")]
    with _quiet():
        return _validate(crate, place, profile)


def profile_of(crate: Crate) -> str | None:
    """Return the validator's name of the profile to check against."""
    version = rules.version(crate)
    if version == "1.1":
        claimed = rules.claimed(crate)
        return next((name for key, name in PROFILES.items() if key in claimed), "ro-crate-1.1")
    # The run profiles are bound to the terms of 1.1; of another version the base rules are the ones that can be kept.
    return f"ro-crate-{version}" if version in ("1.2", "1.3") else None


def _validate(crate: Crate, place: Path, profile: str) -> list[Finding]:
    # Its import takes half a second.
    from rocrate_validator import services
    from rocrate_validator.models import Severity
    from rocrate_validator.utils.http import HttpRequester

    skipped = [*MISTAKEN]
    if crate.payload.size("README.md") is None:
        skipped += WITHOUT_README
    try:
        settings = services.ValidationSettings(
            rocrate_uri=str(place), profile_identifier=profile, requirement_severity="RECOMMENDED", offline=True,
            skip_checks=skipped,
        )  # fmt: skip
        contexts = [item for item in values(crate.document.get("@context")) if isinstance(item, str)]
        missing = [url for url in contexts if not HttpRequester().has_cached(url)]
        if missing:
            # Without them it would call every crate invalid.
            return [_left_out(f"it has no copy of {missing[0]}", WARM)]
        result = services.validate(settings)
        issues = list(result.get_issues(Severity.RECOMMENDED))
    except Exception as error:  # noqa: BLE001 (a fault of the validator's is none of the crate's)
        return [_left_out(f"it failed with {type(error).__name__}: {str(error)[:200]}", "")]
    return [finding for issue in issues if (finding := _finding(issue, skipped, crate)) is not None]


def _finding(issue: Any, skipped: list[str], crate: Crate) -> Finding | None:
    identifier, name = issue.check.identifier, str(issue.check.name)
    if identifier in skipped or name.startswith("Web-based Data Entity: resource availability"):
        # Nothing is available to a validator that may not use the network.
        return None
    named = NOT_INCLUDED.search(str(issue.message or ""))
    if named and crate.payload.size(path_of(named[1]) or "") is not None:
        # It cannot spell a name that is no UTF-8; we have found the file.
        return None
    severity = "error" if issue.severity.name == "REQUIRED" else "warning"
    message = " ".join(str(issue.message or name).split())
    where = str(getattr(issue, "violatingEntity", "") or "")
    requirement = issue.check.requirement
    clause = f"{requirement.profile.name}, {requirement.name}"
    return Finding(severity, identifier, message, where, clause)  # type: ignore[arg-type]


def _left_out(why: str, remedy: str) -> Finding:
    text = f"roc-validator's checks were left out: {why}"
    return Finding("note", "validator-left-out", f"{text}; {remedy}" if remedy else text)


@contextlib.contextmanager
def _quiet() -> Any:
    """Keep its log to itself: what it finds is in the findings."""
    logger = logging.getLogger("rocrate_validator")
    before, propagated = logger.level, logger.propagate
    logger.setLevel(logging.CRITICAL)
    logger.propagate = False
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.propagate = propagated
