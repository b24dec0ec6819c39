"""Describe a workflow: the keys of its config, its rules as tools and steps, how they hang together, its images."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from . import parameters as given
from . import rules as found
from . import stand_ins
from .outputs import NamedOutputs
from .problems import Broken, Places, broken, folder_of, ours_in
from .profiles import Profile, find
from .project import clear, lay_out, linemaps, opened, quiet_settings
from .sheets import sheets_of
from .storage import INPUT, note_files, refuse_outputs

CONFIGFILE = re.compile(r"""^[ \t]*configfile[ \t]*:\s*["']([^"'{}\n]+)["']""", re.M)
MOST_KEYS = 20


def describe(message: dict[str, Any]) -> dict[str, Any]:
    """Return the description as `wfx.engines.Description` has it, in JSON's types.

    What a workflow does may depend on its config, of which only its own part is known: rules are all that it has, links
    and outputs are those of its own config. Where it does not even load without more, the texts are all there is.
    """
    places = Places(message)
    workdir = places.state / "describe"
    clear(workdir)
    lay_out(places, workdir)
    texts = given.documents_of(places)
    used = given.used_keys(texts)
    queries = note_files(places)
    profile = find(places, str(message.get("profile") or ""))
    try:
        rules, outputs, missing, warnings = _loaded(message, places, workdir, texts, used, profile)
    finally:
        clear(workdir)
    schema = given.find_schema(places, texts)
    project = places.tree / folder_of(places.entry)
    config = own_config(project, texts, profile)
    sheets = sheets_of(texts, places, config)
    name, doc = readme(project, places.entry)
    return {
        "engine": "snakemake.snakemake",
        "engine_version": message["version"],
        "language_version": message["version"],
        "entry": places.entry,
        "fragment": message["fragment"],
        "kind": "workflow",
        "name": name,
        "doc": doc,
        "licence": None,
        "inputs": [*given.parameters(config, schema, used, missing, places, sheets), *storage_input(queries)],
        "outputs": outputs.parameters(),
        "tools": list(rules.tools.values()),
        "steps": rules.steps,
        "connections": rules.connections,
        "images": rules.images,
        "warnings": [*profile.told(), *warnings],
    }


def _loaded(
    message: dict[str, Any], places: Places, workdir: Path, texts: dict[str, str], used: list[str], profile: Profile
) -> tuple[found.Rules, NamedOutputs, list[str], list[str]]:
    """Load the workflow; return rules, outputs, the keys that it does not load without, and warnings.

    Where its own config is not enough, values are put in for what is missing: which rules there are and what they are
    like rarely depends on them.
    """
    schema = given.find_schema(places, texts)
    config = own_config(places.tree / folder_of(places.entry), texts, profile)
    missing: list[str] = []
    invented: dict[str, Any] = {}
    first: Broken | None = None
    for _ in range(MOST_KEYS):
        try:
            rules, outputs, warnings = _attempt(message, places, workdir, invented, profile)
        except Waiting as waiting:
            first = first or waiting.problem
            key = str(waiting.error.args[0]) if isinstance(waiting.error, KeyError) and waiting.error.args else ""
            missing += [key] if key in used and key not in missing else []
            more = stand_ins.values(given.parameters(config, schema, used, missing, places, {}), workdir)
            if more == invented or not is_config(waiting.error, used):
                raise_if_final(waiting, used)
                break
            invented = more
        else:
            if first is not None and missing:
                # What a schema asks for shows in the inputs; a key that only a rule asks for may be one of many.
                warnings = [f"it does not load without its inputs: {told(first)}", *warnings]
            return rules, outputs, missing, warnings
    assert first is not None
    return found.Rules.of_texts(texts), NamedOutputs(), missing, [f"it does not load without its inputs: {told(first)}"]


class Waiting(Exception):
    """The workflow does not load, and perhaps only for want of its inputs."""

    def __init__(self, error: BaseException, problem: Broken) -> None:
        super().__init__(str(error))
        self.error, self.problem = error, problem


def raise_if_final(waiting: Waiting, used: list[str]) -> None:
    """Raise what is wrong with a workflow that no inputs will put right."""
    if not is_config(waiting.error, used):
        raise waiting.problem from waiting.error


def _attempt(
    message: dict[str, Any], places: Places, workdir: Path, invented: dict[str, Any], profile: Profile
) -> tuple[found.Rules, NamedOutputs, list[str]]:
    """Load the workflow once. Raises Waiting, and Broken for an unknown target."""
    configfiles = []
    if invented:
        configfiles = [places.state / "describe.json"]
        configfiles[0].write_text(json.dumps(invented))
    with opened(message, places, workdir, profile=profile, configfiles=configfiles, output=quiet_settings()) as (
        _,
        loaded,
    ):
        try:
            workflow = loaded._workflow
        except Broken:
            raise
        except Exception as error:
            raise Waiting(error, broken(error, linemaps(loaded), places)) from error
        rules = found.Rules.of_workflow(workflow, places, linemaps(loaded))
        outputs = NamedOutputs()
        wanted = list(message.get("targets") or filter(None, [message["fragment"]]))
        try:
            dag = build(loaded, *wanted)
            refuse_outputs(dag, places)
            rules.connect(dag)
            outputs.of_dag(dag)
        except Exception as error:
            problem = broken(error, linemaps(loaded), places)
            if ours_in(error) is not None:
                raise problem from error
            if is_unknown_target(error) and wanted:
                raise problem from error
            outputs.of_rules(workflow, wanted)
            return rules, outputs, [] if invented else [f"its steps depend on its inputs: {told(problem)}"]
        return rules, outputs, []


def told(problem: Broken) -> str:
    """Return a problem as a clause."""
    answer = problem.answer
    return f"{answer['what']} ({answer['where']})" + (f": {answer['why']}" if answer["why"] else "")


def build(loaded: Any, *wanted: str) -> Any:
    """Return the graph of jobs for the targets, or the default one."""
    from snakemake.settings.types import DAGSettings, ExecutionSettings

    loaded.dag(DAGSettings(targets=set(filter(None, wanted))))
    workflow = loaded._workflow
    workflow.execution_settings = ExecutionSettings(lock=False, ignore_incomplete=True)
    workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
    workflow._build_dag()
    return workflow.dag


def is_unknown_target(error: BaseException) -> bool:
    """Say whether nothing makes what was asked for."""
    from snakemake.exceptions import MissingRuleException

    return isinstance(error, MissingRuleException)


def is_config(error: BaseException, used: list[str]) -> bool:
    """Say whether a workflow that does not load may do so with the user's config."""
    if isinstance(error, SyntaxError):
        return False
    text = str(error)
    if (isinstance(error, KeyError) and error.args and str(error.args[0]) in used) or isinstance(error, OSError):
        return True
    if "Error validating" in text or "Workflow defines configfile" in text:
        return True
    cause = error.__cause__ or error.__context__
    return cause is not None and cause is not error and is_config(cause, used)


