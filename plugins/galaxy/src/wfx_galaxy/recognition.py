"""Whether a folder or a file is a Galaxy workflow."""

from __future__ import annotations

from pathlib import Path

from wfx.engines import Recognition
from wfx.errors import DefinitionError

from wfx_galaxy.workflows import is_galaxy

KEY = "galaxy.galaxy"
SUFFIXES = (".ga", ".gxwf.yml", ".gxwf.yaml", ".gxwf.json")
OTHERS = (".yml", ".yaml", ".json")
LONGEST = 32 * 2**20


def recognise(tree: Path, entry: str) -> Recognition | None:
    """See `wfx.engines.Engine.recognise`."""
    if entry:
        return _of_file(tree, entry) if entry.lower().endswith((*SUFFIXES, *OTHERS)) else None
    found = sorted(path.name for path in tree.iterdir() if path.name.lower().endswith(SUFFIXES) and path.is_file())
    claims = [claim for name in found if (claim := _of_file(tree, name)) is not None]
    # The two forms of one workflow often lie side by side; several workflows are for the user to choose of.
    stems = {claim.entry.lower().partition(".")[0] for claim in claims}
    return claims[0] if len(stems) == 1 else None


def _of_file(tree: Path, entry: str) -> Recognition | None:
    from wfx.documents import load_document

    path = tree / entry
    try:
        if path.stat().st_size > LONGEST:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    # Cheaper than to parse whatever YAML there is.
    if b"a_galaxy_workflow" not in data and b"GalaxyWorkflow" not in data:
        return None
    try:
        form = is_galaxy(load_document(data, entry).value)
    except DefinitionError:
        return None
    if not form:
        return None
    evidence = "a_galaxy_workflow: true" if form == "ga" else "class: GalaxyWorkflow"
    return Recognition(KEY, entry, form, f"{evidence} in {entry}")
