"""Whether a version satisfies what a distribution asks for, by the rules of the version specification (PEP 440).

Every command compares the version of the core with what the plugins in use ask of it. `packaging` is the reference for
these rules and costs 15 ms to import; the tests hold this module against it. What has a form that is not read here is
not judged: `satisfies` then answers None.
"""

from __future__ import annotations

import math
import re
from typing import TypeAlias

Key: TypeAlias = tuple[tuple[int, ...], tuple[float, float], float, float]

VERSION = re.compile(
    r"v?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[._-]?(?P<pre>a|b|c|rc|alpha|beta|pre|preview)[._-]?(?P<pre_n>\d*))?"
    r"(?:(?:[._-]?(?P<post>post|rev|r)[._-]?(?P<post_n>\d*))|-(?P<post_short>\d+))?"
    r"(?:[._-]?(?P<dev>dev)[._-]?(?P<dev_n>\d*))?"
    r"(?:\+[a-z0-9]+(?:[._-][a-z0-9]+)*)?",
    re.I | re.A,
)
CLAUSE = re.compile(r"\s*(~=|==|!=|<=|>=|<|>)\s*([^\s]+)\s*")
REQUIREMENT = re.compile(
    r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*\(?([^;()@]*)\)?\s*(;.*)?"
)
STAGES = {"a": 0, "alpha": 0, "b": 1, "beta": 1, "c": 2, "rc": 2, "pre": 2, "preview": 2}


def normal_name(name: str) -> str:
    """Return the one spelling of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def asked_of(requirement: str, name: str) -> str | None:
    """Return what a `Requires-Dist` line asks of a distribution (`>=0.1,<0.2`); None where it is about something else.

    What only an extra asks for is something else.
    """
    match = REQUIREMENT.fullmatch(requirement)
    if match is None or normal_name(match[1]) != normal_name(name) or "extra" in (match[3] or ""):
        return None
    return ",".join(part.strip() for part in match[2].split(",") if part.strip())


def satisfies(version: str, specifier: str) -> bool | None:
    """Say whether a version, which may be a pre-release, satisfies all clauses; None where one cannot be judged."""
    mine = _key(version)
    if mine is None:
        return None
    answers = [_clause(mine, clause) for clause in specifier.split(",") if clause.strip()]
    if None in answers:
        return None
    return all(answers)


def _key(version: str) -> Key | None:
    match = VERSION.fullmatch(version.strip())
    if match is None:
        return None
    release = tuple(map(int, match["release"].split(".")))
    while len(release) > 1 and release[-1] == 0:
        release = release[:-1]
    dev = float(match["dev_n"] or 0) if match["dev"] else math.inf
    post = float(match["post_n"] or match["post_short"] or 0) if match["post"] or match["post_short"] else -1.0
    if match["pre"]:
        pre = (float(STAGES[match["pre"].lower()]), float(match["pre_n"] or 0))
    else:
        # A development release comes before the first alpha, a final one after the last candidate.
        early = match["dev"] is not None and post < 0
        pre = (-1.0, 0.0) if early else (math.inf, 0.0)
    return release, pre, post, dev


def _clause(mine: Key, clause: str) -> bool | None:
    match = CLAUSE.fullmatch(clause)
    if match is None:
        return None
    operator, text = match.groups()
    if text.endswith(".*"):
        prefix = _release(text[:-2])
        if prefix is None or operator not in ("==", "!="):
            return None
        return _starts_with(mine, prefix) == (operator == "==")
    theirs = _key(text)
    if theirs is None or "+" in text:
        return None
    match operator:
        case "==":
            return mine == theirs
        case "!=":
            return mine != theirs
        case ">=":
            return mine >= theirs
        case "<=":
            return mine <= theirs
        case "~=":
            release = _release(VERSION.fullmatch(text)["release"])  # type: ignore[index]
            return None if release is None or len(release) < 2 else mine >= theirs and _starts_with(mine, release[:-1])
        case "<":
            # Pre-releases of the bound do not count as below it, unless it is one itself.
            same_release = mine[0] == theirs[0] and theirs[1][0] == math.inf and theirs[3] == math.inf
            return mine < theirs and not (same_release and mine[1][0] < math.inf)
        case _:
            # Post-releases of the bound do not count as above it, unless it is one itself.
            return mine > theirs and not (mine[0] == theirs[0] and mine[2] >= 0 > theirs[2])


def _release(text: str) -> tuple[int, ...] | None:
    return tuple(map(int, text.split("."))) if re.fullmatch(r"\d+(\.\d+)*", text, re.A) else None


def _starts_with(mine: Key, prefix: tuple[int, ...]) -> bool:
    release = mine[0] + (0,) * (len(prefix) - len(mine[0]))
    return release[: len(prefix)] == prefix
