"""Read Galaxy's workflows: `.ga` (the native form, old ones too) and gxformat2 (`class: GalaxyWorkflow`).

Both become the same small model. What the server makes of a document is the server's: here is read what a person sees
of a workflow.
"""

from __future__ import annotations

from wfx.documents import load_document
from wfx.errors import DefinitionError

from wfx_galaxy.gxformat2 import read_gxformat2
from wfx_galaxy.model import GalaxyWorkflow
from wfx_galaxy.native import read_native, with_uuids


def is_galaxy(value: object) -> str:
    """Return the form that a document is in, `ga` or `gxformat2`; empty where it is neither."""
    if not isinstance(value, dict):
        return ""
    if str(value.get("a_galaxy_workflow", "")).lower() == "true" and isinstance(value.get("steps"), dict):
        return "ga"
    graph = value.get("$graph")
    if value.get("class") == "GalaxyWorkflow" or (
        isinstance(graph, list)
        and any(isinstance(item, dict) and item.get("class") == "GalaxyWorkflow" for item in graph)
    ):
        return "gxformat2"
    return ""


def read_workflow(data: bytes, name: str) -> GalaxyWorkflow:
    """Read a workflow; `name` is for messages. Raises DefinitionError with file:line for what is none."""
    document = load_document(data, name)
    form = is_galaxy(document.value)
    if not form:
        raise DefinitionError(
            "it is no Galaxy workflow", where=name, why="it says neither a_galaxy_workflow nor class: GalaxyWorkflow"
        )
    value = document.value
    assert isinstance(value, dict)
    try:
        return read_native(with_uuids(value), document) if form == "ga" else read_gxformat2(value, document)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise DefinitionError("the workflow is not as Galaxy writes it", where=name, why=str(error)) from error
