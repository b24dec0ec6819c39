"""Definition: what the user asks for, from a definition file or from the command line."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from wfx.documents import LoadedDocument, load_document
from wfx.engineoptions import parse_options
from wfx.errors import DefinitionError, DocumentError, InputError, MachineError, PolicyError, UsageError
from wfx.expanding import Expanding
from wfx.expectedoutputs import ExpectedOutput
from wfx.expectedoutputs import read as read_outputs
from wfx.fetching import Source
from wfx.inputs import InputOption, InputsFile, Layer, assemble
from wfx.records import digest
from wfx.references import Reference
from wfx.values import Values

if TYPE_CHECKING:
    from wfx.crates.held import Held
    from wfx.engines import Description, Engine
    from wfx.session import Session

SCHEMA = 1
RUNTIMES = ("none", "docker", "podman", "singularity")
LARGEST = 256 * 2**20
"""Bytes of a file elsewhere that is looked at for a definition."""
UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


@dataclass(frozen=True, slots=True)
class Definition:
    """A workflow, its inputs and its options."""

    workflow: Reference
    inputs_file: InputsFile | None = None
    inputs: Values = field(default_factory=dict)
    """Given in the definition itself; relative references in it are relative to `base`."""
    base: Reference | None = None
    """The definition file."""
    document: LoadedDocument | None = None
    """The definition file as it was read, for the lines of messages."""
    input_options: tuple[InputOption, ...] = ()
    name: str = ""
    engine: str = ""
    engine_version: str = ""
    """The version to run it with, or `current`: the one that is found; empty: what the workflow declares decides."""
    containers: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    outputs: tuple[ExpectedOutput, ...] = ()
    """What is expected of the outputs; no part of what is run."""
    crate: Held | None = None
    """The crate that holds the workflow, and inputs for it below all others."""
    notes: tuple[str, ...] = ()
    """What the user should know of how it was read."""
    from_wfexs: bool = False
    """Whether it was read from a stage definition of WfExS."""

    def fingerprint(self) -> str:
        """Return a digest of the inputs as they are asked for, which needs neither the workflow nor the files."""
        given = self.inputs_file
        return digest(
            {
                "file": [given.base.safe(), given.data.decode("utf-8", "replace")] if given else None,
                "inputs": self.inputs,
                "base": self.base.safe() if self.base else None,
                "options": [[o.name, o.mark, o.text] for o in self.input_options],
                "cwd": str(Path.cwd()) if self.input_options else None,
                "containers": list(self.containers),
                **({"crate": self.crate.fingerprint()} if self.crate is not None else {}),
                **({"engine_version": self.engine_version} if self.engine_version else {}),
            }
        )

    def values(self, description: Description, engine: Engine, session: Session) -> Values:
        """Return the workflow's inputs, checked against their types, with absolute locations.

        What stands for many files (a pattern, members of an archive, a table) is looked at, which may fetch it. Raises
        InputError, and what a fetch raises.
        """
        layers = []
        if self.inputs_file is not None:
            given = self.inputs_file
            layers.append(
                Layer(
                    engine.name_files(description, engine.read_inputs(given.data, given.name)), given.base,
                    load_document(given.data, given.name).where,
                )
            )  # fmt: skip
        if self.inputs:
            base = self.base if self.base is not None else Path.cwd()
            named = engine.name_files(description, self.inputs)
            if self.from_wfexs:
                from wfx.wfexs.fitting import fit

                named = fit(named, description.inputs)
            layers.append(Layer(named, base, self._where))
        if self.crate is not None:
            others = {name for layer in layers for name in layer.values} | {o.name for o in self.input_options}
            layers.insert(0, Layer(self.crate.values(description, others), Path.cwd(), lambda path: "the crate"))
        return assemble(description.inputs, layers, self.input_options, expand=Expanding(session).expand)

    def _where(self, path: tuple[str | int, ...]) -> str:
        return self.document.where(("inputs", *path)) if self.document is not None else "inputs"


def definition_schema() -> dict[str, Any]:
    """Return the JSON Schema of a definition file."""
    text = resources.files("wfx.schemas").joinpath("definition.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def load_definition(data: bytes, name: str, base: Reference, session: Session) -> Definition:
    """Read a definition file. Raises DefinitionError with file:line, and the key that was probably meant."""
    document = load_document(data, name)
    value = document.value
    if not isinstance(value, dict):
        raise DefinitionError("a definition is a mapping", where=document.where(()))
    properties = definition_schema()["properties"]
    for key in value:
        if key not in properties:
            near = difflib.get_close_matches(key, properties, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"the keys are {', '.join(properties)}"
            raise DefinitionError(f"unknown key '{key}'", where=document.where((key,)), remedy=hint)
    if "wfx" not in value:
        raise DefinitionError(
            "the key 'wfx' is missing", where=f"{name}:1", remedy=f"begin it with the line `wfx: {SCHEMA}`"
        )
    if value["wfx"] != SCHEMA or isinstance(value["wfx"], bool):
        raise DefinitionError(
            f"it is of version {value['wfx']!r} of the format", where=document.where(("wfx",)),
            why=f"this wfx reads version {SCHEMA}",
        )  # fmt: skip
    kinds = {
        "workflow": str,
        "name": str,
        "engine": str,
        "engine_version": str,
        "inputs_file": str,
        "inputs": dict,
        "containers": list,
        "options": dict,
    }
    for key, kind in kinds.items():
        if key in value and not isinstance(value[key], kind):
            expected = {str: "a text", dict: "a mapping", list: "a list"}[kind]
            raise DefinitionError(f"'{key}' takes {expected}", where=document.where((key,)))
    if "workflow" not in value:
        raise DefinitionError("the key 'workflow' is missing", where=f"{name}:1")
    inputs_file = None
    if "inputs_file" in value:
        inputs_file = read_inputs_file(_reference(document, "inputs_file", base), session)
    options = value.get("options") or {}
    assert isinstance(options, dict)
    for key, item in options.items():
        if not isinstance(item, (str, int, float)):
            raise DefinitionError(
                f"the option '{key}' takes a text, a number or a truth", where=document.where(("options", key))
            )
    if "memory" in options:
        options = {**options, "memory": parse_size(str(options["memory"]), document.where(("options", "memory")))}
    return Definition(
        workflow=_reference(document, "workflow", base),
        outputs=read_outputs(document),
        inputs_file=inputs_file,
        inputs=value.get("inputs") or {},  # type: ignore[arg-type]
        base=base,
        document=document,
        name=str(value.get("name", "")),
        engine=str(value.get("engine", "")),
        engine_version=str(value.get("engine_version", "")),
        containers=_runtimes(
            value.get("containers") or [],  # type: ignore[arg-type]
            session,
            lambda index: document.where(("containers", index)),
        ),
        options={key: str(item).lower() if isinstance(item, bool) else str(item) for key, item in options.items()},
    )


def _reference(document: LoadedDocument, key: str, base: Reference) -> Reference:
    assert isinstance(document.value, dict)
    try:
        read = Reference.parse_named if key == "workflow" else Reference.parse
        reference = read(str(document.value[key]), base)
        if reference.on_this_machine and not base.on_this_machine:
            raise PolicyError(
                "a definition from elsewhere names a file of this machine", where=document.where((key,)),
                why=str(reference), remedy="download it, and look at it",
            )  # fmt: skip
        return reference
    except DefinitionError as error:
        raise DefinitionError(error.what, where=document.where((key,)), why=error.why, remedy=error.remedy) from error


def _runtimes(names: Sequence[str], session: Session, where: Callable[[int], str]) -> tuple[str, ...]:
    # Ours are known whether they are installed or not; others' are what their plugins say.
    known = list(dict.fromkeys([*RUNTIMES, *session.plugins.keys("container-factory")]))
    for index, name in enumerate(names):
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            raise DefinitionError(
                f"'{name}' is no container runtime", where=where(index),
                remedy=f"did you mean '{near[0]}'?" if near else f"choose of {', '.join(known)}",
            )  # fmt: skip
    return tuple(names)


def parse_size(text: str, where: str) -> int:
    """Return the bytes of `8GB` (powers of ten), `8GiB` (of two) or a plain number. Raises DefinitionError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", text.strip().upper(), re.ASCII)
    if match is None or match[2] not in UNITS:
        raise DefinitionError(f"{text!r} is no size", where=where, remedy="write it as 8GB, 512MB or 8GiB")
    return int(float(match[1]) * UNITS[match[2]])


