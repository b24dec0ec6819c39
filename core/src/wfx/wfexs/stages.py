"""A WfExS stage definition as a definition of wfx.

Nothing is dropped in silence: what wfx does otherwise, or not yet, is a note, which a plan shows as a warning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import quote, unquote, urlsplit

from wfx.documents import LoadedDocument, load_document
from wfx.errors import DefinitionError, InputError
from wfx.expectedoutputs import cardinality
from wfx.patterns import matcher

SCHEMA = 1
CLASS = "c-l-a-s-s"
KEYS = frozenset({
    "trs_endpoint", "version", "workflow_id", "nickname", "paranoid_mode", "workflow_type", "workflow_config",
    "placeholders", "params", "environment", "outputs", "default-actions",
})  # fmt: skip
CONTAINERS = frozenset({"singularity", "docker", "podman", "none"})
RAW = re.compile(r"https://raw\.githubusercontent\.com/([^/]+)/([^/]+)/([^/]+)/(.+)")
CURIE = re.compile(r"github:([^/]+)/([^/]+)/([^/]+)(?:/(.+))?")
ENGINES = ("cwl", "nextflow", "snakemake", "galaxy")
Path = tuple[str | int, ...]


@dataclass(slots=True)
class Converted:
    """A stage definition in the terms of wfx."""

    definition: dict[str, Any]
    """As a definition file has it."""
    notes: list[str] = field(default_factory=list)
    """What is not taken over as it stands, and why that does or does not matter."""
    contexts: dict[str, list[str]] = field(default_factory=dict)
    """Name of a security context → references that are to be fetched with it."""


def is_stage(value: object) -> bool:
    """Say whether a document is a stage definition of WfExS."""
    if not isinstance(value, dict) or "workflow_id" not in value or "wfx" in value:
        return False
    return bool({"params", "workflow_config"} & value.keys())


def convert(data: bytes, name: str) -> Converted:
    """Turn a stage definition into ours; `name` is for messages. Raises DefinitionError with file:line."""
    document = load_document(data, name)
    if not is_stage(document.value):
        raise DefinitionError("it is no stage definition of WfExS", where=name, why="it has no workflow_id")
    return _Stage(document).convert()


class _Stage:
    def __init__(self, document: LoadedDocument) -> None:
        assert isinstance(document.value, dict)
        self.document = document
        self.value: dict[str, Any] = document.value
        self.result = Converted({"wfx": SCHEMA})
        self.placeholders = self._mapping("placeholders")

    def convert(self) -> Converted:
        for key in self.value:
            if key not in KEYS:
                self._note(f"the key '{key}' is not known to wfx, and is not used")
        definition = self.result.definition
        definition["workflow"] = self._workflow()
        if self.value.get("nickname"):
            definition["name"] = str(self.value["nickname"])
        kind = str(self.value.get("workflow_type") or "")
        if kind:
            definition["engine"] = (
                kind if kind in ENGINES else self._refuse(f"workflow_type {kind!r} is not known", "workflow_type")
            )
        if self.value.get("paranoid_mode"):
            self._note("paranoid_mode is not used: wfx has no encrypted run directories yet")
        self._config(self._mapping("workflow_config"))
        inputs = {name: self._param(value, ("params", name)) for name, value in self._mapping("params").items()}
        definition["inputs"] = {name: value for name, value in inputs.items() if value is not _OMITTED}
        for name in self._mapping("environment"):
            self._note(f"the variable {name} of 'environment' is not used: an engine gets no variables from outside")
        self._outputs(self._mapping("outputs"))
        return self.result

    # -- the workflow

    def _workflow(self) -> str:
        identifier, version = self.value["workflow_id"], self.value.get("version")
        if not isinstance(identifier, (str, int)) or isinstance(identifier, bool) or identifier == "":
            self._refuse("'workflow_id' takes a text or a number", "workflow_id")
        endpoint = self.value.get("trs_endpoint")
        if endpoint:
            parts = urlsplit(str(endpoint))
            if parts.scheme not in ("http", "https") or not parts.netloc:
                self._refuse(f"'trs_endpoint' is {endpoint!r}, no address of the web", "trs_endpoint")
            base = parts.path.rstrip("/").removesuffix("/tools")
            # An id may end with the slash of the address that it was copied from.
            name = quote(self._filled(str(identifier)).rstrip("/"), safe="")
            tail = f"/versions/{quote(str(version), safe='')}" if version is not None else ""
            return f"trs://{parts.netloc}{base}/tools/{name}{tail}"
        reference = workflow_reference(self._filled(str(identifier)))
        if version is not None:
            self._note("'version' is not used: it belongs to a registry, and no trs_endpoint is named")
        return reference

    def _config(self, config: Mapping[str, Any]) -> None:
        definition = self.result.definition
        options: dict[str, Any] = {}
        if config.get("secure", True):
            self._note("'secure' is not used: the run directory is not encrypted, keep it where only you may read")
        container = config.get("containerType")
        if container is not None:
            if str(container) not in CONTAINERS:
                self._refuse(f"containerType {container!r} is not known", "workflow_config")
            definition["containers"] = [container]
        for engine in ("nextflow", "cwl"):
            section = config.get(engine)
            if not isinstance(section, dict):
                continue
            if section.get("version"):
                definition["engine_version"] = str(section["version"])
            if section.get("maxProcesses"):
                options["cores"] = int(section["maxProcesses"])
            for key in section.keys() - {"version", "maxProcesses", "profile"}:
                self._note(f"'{engine}.{key}' of 'workflow_config' is not used")
        profile = (config.get("nextflow") or {}).get("profile") or config.get("profile")
        if profile:
            names = profile if isinstance(profile, list) else str(profile).split(",")
            options["profile"] = ",".join(str(each).strip() for each in names)
        if config.get("writable_containers"):
            self._note("'writable_containers' is not used: containers are read-only but for their work directory")
        for key in config.keys() - {"secure", "containerType", "nextflow", "cwl", "profile", "writable_containers"}:
            self._note(f"'{key}' of 'workflow_config' is not used")
        if options:
            definition["options"] = options

    # -- parameters

    def _param(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            return [self._param(item, (*path, number)) for number, item in enumerate(value)]
        if not isinstance(value, dict):
            return self._filled(value) if isinstance(value, str) else value
        kind = value.get(CLASS)
        if kind is None:
            inner = {name: self._param(item, (*path, name)) for name, item in value.items()}
            return {name: item for name, item in inner.items() if item is not _OMITTED}
        makers: dict[str, Callable[[dict[str, Any], Path], Any]] = {
            "File": self._file, "Directory": self._file, "Value": self._plain, "ContentWithURIs": self._table,
        }  # fmt: skip
        if not isinstance(kind, str) or kind not in makers:
            self._refuse(f"{CLASS} {kind!r} is not known", *path)
        return makers[kind](value, path)

    def _plain(self, value: dict[str, Any], path: Path) -> Any:
        return self._param(value.get("value"), (*path, "value"))

    def _file(self, value: dict[str, Any], path: Path) -> Any:
        kind, name = str(value[CLASS]), ".".join(map(str, path[1:]))
        if value.get("autoFill"):
            if kind == "Directory":
                self._note(f"'{name}' is an output folder, which wfx chooses itself")
                return _OMITTED
            self._note(f"'{name}' is an output file: it is given its own name")
            return str(path[-1])
        if "url" not in value:
            # A file whose content stands in the definition.
            return {
                "class": "File",
                "basename": self._name(value) or str(path[-1]),
                "contents": str(value.get("value") or ""),
            }
        common = self._common(value)
        form = "directory" if kind == "Directory" else "file"
        places = value["url"] if isinstance(value["url"], list) else [value["url"]]
        found: list[Any] = []
        for place in places:
            found += self._items(place, form, value, common, (*path, "url"))
        others = value.get("secondary-urls") or []
        companions: list[Any] = []
        for place in others if isinstance(others, list) else [others]:
            companions += self._items(place, "file", value, {}, (*path, "secondary-urls"))
        if companions:
            found[0]["secondary"] = [item["file"] if set(item) == {"file"} else item for item in companions]
            if len(found) > 1:
                self._note(f"the secondary-urls of '{name}' belong to the first of its {len(found)} files")
        if len(found) == 1 and not isinstance(value["url"], list):
            return found[0]
        return found

    def _items(self, place: Any, form: str, value: dict[str, Any], common: dict[str, Any], path: Path) -> list[Any]:
        """Return the forms of one place: a URI, a licensed URI, or a list of such that are the same."""
        alternates = place if isinstance(place, list) else [place]
        uris: list[str] = []
        extra: dict[str, Any] = {}
        for each in alternates:
            if isinstance(each, dict):
                uris.append(reference_of(self._filled(str(each.get("uri") or ""))))
                extra |= _licensed(each)
                context = each.get("security-context")
                for key in each.keys() - {"uri", "licences", "attributions", "security-context", "member"}:
                    self._note(f"'{key}' of {'.'.join(map(str, path))} is not used")
            else:
                uris.append(reference_of(self._filled(str(each))))
                context = None
            if context := context or value.get("security-context"):
                self.result.contexts.setdefault(str(context), []).append(uris[-1])
        if not all(uris):
            self._refuse("a place without its URI", *path)
        reference: Any = uris[0] if len(uris) == 1 else uris
        member = next((each["member"] for each in alternates if isinstance(each, dict) and "member" in each), None)
        if member is not None:
            return [{"archive": reference, "member": self._filled(str(member)), **common, **extra}]
        if value.get("globExplode"):
            return [{"directory": reference, "glob": self._filled(str(value["globExplode"])), **common, **extra}]
        return [{form: reference, **common, **extra}]

    def _table(self, value: dict[str, Any], path: Path) -> Any:
        tabular = value.get("tabular") or {}
        if not isinstance(tabular, dict) or "uri-columns" not in tabular:
            self._refuse("content with URIs needs 'tabular' with 'uri-columns'", *path)
        separator = str(tabular.get("column-sep") or ",")
        plain = {"\\t": "\t", "\\|": "|", "\\s+": " "}.get(separator, separator)
        if len(plain) != 1:
            self._refuse(f"column-sep {separator!r} is no single character", *path)
        if tabular.get("row-sep", "\n") != "\n":
            self._note(f"row-sep of {'.'.join(map(str, path[1:]))} is not used: rows end with their lines")
        common = self._common(value)
        shape = {
            "columns": list(tabular["uri-columns"]),
            "delimiter": plain,
            "header": int(tabular.get("header-rows", 0)),
        }
        if "url" not in value:
            name = common.pop("name", "") or f"{path[-1]}{'.tsv' if plain == chr(9) else '.csv'}"
            content = value.get("value")
            text = "\n".join(content) if isinstance(content, list) else str(content or "")
            return {"table": name, "contents": self._rows(self._filled(text), shape), **shape, **common}
        places = value["url"] if isinstance(value["url"], list) else [value["url"]]
        found = []
        for place in places:
            [item] = self._items(place, "table", value, common, path)
            found.append({**item, **shape})
        return found[0] if len(found) == 1 else found

    def _rows(self, text: str, shape: Mapping[str, Any]) -> str:
        """Return a table's text with its references in our spelling."""
        lines = text.split("\n")
        for number in range(shape["header"], len(lines)):
            cells = lines[number].split(shape["delimiter"])
            for column in shape["columns"]:
                if column < len(cells):
                    cells[column] = reference_of(cells[column].strip())
            lines[number] = shape["delimiter"].join(cells)
        return "\n".join(lines)

    def _common(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return what stands beside a place, in our words."""
        found: dict[str, Any] = {}
        if name := self._name(value):
            found["name"] = name
        for key in ("disclosable", "cacheable"):
            if key in value:
                found[key] = bool(value[key])
        if "clonable" in value:
            self._note("'clonable' is not used: inputs are linked only where the engine cannot change them")
        known = {CLASS, "url", "value", "tabular", "secondary-urls", "preferred-name", "relative-dir", "security-context",
                 "globExplode", "autoFill", "autoPrefix", "disclosable", "cacheable", "clonable"}  # fmt: skip
        for key in value.keys() - known:
            self._note(f"'{key}' of an input is not used")
        return found

    def _name(self, value: Mapping[str, Any]) -> str:
        """Return the name that an input is to have, with the folder that it is to lie in."""
        name = value.get("preferred-name")
        folder = value.get("relative-dir")
        text = self._filled(name) if isinstance(name, str) else ""
        if isinstance(folder, str) and folder:
            if text:
                return text  # `relative-dir` does not touch a preferred name
            if isinstance(value.get("url"), str):
                last = urlsplit(self._filled(str(value["url"]))).path.rstrip("/").rpartition("/")[2]
                return f"{folder.strip('/')}/{unquote(last)}"
            self._note(f"relative-dir {folder!r} is not used: the files lie in the folder of their input")
        return text

    # -- outputs

    def _outputs(self, outputs: Mapping[str, Any]) -> None:
        for name, value in outputs.items():
            if not isinstance(value, dict):
                self._refuse(f"the output '{name}' is no mapping", "outputs", name)
            if (expected := self._output(name, value)) is not None:
                self.result.definition.setdefault("outputs", {})[name] = expected

    def _output(self, name: str, value: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what is expected of an output, in our words; None where wfx has no way to look for it."""
        glob, source = value.get("glob"), value.get("fillFrom")
        if not glob and source:
            self._note(
                f"the output '{name}' (fillFrom {source}) is not looked for: the workflow publishes it all the same"
            )
            return None
        if glob and value.get(CLASS) == "Directory":
            self._note(f"the output '{name}' (glob {glob}) is not looked for: patterns are of files, not of folders")
            return None
        if value.get("preferredName"):
            self._note(f"the output '{name}' is not called {value['preferredName']}: it keeps the workflow's own name")
        expected: dict[str, Any] = {"glob": self._filled(str(glob)).removeprefix("./")} if glob else {}
        try:
            matcher(expected.get("glob", ""))
        except InputError as error:
            self._refuse(str(error), "outputs", name, "glob")
        said = value.get("cardinality")
        if said is not None:
            # A number may stand there as a text.
            said = int(said) if isinstance(said, str) and re.fullmatch("[0-9]{1,9}", said) else said
            if cardinality(said) is None:
                self._refuse(f"cardinality {said!r} is not known", "outputs", name, "cardinality")
            expected["cardinality"] = said
        for key in value.keys() - {CLASS, "glob", "fillFrom", "preferredName", "cardinality"}:
            self._note(f"'{key}' of an output is not used")
        return expected

    # -- small things

    def _filled(self, text: str) -> str:
        """Return a text with its placeholders filled in, those within placeholders too."""
        for _ in range(5):
            new = re.sub(r"\{(\w+)\}", lambda m: str(self.placeholders.get(m[1], m[0])), text)
            if new == text:
                break
            text = new
        return text

    def _mapping(self, key: str) -> dict[str, Any]:
        value = self.value.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._refuse(f"'{key}' takes a mapping", key)
        return dict(value)

    def _note(self, text: str) -> None:
        if text not in self.result.notes:
            self.result.notes.append(text)

    def _refuse(self, what: str, *path: str | int) -> NoReturn:
        raise DefinitionError(what, where=self.document.where(tuple(path)))


_OMITTED = object()


def _licensed(place: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    licences = place.get("licences")
    if licences:
        found["licence"] = [str(each) for each in licences]
    people = [each for each in place.get("attributions") or [] if isinstance(each, dict)]
    if people:
        found["attribution"] = [
            " ".join(
                filter(None, (str(each.get("name") or ""), f"<{each['pid']}>" if each.get("pid") else "",
                              f"({', '.join(map(str, each['roles']))})" if each.get("roles") else ""))
            )
            for each in people
        ]  # fmt: skip
    return found


def reference_of(uri: str) -> str:
    """Return a reference to a file in our spelling: `github:` CURIEs of identifiers.org are `gh:` here."""
    match = CURIE.fullmatch(uri)
    if match:
        owner, repository, revision, path = match.groups()
        return f"gh:{owner}/{repository}@{unquote(revision)}" + (f"#path={path}&only=1" if path else "")
    if uri.startswith("git+") and "#subdirectory=" in uri:
        return uri.replace("#subdirectory=", "#path=", 1) + "&only=1"
    return uri


def workflow_reference(uri: str) -> str:
    """Return a reference to a workflow in our spelling.

    `#subdirectory=` is `#path=`; a raw file of GitHub is named in its repository, which its imports lie in.
    """
    match = CURIE.fullmatch(uri) or RAW.fullmatch(uri)
    if match:
        owner, repository, revision, path = match.groups()
        return f"gh:{owner}/{repository}@{unquote(revision)}" + (f"#path={path}" if path else "")
    return uri.replace("#subdirectory=", "#path=", 1)
