"""The command line: a thin layer on the functions of `wfx.planning`, `wfx.staging`, `wfx.running`, `wfx.crates`."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command `wfx` and leave with its exit code (docs/reference/exit-codes.md)."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if list(arguments) == ["--version"]:
        # Asked often and by programs: answered before click is imported.
        from wfx import __version__

        print(f"wfx {__version__}")
        return
    from wfx.cli.group import run_command

    sys.exit(run_command(list(arguments)))
