"""(b) CPU time of `wfx --version` and `wfx --help`, against Python and against a bare click program."""

import sys
from pathlib import Path

from pairs import WFX, cpu, folder, pair

with folder() as work:
    bare = Path(work) / "bare.py"
    commands = "\n".join(f'@cli.command()\ndef command{n}():\n    "Do thing number {n}."' for n in range(13))
    bare.write_text(f'import click\n@click.group()\ndef cli():\n    "A program."\n{commands}\ncli()\n')
    pair("wfx --version, against python -c pass (CPU)", lambda: cpu([WFX, "--version"]),
         lambda: cpu([sys.executable, "-c", "pass"]), "4", 15)  # fmt: skip
    pair("wfx --help, against a bare click program's (CPU)", lambda: cpu([WFX, "--help"]),
         lambda: cpu([sys.executable, str(bare), "--help"]), "1.3", 15)  # fmt: skip
