"""The crate as a page for people."""

from __future__ import annotations

import html
from pathlib import Path

from wfx.running import RunRecord


def preview(record: RunRecord, directory: Path) -> str:
    """Return a static page."""
    name = html.escape(record.plan.name)
    head = f'<head><meta charset="utf-8"><title>{name}</title></head>'
    return f'<!DOCTYPE html>\n<html lang="en">{head}<body><h1>{name}</h1></body></html>\n'
