"""Whether a folder or a file is a Nextflow pipeline."""

from __future__ import annotations

import re
from pathlib import Path

from wfx.engines import Recognition

from wfx_nextflow.groovy import Source, Unbalanced

KEY = "nextflow.nextflow"
MAIN, CONFIG, SCHEMA = "main.nf", "nextflow.config", "nextflow_schema.json"
MAIN_SCRIPT = re.compile(r"\bmainScript\s*=\s*(?=['\"])")
WANTED = re.compile(r"\bnextflowVersion\s*=\s*(?=['\"])")
MANIFEST = re.compile(r"\bmanifest\s*(\{|\.)")
DSL1 = re.compile(r"\bnextflow\.(?:enable|preview)\.dsl\s*=\s*1")
LONGEST = 4 * 2**20


def recognise(tree: Path, entry: str) -> Recognition | None:
    """See `wfx.engines.Engine.recognise`."""
    if entry and entry != CONFIG:
        return _of_script(tree, entry, "") if entry.endswith(".nf") and (tree / entry).is_file() else None
    config = read_text(tree / CONFIG)
    if config is None and entry:
        return None
    stated = main_script(config) if config is not None else ""
    if stated:
        claim = _of_script(tree, stated, f"manifest.mainScript = {stated} in {CONFIG}")
        if claim is not None:
            return claim
    claim = _of_script(tree, MAIN, f"{MAIN}, {CONFIG}" if config is not None else "")
    if claim is not None:
        return claim
    scripts = sorted(path.name for path in tree.iterdir() if path.suffix == ".nf" and path.is_file())
    # Of several scripts only one with an entry workflow of its own is a pipeline.
    found = [claim for name in scripts if (claim := _of_script(tree, name, "")) is not None]
    return found[0] if len(found) == 1 else None


def main_script(config: str) -> str:
    """Return what a configuration says of the main script, where it is a plain text below the folder."""
    try:
        source = Source.of(config)
    except Unbalanced:
        return ""
    if MANIFEST.search(source.bare) is None or (match := MAIN_SCRIPT.search(source.bare)) is None:
        return ""
    literal = source.string(match.end())
    if literal is None or literal[2] or literal[0].startswith("/") or ".." in Path(literal[0]).parts:
        return ""
    return literal[0].removeprefix("./")


def wanted_version(config: str) -> str:
    """Return what a configuration says of Nextflow's version, where it is a plain text: `!>=24.04.0`."""
    try:
        source = Source.of(config)
    except Unbalanced:
        return ""
    if MANIFEST.search(source.bare) is None or (match := WANTED.search(source.bare)) is None:
        return ""
    literal = source.string(match.end())
    return "" if literal is None or literal[2] else literal[0].strip()


def read_text(path: Path) -> str | None:
    """Return a script's text; None where there is none, or what is there is too long for one."""
    try:
        if path.stat().st_size > LONGEST:
            return None
        return path.read_text("utf-8", "replace")
    except OSError:
        return None


def _of_script(tree: Path, entry: str, evidence: str) -> Recognition | None:
    text = read_text(tree / entry)
    if text is None:
        return None
    if (
        not evidence
        and re.search(r"^\s*(process\s+\w+|workflow\b[\w\s]*)\s*\{|^\s*include\s*\{|^#!.*nextflow", text, re.M) is None
    ):
        return None
    version = "DSL1" if DSL1.search(text) else "DSL2"
    return Recognition(KEY, entry, version, evidence or f"the suffix and the text of {entry}")
