"""A crowd of make-believe plugins, some of them heavy, to see what a command imports and what it costs."""

from __future__ import annotations

from pathlib import Path

from wfx.installed import KINDS
from wfx.testing.distributions import write_distribution

# What a careless author's module does when it is imported: much, and slowly.
HEAVY = """
import asyncio, sqlite3, xml.dom.minidom, unittest.mock, concurrent.futures, multiprocessing, ctypes, decimal
TABLE = {number: str(number) * 10 for number in range(200_000)}
"""
LIGHT = "from wfx import hookimpl\n"


def write_crowd(site: Path, count: int, heavy: int = 0) -> list[str]:
    """Write `count` plugins of all kinds into `site`, the first `heavy` of them heavy; return their modules."""
    modules = []
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        group, hook, _ = KINDS[kind]
        module = f"crowd_{number:02}"
        key = f"crowd{number:02}.engine" if kind == "engine" else f"crowd{number:02}"
        # None of them is meant to be asked.
        body = f"{HEAVY if number < heavy else ''}{LIGHT}\n@hookimpl\ndef {hook}():\n    raise SystemExit('asked')\n"
        write_distribution(
            site,
            f"crowd-{number:02}",
            "1.0",
            {group: {key: module}},
            {module: body},
            ["wfx-core>=0.1,<0.2", "click>=8"],
        )
        modules.append(module)
    return modules