def read_inputs_file(reference: Reference, session: Session) -> InputsFile:
    """Read a file of inputs from wherever it is. Raises InputError where there is none."""
    path = session.local_copy(reference)
    try:
        return InputsFile(_shown(reference), path.read_bytes(), reference)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError(f"no such inputs file: {_shown(reference)}") from error
    except OSError as error:
        raise MachineError.of(error) from error


def _shown(reference: Reference) -> str:
    if not reference.is_local:
        return str(reference)
    try:
        return str(reference.path.relative_to(Path.cwd()))
    except ValueError:
        return str(reference.path)


def from_command_line(
    workflow: str,
    session: Session,
    *,
    inputs_file: str | None = None,
    inputs: Sequence[str] = (),
    name: str | None = None,
    engine: str | None = None,
    engine_version: str | None = None,
    containers: str | None = None,
    cores: int | None = None,
    memory: str | None = None,
    action: str = "",
    options: Sequence[str] = (),
    security_context: Path | None = None,
) -> Definition:
    """Return the definition that the command line asks for; WORKFLOW may be a definition file, or a crate.

    `action` chooses one of the runs that a crate records; `security_context` is WfExS's file of credentials for a stage
    definition of WfExS.
    """
    definition = _crate(workflow, session, action)
    if definition is None:
        reference = _workflow_reference(workflow)
        definition = _definition_file(reference, session, security_context) or Definition(reference)
        if action:
            raise UsageError("--action chooses a run of a crate", why=f"{workflow} is none")
    if security_context is not None and not definition.from_wfexs:
        raise UsageError("--security-context belongs to a stage definition of WfExS", why=f"{workflow} is none")
    if inputs_file is not None:
        definition = dataclasses.replace(
            definition, inputs_file=read_inputs_file(Reference.parse(inputs_file), session)
        )
    if options:
        definition = dataclasses.replace(definition, options={**definition.options, **parse_options(options)})
    definition = on_this_machine(definition, session, containers=containers, cores=cores, memory=memory)
    return dataclasses.replace(
        definition,
        input_options=tuple(InputOption.parse(option) for option in inputs),
        name=name or definition.name,
        engine=engine or definition.engine,
        engine_version=engine_version or definition.engine_version,
    )


