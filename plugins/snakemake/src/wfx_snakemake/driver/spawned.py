"""A job that Snakemake runs in a Snakemake of its own (`run:`, shadowed ones): it is ours too, with the same sources."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import Any

OPTION = "--wfx-job"
STOCK = " -m snakemake "


def spawn_like_this(message: dict[str, Any], state: Path) -> None:
    """Have Snakemake start such jobs through this driver."""
    from snakemake.executors import local

    order = state / "job.json"
    kept = {key: message.get(key) for key in ("tree", "entry", "state", "root", "aliases", "storage")}
    order.write_text(json.dumps(kept), encoding="utf-8", errors="surrogateescape")
    original = local.Executor.format_job_exec
    ours = f" -s {shlex.quote(os.path.dirname(os.path.abspath(__file__)))} {OPTION} {shlex.quote(str(order))} "

    def format_job_exec(self: Any, job: Any) -> str:
        return str(original(self, job)).replace(STOCK, ours, 1)

    local.Executor.format_job_exec = format_job_exec


def main(arguments: list[str]) -> None:
    """Run Snakemake's command line with what `spawn_like_this` wrote down."""
    # Snakemake's modules import each other in a circle, into which only this is a way.
    from snakemake.cli import main as snakemake

    from .problems import Broken, Places
    from .sources import use_staged_sources
    from .storage import use_staged_files

    message = json.loads(Path(arguments[0]).read_text(encoding="utf-8", errors="surrogateescape"))
    places = Places(message)
    use_staged_sources(message["aliases"], places)
    use_staged_files(message.get("storage") or {}, places)
    try:
        snakemake(arguments[1:])
    except Broken as problem:
        sys.exit(f"{problem.answer['what']}: {problem.answer['why']}")
