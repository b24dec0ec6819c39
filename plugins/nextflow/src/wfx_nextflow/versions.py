"""Versions of Nextflow, and what a pipeline's `nextflowVersion` asks of them."""

from __future__ import annotations

import re

CLAUSE = re.compile(r"(>=|<=|>|<|==|=|~>?|!=)?\s*v?(\d[\w.\-+]*)")


def key(version: str) -> tuple[tuple[int, ...], bool]:
    """Return what versions are compared by; an edge release comes before the one that it leads to."""
    numbers = re.match(r"\d+(?:\.\d+)*", version)
    return (tuple(int(n) for n in numbers[0].split(".")) if numbers else ()), "edge" not in version


def fits(version: str, wanted: str) -> bool:
    """Say whether a version is among those that `wanted` means: `>=24.04.0`, `!>=23.10, <25`, `24.10.x`, `24.10+`."""
    wanted = wanted.strip().removeprefix("!").strip()
    if not wanted:
        return True
    return all(_clause(version, clause.strip()) for clause in wanted.split(",") if clause.strip())


def _clause(version: str, clause: str) -> bool:
    mine = key(version)
    plus = re.fullmatch(r"(\d+(?:\.\d+)*)(?:\.)?\+", clause)
    if plus:
        return mine[0] >= key(plus[1])[0]
    series = re.fullmatch(r"=?\s*(\d+(?:\.\d+)*)\.[x*]", clause)
    if series:
        numbers = key(series[1])[0]
        return mine[0][: len(numbers)] == numbers
    match = CLAUSE.fullmatch(clause)
    if match is None:
        # What Nextflow itself may understand is left to it.
        return True
    operator, other = match[1] or "=", key(match[2])
    if operator.startswith("~"):
        return mine >= other and mine[0][: len(other[0]) - 1] == other[0][:-1]
    # `24.10` stands for `24.10.0`.
    width = max(len(mine[0]), len(other[0]))
    left, right = (_padded(each, width) for each in (mine, other))
    return {
        ">=": left >= right, "<=": left <= right, ">": left > right, "<": left < right, "=": left == right,
        "==": left == right, "!=": left != right,
    }[operator]  # fmt: skip


def _padded(version: tuple[tuple[int, ...], bool], width: int) -> tuple[tuple[int, ...], bool]:
    return version[0] + (0,) * (width - len(version[0])), version[1]


def named(wanted: str) -> list[str]:
    """Return the versions that a text names, in full: `24.10` is `24.10.0`."""
    found = re.findall(r"\d+(?:\.\d+)*(?:-edge)?", wanted)
    return [version + ".0" * (2 - version.count(".")) for version in found if version.count(".") >= 1]
