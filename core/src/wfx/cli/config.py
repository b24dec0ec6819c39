"""`wfx config`: the settings in force, and where each comes from."""

from __future__ import annotations

import difflib

import click

from wfx.cli.shared import common, open_session, print_json, print_table
from wfx.config import BY_NAME, SETTINGS, Config
from wfx.errors import UsageError


@click.group()
def config() -> None:
    """Show the settings in force, and where each comes from."""


@config.command("show")
@common
def show(as_json: bool, level: int) -> None:
    """List every setting with its value and its origin."""
    loaded = Config.load()
    if as_json:
        settings = {s.name: {"value": loaded.get(s.name), "origin": loaded.values[s.name][0].origin} for s in SETTINGS}
        print_json({"settings": settings, "sections": loaded.sections, "files": [str(f) for f in loaded.files]})
        return
    rows = [(s.name, _text(loaded.get(s.name)), loaded.values[s.name][0].origin) for s in SETTINGS]
    rows += [
        (f"{section}.{key}", _text(value), "a plugin's")
        for section, values in loaded.sections.items()
        for key, value in values.items()
    ]
    print_table(("SETTING", "VALUE", "FROM"), rows)


@config.command("explain")
@click.argument("name")
@common
def explain(name: str, as_json: bool, level: int) -> None:
    """Say what a setting does, which values were given for it, and which is in force."""
    setting = BY_NAME.get(name)
    if setting is None:
        near = difflib.get_close_matches(name, BY_NAME, n=1)
        raise UsageError(
            f"there is no setting '{name}'", remedy=f"did you mean '{near[0]}'?" if near else "see `wfx config show`"
        )
    values = Config.load().values[name]
    if as_json:
        given = [{"value": v.value, "origin": v.origin} for v in values]
        print_json({"name": name, "doc": setting.doc, "environment": setting.environment, "values": given})
        return
    click.echo(f"{name}: {setting.doc}")
    if setting.choices:
        click.echo(f"one of: {', '.join(setting.choices)}")
    click.echo(f"environment: {setting.environment}")
    for number, value in enumerate(values):
        click.echo(
            f"{'in force' if number == 0 else 'hidden  '}  {_text(value.value) or '(empty)'}  from {value.origin}"
        )


@config.group()
def credentials() -> None:
    """Say which credentials are given and whether they work; no value is ever shown."""


@credentials.command("list")
@common
def list_credentials(as_json: bool, level: int) -> None:
    """List the places that credentials are given for, by name alone, in the order in which they count."""
    from wfx.config import Directories
    from wfx.net.credentials import Credentials

    given = Credentials(Directories.find().config).given()
    if as_json:
        print_json({"credentials": given})
        return
    print_table(("PLACE", "KINDS", "FROM"), [(each.place, ", ".join(each.kinds), each.given_in) for each in given])


@credentials.command("test")
@click.argument("reference")
@common
def test_credential(reference: str, as_json: bool, level: int) -> int:
    """Say which credential applies to REFERENCE, and whether the place accepts it.

    The place is asked with it and without any. Exit code 4 where what applies is refused, or something is missing.
    """
    from wfx.references import Reference
    from wfx.tryouts import try_out

    with open_session(level=level) as (session, _):
        tried = try_out(Reference.parse(reference), session)
    if as_json:
        print_json(tried)
    else:
        for place, given_in in tried.used.items():
            click.echo(f"{place}: from {given_in}")
        click.echo(tried.verdict)
    return 0 if tried.good else 4


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
