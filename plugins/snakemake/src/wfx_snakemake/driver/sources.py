"""What a workflow names by an address, read from where it was staged: documents, scripts, wrappers."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import quote

from .problems import Broken, Places, address_of

WRAPPERS = "https://raw.githubusercontent.com/snakemake/snakemake-wrappers/"
SCRIPTS = ("wrapper.py", "wrapper.R", "wrapper.Rmd", "wrapper.jl")
REMOTE = ("http:", "https:", "ftp:", "git+")


def use_staged_sources(aliases: dict[str, str], places: Places) -> None:
    """Have Snakemake read what was staged in place of addresses; nothing else is to be had."""
    import snakemake.modules
    import snakemake.sourcecache as cache
    import snakemake.workflow
    import snakemake.wrapper

    original = cache.infer_source_file
    if getattr(original, "__name__", "") == "infer":
        return
    staged = {address: str(places.tree / path) for address, path in aliases.items()}

    def infer(path_or_uri: Any, basedir: Any = None) -> Any:
        found = original(path_or_uri, basedir)
        address = plain_address(found)
        if address in staged:
            return cache.LocalSourceFile(staged[address])
        if address.startswith(REMOTE):
            raise Broken(
                "document", f"{address} was not staged", places.entry,
                "its address is computed, and a run has no network", "put it into the workflow's own folder",
            )  # fmt: skip
        return found

    def get_path(path: str, prefix: str | None = None) -> Any:
        base = wrapper_address(path)
        if not base.startswith(REMOTE):
            return original(path)
        if base in staged:
            return cache.LocalSourceFile(staged[base])
        for name in SCRIPTS:
            address = f"{base.rstrip('/')}/{name}"
            if address in staged:
                return cache.LocalSourceFile(posixpath.dirname(staged[address]))
        raise Broken(
            "document", f"the wrapper {path} was not staged", places.entry,
            f"no script of it was found at {base}, or its name is computed, and a run has no network",
            "look at its name, or put the wrapper into the workflow's own folder: wrapper: 'file:wrappers/…'",
        )  # fmt: skip

    for module in (cache, snakemake.modules, snakemake.workflow, snakemake.wrapper):
        if hasattr(module, "infer_source_file"):
            module.infer_source_file = infer  # type: ignore[attr-defined]
    snakemake.wrapper.get_path = get_path


def plain_address(source: Any) -> str:
    """Return the address of a source file, of hosted ones as `wfx_snakemake.documents` forms it.

    Snakemake's own form differs between its versions.
    """
    repo, ref = getattr(source, "repo", None), getattr(source, "ref", None)
    if repo and ref and getattr(source, "host", None) in (None, "github.com", "gitlab.com"):
        path = quote(str(source.path), safe="/")
        if type(source).__name__ == "GithubFile":
            return f"https://raw.githubusercontent.com/{repo}/{ref}/{path}"
        return f"https://gitlab.com/{repo}/-/raw/{ref}/{path}"
    return address_of(source)


def wrapper_address(path: str) -> str:
    """Return the address of a wrapper's folder or script; of one of this machine its path."""
    return path if path.startswith((*REMOTE, "file:")) else WRAPPERS + path
