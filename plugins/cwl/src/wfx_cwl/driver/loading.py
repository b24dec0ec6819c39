"""Load a document with cwltool from what has been staged, and say in a line what is wrong with a broken one."""

from __future__ import annotations

import functools
import os
import re
import traceback
from pathlib import Path
from typing import Any

from .events import Recorder
from .names import path_of, short, uri_of
from .steps import make_telling

SUPPORTED = ("v1.0", "v1.1", "v1.2")
CLASSES = ("Workflow", "CommandLineTool", "ExpressionTool", "Operation")
EXTENSIONS = "http://commonwl.org/cwltool"
EXTENSION_FILES = {"v1.0": "extensions.yml", "v1.1": "extensions-v1.1.yml", "v1.2": "extensions-v1.2.yml"}


class Broken(Exception):
    """Something that the user has to know of."""

    def __init__(self, kind: str, what: str, where: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.answer = {"kind": kind, "what": what, "where": where, "why": why, "remedy": remedy}


class Workflow:
    """A loaded document."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.tree = Path(message["tree"])
        self.entry, self.fragment = message["entry"], message["fragment"]
        self.aliases: dict[str, Path] = {uri: self.tree / path for uri, path in message["aliases"].items()}
        self.uri = uri_of(self.tree / self.entry) + (f"#{self.fragment}" if self.fragment else "")
        self.recorder = Recorder()
        self.warnings: list[str] = []
        self.process = self._load()

    def _load(self) -> Any:
        from cwltool.context import LoadingContext
        from cwltool.errors import GraphTargetMissingException
        from cwltool.load_tool import fetch_document, make_tool, resolve_and_validate_document
        from schema_salad.exceptions import SchemaSaladException

        context = LoadingContext()
        context.fetcher_constructor = functools.partial(_fetcher(), self.aliases)
        context.construct_tool_object = functools.partial(make_telling, self.recorder)
        context.do_validate = True
        # It starts node for every expression and has no effect but lines in the log.
        context.disable_js_validation = True
        context.skip_schemas = not self._has_schemas()
        context.relax_path_checks = True
        self._use_extensions()
        try:
            context, document, uri = fetch_document(self.uri, context)
            self._refuse_others(document)
            context, uri = resolve_and_validate_document(context, document, uri)
            process = make_tool(uri, context)
        except Broken:
            raise
        except GraphTargetMissingException as error:
            found = [short(str(item.get("id", "")).replace("#", "/")) for item in document.get("$graph", [])]
            raise Broken(
                "document", "it has several processes and none is called main", self.entry,
                f"it has {', '.join(found) or 'none'}", f"name one: {self.entry}#{found[0] if found else 'NAME'}",
            ) from error  # fmt: skip
        except StopIteration as error:
            raise Broken("document", "it is not valid CWL", self.entry, "it is empty") from error
        except RecursionError as error:
            raise Broken("document", "it is not valid CWL", self.entry, "a workflow runs itself as a step") from error
        except Exception as error:
            if not isinstance(error, SchemaSaladException):
                traceback.print_exc()
            raise self._broken(error) from error
        process.visit(self._place_defaults)
        return process

    def _refuse_others(self, document: Any) -> None:
        """Refuse what is no CWL that cwltool runs, in better words than its own."""

        def refuse(what: str, key: str = "", why: str = "", remedy: str = "") -> Broken:
            line = document.lc.data[key][0] + 1 if key and key in getattr(document.lc, "data", {}) else 1
            return Broken("document", what, f"{self.entry}:{line}", why, remedy)

        if not isinstance(document, dict):
            raise Broken(
                "document", "it is not valid CWL", f"{self.entry}:1", "a mapping with class and cwlVersion is expected"
            )
        written = document.get("cwlVersion")
        supported = f"supported are {', '.join(SUPPORTED)}"
        if written is None and not self.fragment:
            raise refuse("it has no cwlVersion", why=supported, remedy="write cwlVersion: v1.2")
        if written is not None:
            version = str(written).removeprefix("cwl:").removeprefix("https://w3id.org/cwl/cwl#")
            if version.startswith(("draft-", "sbg:draft-")):
                remedy = "convert it with cwl-upgrader" if version.startswith("draft-") else ""
                raise refuse(f"cwlVersion {version} is not supported", "cwlVersion", supported, remedy)
            if version not in SUPPORTED:
                raise refuse(f"cwlVersion {version} is unknown", "cwlVersion", supported)
        if "$graph" not in document:
            kind = document.get("class")
            if kind is None:
                raise refuse("it has no class", why=f"it is one of {', '.join(CLASSES)}")
            if kind not in CLASSES:
                raise refuse(f"class {kind} is unknown", "class", f"it is one of {', '.join(CLASSES)}")

    def _use_extensions(self) -> None:
        """Switch cwltool's extensions on for documents that name them, as its option --enable-ext does."""
        import importlib.resources

        from cwltool.process import use_custom_schema, use_standard_schema

        named = any(EXTENSIONS.encode() in path.read_bytes() for path in self.tree.rglob("*.cwl") if path.is_file())
        named = named or EXTENSIONS.encode() in (self.tree / self.entry).read_bytes()
        for version, name in EXTENSION_FILES.items():
            if named:
                text = importlib.resources.files("cwltool").joinpath(name).read_text("utf-8")
                use_custom_schema(version, EXTENSIONS, text)
            else:
                use_standard_schema(version)

    def _has_schemas(self) -> bool:
        """Say whether ontologies have been staged, without which `$schemas` would be looked for in the network."""
        return any(path.suffix in (".owl", ".rdf", ".ttl") for path in self.tree.rglob("*.*"))

    def _place_defaults(self, tool: Any) -> None:
        """Tell where the default files lie that a document names by their URI."""

        def fix(value: Any) -> None:
            if isinstance(value, list):
                for item in value:
                    fix(item)
            elif isinstance(value, dict):
                location = value.get("location")
                if (
                    value.get("class") in ("File", "Directory")
                    and isinstance(location, str)
                    and location in self.aliases
                ):
                    value["location"] = uri_of(self.aliases[location])
                for item in value.values():
                    fix(item)

        for parameter in tool.get("inputs", []):
            fix(parameter.get("default"))
        for step in tool.get("steps", []):
            for parameter in step.get("in", []):
                fix(parameter.get("default"))

    def _broken(self, error: Exception) -> Broken:
        """Take the place and the innermost reason from what schema-salad says, in a line."""
        text = self.relative_text(str(error) or type(error).__name__)
        text = re.sub(r"\(\d+\) \([^)]*\) Validation error in [^:]*:\s*", "", text)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        places = [re.match(r"(?P<file>\S.*?):(?P<line>\d+):(?P<column>\d+):\s*(?P<text>.*)", line) for line in lines]
        found = [match for match in places if match]
        # The deepest place says the most; lines above it say what it is part of.
        where = f"{found[-1]['file']}:{found[-1]['line']}" if found else self.entry
        reasons = [match["text"].lstrip("* ") if match else line for match, line in zip(places, lines, strict=True)]
        return Broken(
            "document", "it is not valid CWL", where, " ".join(dict.fromkeys(filter(None, reasons[-6:])))[:600]
        )

    def relative_text(self, text: str) -> str:
        """Take the folder of the tree out of a text."""
        # schema-salad writes paths relative to the working directory.
        for prefix in (uri_of(self.tree), str(self.tree), os.path.relpath(self.tree)):
            text = text.replace(prefix + "/", "")
        return text


def _fetcher() -> type:
    from schema_salad.exceptions import ValidationException
    from schema_salad.fetcher import DefaultFetcher

    class StagedFetcher(DefaultFetcher):  # type: ignore[misc]
        """Reads what has been staged; nothing else, and no network."""

        def __init__(self, aliases: dict[str, Path], cache: Any, session: Any = None) -> None:
            super().__init__(cache, None)
            self.aliases = aliases

        def fetch_text(self, url: str, content_types: list[str] | None = None) -> str:
            if url in self.cache and isinstance(self.cache[url], str):
                return str(self.cache[url])
            path = self.aliases.get(url)
            if path is None and not url.startswith("file:"):
                raise ValidationException(f"{url} was not staged")
            try:
                return Path(path or path_of(url)).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                raise ValidationException(f"{url} cannot be read: {error}") from error

        def check_exists(self, url: str) -> bool:
            if url in self.cache or url in self.aliases:
                return True
            return url.startswith("file:") and os.path.exists(path_of(url))

    return StagedFetcher
