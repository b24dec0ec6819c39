"""The workflow's own profile: what of it changes a result or the run is used, the rest is told or refused by its key.

Snakemake's command line takes `profiles/default`, in the workflow's folder or beside the Snakefile, of itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .problems import Broken, Places, folder_of

FILE = re.compile(r"config(?:\.v(\d+)\+)?\.ya?ml|profile\.yaml")
USED = {
    "config", "configfile", "configfiles", "set-threads", "set-resources", "default-resources", "resources", "res",
    "set-scatter", "set-resource-scopes", "max-threads", "retries", "restart-times", "latency-wait", "output-wait",
    "keep-going",
}  # fmt: skip
# What wfx's own options, settings and sandbox decide.
OURS = {
    "cores", "jobs", "local-cores", "executor", "software-deployment-method", "sdm", "deployment-method", "deployment",
    "use-conda", "use-singularity", "use-apptainer", "use-envmodules", "conda-prefix", "conda-frontend",
    "conda-base-path", "apptainer-prefix", "singularity-prefix", "apptainer-args", "singularity-args", "scheduler",
    "wrapper-prefix", "default-storage-provider", "default-storage-prefix", "local-storage-prefix", "shared-fs-usage",
    "directory", "snakefile", "logger", "report",
}  # fmt: skip
# What neither changes a result nor how it comes about: how Snakemake speaks, and what a run anew would do.
NOTHING = {
    "printshellcmds", "show-failed-logs", "quiet", "verbose", "nocolor", "reason", "stats", "debug", "debug-dag",
    "rerun-incomplete", "rerun-triggers", "keep-incomplete", "nolock", "no-hooks", "conda-cleanup-pkgs", "ignore-incomplete",
    "max-jobs-per-second", "max-jobs-per-timespan", "max-status-checks-per-second", "jobname", "skip-script-cleanup",
    "scheduler-greediness", "seconds-between-status-checks", "max-inventory-time", "benchmark-extended",
    "keep-storage-local-copies", "drop-metadata", "logger-settings", "printdag",
}  # fmt: skip


@dataclass
class Profile:
    """What a profile sets."""

    name: str = ""
    """Relative to the tree; empty where there is none."""
    values: dict[str, Any] = field(default_factory=dict)
    """The keys that are used."""
    left: list[str] = field(default_factory=list)
    """Keys that are not, because wfx decides them."""
    config: dict[str, Any] = field(default_factory=dict)
    configfiles: list[Path] = field(default_factory=list)

    def sets(self, *keys: str) -> bool:
        """Say whether it sets one of some keys."""
        return any(key in self.values for key in keys)

    def told(self) -> list[str]:
        """Say what of it is used, for the plan."""
        if not self.name:
            return []
        used = ", ".join(sorted(self.values)) or "nothing"
        left = f"; not used, because wfx decides it: {', '.join(sorted(self.left))}" if self.left else ""
        return [f"the profile {self.name} is used: {used}{left}"]

    def arguments(self, state: Path, megabytes: int = 0) -> Any:
        """Return its settings as Snakemake's command line reads them, with the memory that jobs may use at once."""
        from snakemake.cli import get_argument_parser

        values = {key: value for key, value in self.values.items() if not key.startswith("config")}
        if megabytes:
            values["resources"] = _with(values.pop("res", values.get("resources")), f"mem_mb={megabytes}")
        folder = state / "profile"
        folder.mkdir(exist_ok=True)
        # JSON is YAML, and Snakemake reads the file.
        (folder / "config.yaml").write_text(json.dumps(values), encoding="utf-8")
        try:
            return get_argument_parser([str(folder)]).parse_args(["--cores", "1"])
        except (SystemExit, ValueError, TypeError) as error:
            raise Broken(
                "document", "the profile is not valid", self.name, str(error.args[0] if error.args else "")
            ) from error


def find(places: Places, wanted: str) -> Profile:
    """Return the profile that the workflow brings along: `wanted`, else the default one; `none` for none of them."""
    if wanted == "none":
        return Profile()
    project = places.tree / folder_of(places.entry)
    beside = (places.tree / places.entry).parent
    name = wanted or "default"
    candidates = [project / "profiles" / name, beside / "profiles" / name, *([project / name] if wanted else [])]
    for folder in candidates:
        file = _file_of(folder)
        if file is not None and file.resolve().is_relative_to(places.tree.resolve()):
            return _read(file, project, places)
    if wanted:
        raise Broken(
            "document", f"it has no profile {wanted!r}", places.entry,
            remedy="give one that lies in its folder profiles, or none with -O profile=none",
        )  # fmt: skip
    return Profile()


def _file_of(folder: Path) -> Path | None:
    """Return the profile's file: of those for a version of Snakemake the newest that is not too new."""
    import importlib.metadata

    running = int(importlib.metadata.version("snakemake").partition(".")[0])
    found: list[tuple[int, Path]] = []
    for path in folder.iterdir() if folder.is_dir() else ():
        match = FILE.fullmatch(path.name)
        if match is not None and int(match[1] or 0) <= running:
            found.append((int(match[1] or 0), path))
    return max(found)[1] if found else None


def _read(file: Path, project: Path, places: Places) -> Profile:
    import yaml

    from .parameters import plain, read

    name = file.relative_to(places.tree).as_posix()
    try:
        content = plain(yaml.safe_load(file.read_text("utf-8"))) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark is not None else name
        raise Broken("document", "the profile cannot be read", where, str(getattr(error, "problem", error))) from error
    if not isinstance(content, dict):
        raise Broken("document", "the profile is no mapping", name)
    profile = Profile(name)
    for key, value in content.items():
        if key in USED:
            profile.values[key] = value
        elif key in OURS:
            profile.left.append(f"{key}={value}" if isinstance(value, (str, int)) else key)
        elif key not in NOTHING:
            raise Broken(
                "document", f"the profile sets {key!r}, which wfx does not know how to keep", name,
                remedy="take it out, or run without it: -O profile=none",
            )  # fmt: skip
    given = content.get("configfile", content.get("configfiles")) or []
    for item in [given] if isinstance(given, str) else given:
        profile.configfiles.append(
            next((p for p in (file.parent / item, project / item) if p.is_file()), project / item)
        )
    for path in profile.configfiles:
        _update(profile.config, read(path))
    own = content.get("config")
    if isinstance(own, dict):
        _update(profile.config, own)
    elif own:
        _update(profile.config, dict(_pair(item) for item in ([own] if isinstance(own, str) else own)))
    return profile


def _pair(item: str) -> tuple[str, Any]:
    import yaml

    key, _, value = str(item).partition("=")
    return key, yaml.safe_load(value)


def _update(config: dict[str, Any], more: Any) -> None:
    from snakemake.utils import update_config

    if isinstance(more, dict):
        update_config(config, more)


def _with(value: Any, item: str) -> list[str]:
    """Return the items of a key with another one, in the form of a list."""
    items = (
        [f"{k}={v}" for k, v in value.items()]
        if isinstance(value, dict)
        else [value]
        if isinstance(value, str)
        else value
    )
    return [*(text for text in items or () if not str(text).startswith(item.partition("=")[0] + "=")), item]
