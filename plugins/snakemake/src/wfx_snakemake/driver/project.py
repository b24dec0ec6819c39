"""The working directory of a run: the workflow's folder as its rules expect it, and the loaded workflow in it."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .problems import Places, broken, folder_of
from .profiles import Profile
from .sheets import write_sheets
from .sources import use_staged_sources

INPUTS = "inputs"


def lay_out(places: Places, workdir: Path) -> None:
    """Fill the working directory with links to the workflow's files, and one to the inputs.

    Rules find `config/…`, `resources/…` and sample sheets there as in a checkout, and write beside them; the links have
    the times of the files, by which Snakemake decides what is newer.
    """
    project = places.tree / folder_of(places.entry)
    for parent, folders, names in os.walk(project):
        here = workdir / os.path.relpath(parent, project)
        here.mkdir(parents=True, exist_ok=True)
        folders[:] = [name for name in folders if not (Path(parent) == places.tree and name == "external")]
        for name in names:
            link, source = here / name, os.path.join(parent, name)
            if os.path.lexists(link):
                continue
            os.symlink(source, link)
            info = os.stat(source)
            os.utime(link, ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=False)
    inputs = workdir / inputs_name(places)
    if not os.path.lexists(inputs):
        inputs.symlink_to(places.root / INPUTS)


def inputs_name(places: Places) -> str:
    """Return the name under which the working directory has the inputs."""
    return f"wfx-{INPUTS}" if (places.tree / folder_of(places.entry) / INPUTS).exists() else INPUTS


def config_value(value: Any, places: Places) -> Any:
    """Return a value as the config has it: files are paths, relative to the working directory."""
    if isinstance(value, list):
        return [config_value(item, places) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class") not in ("File", "Directory"):
        return {key: config_value(item, places) for key, item in value.items()}
    location = str(value.get("location") or "")
    if not location:
        return literal(value, places)
    project = folder_of(places.entry)
    prefix = f"workflow/{project}/" if project else "workflow/"
    if location.startswith(f"{INPUTS}/"):
        return f"{inputs_name(places)}/{location[len(INPUTS) + 1 :]}"
    if location.startswith(prefix):
        return location[len(prefix) :]
    return str(places.root / location)


def literal(value: dict[str, Any], places: Places) -> str:
    """Write a file that is given by its contents; return its path."""
    name = posixpath.basename(str(value.get("basename") or "file")) or "file"
    folder = places.state / "literals"
    folder.mkdir(exist_ok=True)
    target = folder / name
    number = 1
    text = str(value.get("contents") or "")
    while target.exists() and target.read_text() != text:
        number += 1
        target = folder / f"{number}-{name}"
    if not target.exists():
        target.write_text(text)
    return str(target)


def write_config(message: dict[str, Any], places: Places) -> list[Path]:
    """Write the user's part of the config; return the file, or nothing where there is none."""
    values = write_sheets(config_value(message.get("config") or {}, places), message.get("sheets") or {}, places)
    target = places.state / "config.json"
    if not values:
        target.unlink(missing_ok=True)
        return []
    data = json.dumps(values, ensure_ascii=False, indent=1)
    target.write_text(data, encoding="utf-8", errors="surrogateescape")
    return [target]


@contextlib.contextmanager
def opened(
    message: dict[str, Any], places: Places, workdir: Path, *, profile: Profile, configfiles: list[Path], output: Any,
    cores: int = 1, **settings: Any,
) -> Iterator[tuple[Any, Any]]:  # fmt: skip
    """Load the workflow; give Snakemake's own API objects. Raises Broken for what is wrong with it."""
    from snakemake.api import SnakemakeApi
    from snakemake.settings.types import ConfigSettings

    use_staged_sources(message["aliases"], places)
    resources = resource_settings(profile, cores, int(message.get("memory") or 0), places)
    files = [*profile_config(profile, places), *configfiles]
    with SnakemakeApi(output) as api:
        loaded = api.workflow(
            resource_settings=resources, config_settings=ConfigSettings(configfiles=files),
            snakefile=places.tree / places.entry, workdir=workdir, **settings,
        )  # fmt: skip
        yield api, loaded


def resource_settings(profile: Profile, cores: int, memory: int, places: Places) -> Any:
    """Return the cores and the memory that jobs may use at once, and what the profile says of them."""
    from snakemake.settings.types import ResourceSettings

    megabytes = memory // 10**6
    if not profile.name:
        return ResourceSettings(cores=cores, resources={"mem_mb": megabytes} if megabytes else {})
    given = profile.arguments(places.state, megabytes)
    return ResourceSettings(
        cores=cores, max_threads=given.max_threads, resources=given.resources, overwrite_threads=given.set_threads,
        overwrite_scatter=given.set_scatter, overwrite_resource_scopes=given.set_resource_scopes,
        overwrite_resources=given.set_resources, default_resources=given.default_resources,
    )  # fmt: skip


def profile_config(profile: Profile, places: Places) -> list[Path]:
    """Write the config that the profile sets, which what the user gives comes after; return the file, if any."""
    if not profile.config:
        return []
    target = places.state / "profile.json"
    target.write_text(json.dumps(profile.config, ensure_ascii=False), encoding="utf-8", errors="surrogateescape")
    return [target]


def load(loaded: Any, places: Places) -> Any:
    """Read the Snakefile with all that it includes. Raises Broken."""
    try:
        return loaded._workflow
    except Exception as error:
        raise broken(error, linemaps(loaded), places) from error


def linemaps(loaded: Any) -> dict[str, dict[int, int]]:
    """Return the lines of the Snakefiles that those of Snakemake's translation of them stand for."""
    store = loaded._workflow_store
    return dict(store.linemaps) if store is not None else {}


def quiet_settings() -> Any:
    """Return how Snakemake is to speak while a workflow is only looked at."""
    from snakemake.settings.enums import Quietness
    from snakemake.settings.types import OutputSettings

    logging.getLogger("snakemake").setLevel(logging.WARNING)
    return OutputSettings(quiet={Quietness.ALL}, nocolor=True)


def clear(folder: Path) -> None:
    """Remove a folder of ours, protected files in it too."""

    def retry(function: Any, name: str, _: Any) -> None:
        with contextlib.suppress(OSError):
            os.chmod(os.path.dirname(name), 0o700)
            if os.path.isdir(name) and not os.path.islink(name):
                os.chmod(name, 0o700)
            function(name)

    if folder.exists():
        shutil.rmtree(folder, onerror=retry)
