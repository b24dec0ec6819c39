"""What the commands share: the options with one name everywhere, the session, and how results are printed."""

from __future__ import annotations

import functools
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from wfx.records import encode

if TYPE_CHECKING:
    from wfx.cli.display import Display
    from wfx.session import Session

F = TypeVar("F", bound=Callable[..., Any])


def common(function: F) -> F:
    """Add the options that every command has."""

    @click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON object on stdout.")
    @click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
    @click.option("-v", "--verbose", is_flag=True, help="Say more.")
    @click.option("--log-file", type=click.Path(path_type=Path), help="Write a detailed log to this file.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def command(*args: Any, quiet: bool, verbose: bool, log_file: Path | None, debug: bool, **kwargs: Any) -> Any:
        if log_file is not None or debug:
            _start_log(log_file)
        kwargs["level"] = -1 if quiet else 1 if verbose else 0
        return function(*args, **kwargs)

    return command  # type: ignore[return-value]


def _start_log(path: Path | None) -> None:
    from wfx.redaction import redact

    class Redacting(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return redact(super().format(record))

    handler: logging.Handler = logging.StreamHandler(sys.stderr) if path is None else logging.FileHandler(path)
    handler.setFormatter(Redacting("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("wfx")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)


engine_options = click.option(
    "-O", "--option", "options", multiple=True, metavar="NAME=VALUE",
    help="An option of the engine (Nextflow: profile, config), or NAME=@REFERENCE for a file.",
)  # fmt: skip
offline_option = click.option("--offline", is_flag=True, help="Open no connection; take everything from the store.")

site_option = click.option("--site", metavar="NAME", help="Where it runs, if not here: a section [site.NAME].")


@contextmanager
def open_session(
    *, offline: bool = False, level: int = 0, settings: dict[str, Any] | None = None
) -> Iterator[tuple[Session, Display]]:
    """Open a session with a display, and end both however the command ends."""
    from wfx import signals
    from wfx.cli.display import Display
    from wfx.config import Config
    from wfx.session import Session

    with signals.handled():
        display = Display(level)
        session = Session(Config.load(command_line=settings or {}), offline=offline, progress=display)
        try:
            with session:
                yield session, display
        finally:
            display.finish()


def print_json(value: object) -> None:
    """Print one JSON object on stdout."""
    click.echo(json.dumps(encode(value), ensure_ascii=False, indent=2))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows in aligned columns, with headings on a terminal only, so that `cut` and `awk` get rows alone."""
    lines = [[str(cell) for cell in row] for row in rows]
    shown = [list(headings), *lines] if sys.stdout.isatty() else lines
    if not shown:
        return
    widths = [max(len(row[i]) for row in shown) for i in range(len(headings))]
    for number, row in enumerate(shown):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        click.echo(click.style(text, bold=True) if number == 0 and shown is not lines else text)
