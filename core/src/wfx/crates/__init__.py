"""Crates of anybody: read leniently, confined to themselves, and taken back to what can be run.

`reading` opens one (a folder, its metadata file, a zip, a bag), `opening` does so for a reference of any scheme,
`contents` says what it holds, `rebuilding` makes the inputs of a run again, `held` gives it to `wfx.flow` as the workflow
of a definition.
"""

from wfx.crates.reading import Crate, Note, read

__all__ = ["Crate", "Note", "read"]
