"""Snakefiles as text: whether something is one, what it names, and the config file that is its inputs file.

Nothing is executed here, and Snakemake is not imported. A Snakefile is a Python program: what it computes nobody but
Snakemake knows, so that the closure is the whole folder, and what is found here are the names that stand in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal

from wfx.documents import load_document
from wfx.engines import DocumentReference, Recognition
from wfx.errors import InputError
from wfx.values import Values

KEY = "snakemake.snakemake"
MAIN_NAMES = ("Snakefile", "snakefile", "workflow/Snakefile", "workflow/snakefile")
SUFFIX = ".smk"
# What Snakemake has left there, and what workflows by its own conventions write their results to.
LEFT_OUT = (".snakemake", "results", ".snakemake_storage")
RULE = re.compile(r"^[ \t]*(?:rule|checkpoint)(?:[ \t]+\w+)?[ \t]*:", re.M)
# A lone include, module or config file makes a Snakefile too.
DIRECTIVE = re.compile(r"^(?:include|configfile|module\s+\w+|use\s+rule\s.*|container|workdir)\s*:", re.M)
MIN_VERSION = re.compile(r"""^[ \t]*min_version\(\s*["']([^"']+)["']""", re.M)
NAMED = re.compile(
    r"""^[ \t]*(include|configfile|script|notebook|report|conda|snakefile|pepfile|pepschema)[ \t]*:[ \t]*
    (?:\#.*)?\s*(?:r|b)?(["'])([^"'\n]+)\2""",
    re.M | re.X,
)
WRAPPER = re.compile(r"""^[ \t]*wrapper[ \t]*:[ \t]*(?:\#.*)?\s*r?(["'])([^"'\n{}]+)\1""", re.M)
# What a wrapper's folder may hold, and where Snakemake's own wrappers are (snakemake.wrapper).
ENVIRONMENT = "environment.yaml"
WRAPPER_FILES = (ENVIRONMENT, "wrapper.py", "wrapper.R", "wrapper.Rmd", "wrapper.jl")
WRAPPERS = "https://raw.githubusercontent.com/snakemake/snakemake-wrappers/"
SCHEMA = re.compile(r"""\bvalidate\([^()\n]*?["']([^"'\n]+\.(?:ya?ml|json))["']""")
HOSTED = re.compile(r"""\b(github|gitlab)\(\s*["']([^"']+)["']([^()]*)\)""")
HOSTS = {
    # The addresses that Snakemake itself forms (snakemake.sourcecache).
    "github": "https://raw.githubusercontent.com/{repo}/{ref}/{path}",
    "gitlab": "https://gitlab.com/{repo}/-/raw/{ref}/{path}",
}
Role = Literal["document", "text", "file", "directory", "schema"]
ROLES: dict[str, Role] = {
    "include": "document", "snakefile": "document", "configfile": "file", "script": "text", "notebook": "text",
    "report": "file", "conda": "text", "pepfile": "file", "pepschema": "file",
}  # fmt: skip
BESIDE = ("config", "resources")
# Relative to the working directory (Snakemake documentation, "Configuration"); all others to the document.
FROM_WORKDIR = ("configfile", "pepfile")


def recognise(tree: Path, entry: str) -> Recognition | None:
    """Say whether `entry`, or the folder, is a Snakefile; see `wfx.engines.Engine.recognise`."""
    if entry:
        return _recognise_file(tree / entry, entry)
    for name in MAIN_NAMES:
        found = _recognise_file(tree / name, name)
        if found is not None:
            return found
    lone = sorted(path.name for path in tree.glob(f"*{SUFFIX}") if path.is_file()) if tree.is_dir() else []
    return _recognise_file(tree / lone[0], lone[0]) if len(lone) == 1 else None


def _recognise_file(path: Path, entry: str) -> Recognition | None:
    named = path.name.lower() == "snakefile" or path.name.startswith("Snakefile.") or path.suffix == SUFFIX
    try:
        text = path.read_bytes().decode("utf-8", "replace") if named else ""
    except OSError:
        return None
    if not text.strip():
        return None
    version = MIN_VERSION.search(text)
    rules = len(RULE.findall(text))
    if not rules and not DIRECTIVE.search(text) and path.suffix != SUFFIX:
        # By its name it is one; its error, with the line, says more than "not recognised".
        return Recognition(KEY, entry, "unknown", f"the name of {entry}")
    told = f"{rules} rule{'s' if rules != 1 else ''}" if rules else "directives of Snakemake"
    return Recognition(KEY, entry, f">={version[1]}" if version else "unknown", f"{told} in {entry}")


def min_version(text: str) -> str:
    """Return the version of Snakemake that a Snakefile asks for at least; empty where it asks for none."""
    found = MIN_VERSION.search(text)
    return found[1] if found else ""


def references(data: bytes, name: str) -> Iterator[DocumentReference]:
    """Yield the files that stand in a Snakefile by name: documents, scripts, environments, config files and schemas."""
    if not (name.endswith(SUFFIX) or "snakefile" in PurePosixPath(name).name.lower()):
        return
    text = data.decode("utf-8", "replace")
    up = workdir_from(name)
    for match in NAMED.finditer(text):
        keyword, target = match[1], match[3].strip()
        if "{" in target or _is_code(text, match.end()):
            continue  # a pattern, or the beginning of an expression
        if keyword == "conda" and not target.endswith((".yaml", ".yml")):
            continue  # the name of an environment
        if keyword in FROM_WORKDIR and "://" not in target and not target.startswith("/"):
            target = up + target
        yield DocumentReference(target, text.count("\n", 0, match.start(3)) + 1, ROLES[keyword])
    if PurePosixPath(name).name.lower() == "snakefile" and PurePosixPath(name).parent.name == "workflow":
        # A Snakefile that is named by its path belongs to the folder above, of which these are Snakemake's own names.
        for folder in BESIDE:
            yield DocumentReference(f"../{folder}", 1, "directory")
    for match in SCHEMA.finditer(text):
        yield DocumentReference(match[1], text.count("\n", 0, match.start(1)) + 1, "file")
    for match in WRAPPER.finditer(text):
        if not _is_code(text, match.end()):
            line = text.count("\n", 0, match.start(2)) + 1
            for address in wrapper_addresses(match[2].strip()):
                # What Snakemake needs of every wrapper; which language the script is in nothing says.
                role: Role = "text" if address.endswith(ENVIRONMENT) else "file"
                yield DocumentReference(address, line, role)
    for match in HOSTED.finditer(text):
        address = _hosted(match[1], match[2], match[3])
        if address:
            yield DocumentReference(address, text.count("\n", 0, match.start()) + 1, "document")


def wrapper_addresses(wrapper: str) -> list[str]:
    """Return the addresses of the files that a wrapper may consist of; none for one that lies in the workflow."""
    if wrapper.startswith(("file:", "git+")):
        return []
    address = wrapper if "://" in wrapper else WRAPPERS + wrapper
    folder, _, name = address.rstrip("/").rpartition("/")
    if name in WRAPPER_FILES:
        return [f"{folder}/{ENVIRONMENT}", address]
    return [f"{address.rstrip('/')}/{file}" for file in WRAPPER_FILES]


def workdir_from(name: str) -> str:
    """Return the way from a document's folder to the working directory: that of the Snakefile, or above `workflow/`."""
    folders = PurePosixPath(name.replace("\\", "/")).parts[:-1]
    for depth, folder in enumerate(reversed(folders)):
        if folder == "workflow":
            return "../" * (depth + 1)
        if folder != "rules":
            break
    return "../" if folders[-1:] == ("rules",) else ""


def _is_code(text: str, end: int) -> bool:
    """Say whether a string is followed by more of an expression: `"a" + x`, `"a".format(x)`."""
    rest = text[end:].lstrip(" \t")
    return rest[:1] in ("+", ".", "%", "[", "(")


def _hosted(host: str, repo: str, rest: str) -> str:
    """Return the address of `github("owner/repo", path="…", tag="…")`; empty where a part of it is computed."""
    parts = dict(re.findall(r"""(\w+)\s*=\s*["']([^"']+)["']""", rest))
    ref = parts.get("tag") or parts.get("commit") or parts.get("branch")
    if not ref or "path" not in parts or "host" in parts:
        return ""
    return HOSTS[host].format(repo=repo, ref=ref, path=parts["path"])


def read_inputs(data: bytes, name: str) -> Values:
    """Read a config file, YAML or JSON: a mapping of the workflow's config keys. Raises DocumentError and InputError."""
    if all(not line.strip() or line.lstrip().startswith(b"#") for line in data.splitlines()):
        return {}
    value = load_document(data, name).value
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("the config is no mapping", where=f"{name}:1", remedy="write KEY: VALUE lines")
    return value
