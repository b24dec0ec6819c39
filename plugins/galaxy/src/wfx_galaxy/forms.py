"""The workflow in the other forms that Galaxy's people use: gxformat2, and CWL that only tells of the steps.

gxformat2, the library of Galaxy's own, makes both; it is an extra (`wfx-galaxy[forms]`), without which there are none.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from wfx.documents import load_document
from wfx.engines import WorkflowForm

from wfx_galaxy.workflows import is_galaxy

logger = logging.getLogger(__name__)

YAML = "application/yaml"


def write_forms(document: bytes, entry: str, name: str, directory: Path) -> tuple[WorkflowForm, ...]:
    """Write the forms beside the workflow in a run directory; return them. What the library cannot do is left out."""
    try:
        import yaml
        from gxformat2.abstract import from_dict
        from gxformat2.export import from_galaxy_native
    except ImportError:
        logger.debug("gxformat2 is not installed: the crate has the workflow in its own form alone")
        return ()
    value = load_document(document, entry).value
    stem = Path(entry).name.partition(".")[0]
    found: list[WorkflowForm] = []

    def write(suffix: str, title: str, language: str, content: Any, *, abstract: bool) -> None:
        path = f"workflow/forms/{stem}{suffix}"
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        plain = json.loads(json.dumps(content))
        (directory / path).write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True), encoding="utf-8")
        found.append(WorkflowForm(path, f"{title} of {name}", YAML, language, abstract))

    try:
        if is_galaxy(value) == "ga":
            write(".gxwf.yml", "gxformat2", "galaxy", from_galaxy_native(value), abstract=False)
        write(".abstract.cwl", "Abstract CWL", "cwl", from_dict(value), abstract=True)
    except Exception as error:  # noqa: BLE001 (of a library, about a document that a server has run)
        logger.warning("gxformat2 cannot put the workflow into another form: %s", error)
    return tuple(found)
