"""The command group: names and one-line helps as data, so that `--help` imports no command."""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
from typing import Any

import click

from wfx import __version__
from wfx.errors import Interrupted, WfxError

# name → (module, attribute, one line for the list of commands)
COMMANDS = {
    "run": ("wfx.cli.run", "run", "Fetch, stage and run a workflow, and leave a crate."),
    "plan": ("wfx.cli.run", "plan", "Say what a run would fetch and do, without doing it."),
    "stage": ("wfx.cli.run", "stage", "Bring everything a run needs into its directory."),
    "execute": ("wfx.cli.run", "execute", "Run what has been staged, without the network."),
    "inputs": ("wfx.cli.inputs", "inputs", "Print a template of the inputs that a workflow takes."),
    "rerun": ("wfx.cli.rerun", "rerun", "Run again what a crate records, and compare."),
    "compare": ("wfx.cli.compare", "compare", "Say whether two runs came to the same."),
    "why": ("wfx.cli.why", "why", "Explain why a run was not reused, or what differs between two."),
    "inspect": ("wfx.cli.inspect", "inspect", "Say what a crate or a workflow holds."),
    "convert": ("wfx.cli.convert", "convert", "Write a definition from a stage definition of WfExS."),
    "runs": ("wfx.cli.runs", "runs", "List, show and remove runs, and read their logs."),
    "export": ("wfx.cli.crates", "export", "Pack a run's crate to hand it on."),
    "check": ("wfx.cli.crates", "check", "Check that a crate is valid."),
    "fetch": ("wfx.cli.fetch", "fetch", "Fetch references into the store, or to a file."),
    "cache": ("wfx.cli.cache", "cache", "Look after the store of fetched things."),
    "engines": ("wfx.cli.engines", "engines", "List, install and remove versions of engines."),
    "plugins": ("wfx.cli.plugins", "plugins", "List and show the installed plugins."),
    "config": ("wfx.cli.config", "config", "Show the settings in force, and where each comes from."),
    "doctor": ("wfx.cli.doctor", "doctor", "Look what this machine has and lacks for wfx."),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a run's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command, or return None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest the command that was meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="wfx", message="%(prog)s %(version)s")
def cli() -> None:
    """Run anybody's scientific workflow, anywhere, and prove what was run.

    Give a reference to a workflow (a path, a URL, a git repository) and its inputs:

    \b
        wfx run git+https://example.org/lab/pipeline.git@v1.2#path=main.cwl inputs.yml

    wfx fetches everything, runs it offline with the workflow's own engine, and leaves a directory that is a valid
    Workflow Run RO-Crate.
    """  # noqa: D301 (click's mark for lines that are not to be wrapped is a real backspace)


def run_command(arguments: list[str]) -> int:
    """Run the command line; return its exit code. Every error is one line on stderr, and one object with `--json`."""
    debug = "--debug" in arguments or os.environ.get("WFX_DEBUG") == "1"
    try:
        result = cli.main(arguments, prog_name="wfx", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        return _report_usage(error, arguments)
    except (click.Abort, KeyboardInterrupt):
        return _report(Interrupted(2), arguments, debug)
    except BrokenPipeError:
        # Whoever read our output has enough (`wfx runs list | head`); a second error at exit would only confuse.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except WfxError as error:
        return _report(error, arguments, debug)
    except OSError as error:
        from wfx.errors import MachineError

        return _report(MachineError.of(error), arguments, debug, cause=error)
    except Exception as error:  # noqa: BLE001 (the last resort: a fault of wfx itself is reported as such)
        from wfx.plugins import blame

        fault = blame(error) or WfxError(
            f"a fault of wfx itself: {type(error).__name__}: {error}",
            remedy="run again with --debug and report what it prints",
        )
        return _report(fault, arguments, debug, cause=error)
    return result if isinstance(result, int) else 0


def _report_usage(error: click.ClickException, arguments: list[str]) -> int:
    """Say what click found wrong with the command line, as every other error: in one line."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        # A group without a command; click 8.2 and later call that an error, whose message is the help.
        error.show(sys.stderr)
        return error.exit_code
    message = " ".join(error.format_message().split()).rstrip(".")
    path = context.command_path if context is not None else "wfx"
    where = path.removeprefix("wfx").strip()
    message = f"{where}: {message}" if where else message
    click.echo(f"wfx: {message}; see {path} --help", err=True)
    if "--json" in arguments:
        _print_json_error(message, error.exit_code)
    return error.exit_code


def _report(error: WfxError, arguments: list[str], debug: bool, cause: BaseException | None = None) -> int:
    from wfx.redaction import redact

    code = error.exit_status if isinstance(error, Interrupted) else error.exit_code
    message = redact(str(error))
    if debug:
        import traceback

        sys.stderr.write(redact("".join(traceback.format_exception(cause or error))))
    logging.getLogger("wfx").debug("%s", message)
    click.echo(f"wfx: {message}", err=True)
    if "--json" in arguments:
        _print_json_error(message, code, error)
    return code


def _print_json_error(message: str, code: int, error: WfxError | None = None) -> None:
    report: dict[str, Any] = {"status": "error", "exit_code": code, "error": message}
    if error is not None:
        report["kind"] = type(error).__name__
    click.echo(json.dumps(report, ensure_ascii=False, indent=2))
