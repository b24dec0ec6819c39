"""Bring a version of Nextflow before it is needed: `python -m wfx_nextflow [VERSION]`."""

from __future__ import annotations

import sys

from wfx.errors import WfxError

from wfx_nextflow import installing


def main() -> int:
    """Bring it, and say where it lies."""
    version = sys.argv[1] if len(sys.argv) > 1 else installing.PINNED
    try:
        found = installing.of_version(version, offline=False)
    except WfxError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    sys.stdout.write(f"Nextflow {found.version}: {found.where}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