def on_this_machine(
    definition: Definition, session: Session, *, containers: str | None = None, cores: int | None = None,
    memory: str | None = None,
) -> Definition:  # fmt: skip
    """Return a definition with what it is to run on: runtimes, cores and memory, as texts of the command line.

    Nearest to the user counts most: the command line, then the definition, then the configuration.
    """
    options = dict(definition.options)
    if number := cores or options.get("cores") or session.config.get_int("run.cores"):
        options["cores"] = str(number)
    if memory:
        with _said_on_the_command_line():
            options["memory"] = str(parse_size(memory, "--memory"))
    elif "memory" not in options and (size := session.config.get_str("run.memory")):
        options["memory"] = str(parse_size(size, "the setting run.memory"))
    runtimes = definition.containers
    if containers is not None:
        with _said_on_the_command_line():
            runtimes = _runtimes(
                [part.strip() for part in containers.split(",") if part.strip()], session, lambda index: "--containers"
            )
    return dataclasses.replace(
        definition, containers=runtimes or tuple(session.config.get_list("containers")), options=options
    )


def _crate(text: str, session: Session, action: str) -> Definition | None:
    """Return the definition that a crate is; None for what is no crate."""
    from wfx.crates.opening import may_be_crate

    if not may_be_crate(text, session):
        return None
    from wfx.crates.held import find_held

    held = find_held(text, session, action)
    return Definition(held.workflow, name=held.name, crate=held) if held is not None else None


@contextlib.contextmanager
def _said_on_the_command_line() -> Iterator[None]:
    try:
        yield
    except DefinitionError as error:
        raise UsageError(error.what, where=error.where, remedy=error.remedy) from error


def _workflow_reference(text: str) -> Reference:
    """Read the argument WORKFLOW; of a path, what stands after `#` names a process in the document."""
    reference = Reference.parse_named(text)
    path, mark, fragment = text.rpartition("#")
    if reference.is_local and mark and path and not reference.without_fragment().path.exists():
        whole = Reference.parse(path)
        if whole.path.exists():
            # `#path=` names a file in an archive, anything else a process in the document.
            return Reference(f"{whole.uri}#{quote(fragment, safe='=&/' if fragment.startswith('path=') else '/')}")
    return reference


def _definition_file(reference: Reference, session: Session, security_context: Path | None = None) -> Definition | None:
    """Return the definition that a YAML file holds, here or elsewhere; None where the file is something else."""
    if not reference.name.lower().endswith((".yml", ".yaml", ".json", ".wfx", ".stage")):
        return None
    if reference.is_local:
        if reference.fragment:
            return None
        path = reference.path
    else:
        [fetched] = session.fetch([Source(reference)], purpose="workflow")
        found = fetched.local or session.store.blob(fetched.sha256)
        if fetched.kind != "file" or found is None or fetched.size > LARGEST:
            return None
        path = found
    if not path.is_file():
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MachineError.of(error) from error
    name = _shown(reference)
    value = load_document(data, name).value
    if isinstance(value, dict) and "workflow_id" in value and "wfx" not in value:
        from wfx.wfexs.reading import read_stage

        return read_stage(data, name, reference, session, security_context)
    if not isinstance(value, dict) or "wfx" not in value:
        if isinstance(value, dict) and "cwlVersion" in value:
            return None
        if isinstance(value, dict) and "workflow" in value:
            raise DefinitionError(
                "it looks like a definition without its mark", where=name, remedy="begin it with the line `wfx: 1`"
            )
        return None
    return load_definition(data, name, reference, session)


__all__ = [
    "Definition", "DocumentError", "definition_schema", "from_command_line", "load_definition",
    "read_inputs_file",
]  # fmt: skip
