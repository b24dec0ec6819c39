"""`wfx inputs`: a template of the inputs that a workflow takes."""

from __future__ import annotations

import click

from wfx.cli.shared import common, engine_options, offline_option, open_session, print_json


@click.command()
@click.argument("workflow")
@click.option("--schema", is_flag=True, help="Print JSON Schema in place of the template.")
@click.option("--engine", help="Engine, as LANGUAGE.ENGINE or either half.")
@engine_options
@click.option("--allow-local", is_flag=True, help="Let a workflow from elsewhere name files of this machine.")
@click.option("--trust", is_flag=True, help="Describe a workflow from elsewhere without a sandbox.")
@offline_option
@common
def inputs(
    workflow: str,
    schema: bool,
    engine: str | None,
    options: tuple[str, ...],
    allow_local: bool,
    trust: bool,
    offline: bool,
    as_json: bool,
    level: int,
) -> None:
    """Print a commented template of WORKFLOW's inputs, with types, defaults and docs."""
    from wfx import flow
    from wfx.definitions import from_command_line
    from wfx.valuetypes import json_schema, template

    with open_session(offline=offline, level=level) as (session, _):
        definition = from_command_line(workflow, session, engine=engine, options=options)
        description = flow.describe(definition, session, flow.Options(allow_local=allow_local, trust=trust))
    title = description.name or description.entry
    if schema:
        print_json(json_schema(description.inputs, title))
    elif as_json:
        print_json({"workflow": title, "inputs": description.inputs, "outputs": description.outputs})
    else:
        click.echo(template(description.inputs, title), nl=False)
