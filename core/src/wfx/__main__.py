"""`python -m wfx` is the command `wfx`."""

from wfx.cli import main

main()