def own_config(project: Path, texts: dict[str, str], profile: Profile) -> dict[str, Any]:
    """Return the config that the workflow ships: its config files in their order, merged as Snakemake merges them.

    What its profile sets comes last.
    """
    from snakemake.utils import update_config

    names = [name for text in texts.values() for name in CONFIGFILE.findall(text)]
    config: dict[str, Any] = {}
    for name in dict.fromkeys(names):
        values = given.read(project / name)
        if isinstance(values, dict):
            update_config(config, values)
    update_config(config, given.plain(profile.config))
    return config


def storage_input(queries: list[str]) -> list[dict[str, Any]]:
    """Return the input that stands for the files of other places, which wfx brings before the run."""
    remote = [query for query in queries if "://" in query and not query.startswith("file:")]
    if not queries:
        return []
    files = [{"class": "File", "location": query} for query in remote]
    return [{
        "id": INPUT, "type": {"kind": "array", "items": {"kind": "File"}}, "label": "", "default": files,
        "doc": "files that the workflow reads from storage; more may be given", "has_default": True,
    }]  # fmt: skip


def readme(project: Path, entry: str) -> tuple[str, str]:
    """Return a name and a sentence for the workflow, from its README's title and first paragraph."""
    stem = Path(entry).stem
    for path in (project / "README.md", project / "readme.md", project / "README.rst"):
        if not path.is_file():
            continue
        text = path.read_text("utf-8", "replace")
        title = re.search(r"^#\s+(.+?)\s*#*$", text, re.M)
        if title is None:
            continue
        name = re.sub(r"[`*_]|\[|\]\([^)]*\)", "", title[1])
        for block in re.split(r"\n\s*\n", text[title.end() :]):
            block = " ".join(block.split())
            # Badges, pictures and headings say nothing of what it does.
            if block and not block.startswith(("[!", "!", "#", "<", "[", "|", "```", "-", "*")):
                return name, block[:1000]
        return name, ""
    return ("workflow" if stem.lower() == "snakefile" else stem), ""
