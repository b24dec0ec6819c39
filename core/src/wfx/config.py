"""Settings: where each may be given, which one is in force, and why.

Precedence: command line > environment (`WFX_FETCH_JOBS`) > project file (`wfx.toml`, the nearest one from the working
directory up to the repository's root) > user file (`config.toml`) > default. Secrets are no settings: they belong in
`credentials.toml` (`wfx.net.credentials`).
"""

from __future__ import annotations

import difflib
import math
import os
import re
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wfx.errors import DefinitionError

SETTING_PREFIX = "WFX_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    name: str
    type: type
    """`str`, `int`, `float`, `bool` or `list` (of strings; comma-separated in the environment)."""
    default: Any
    doc: str
    choices: tuple[str, ...] = ()

    @property
    def environment(self) -> str:
        """Name of the environment variable."""
        return SETTING_PREFIX + re.sub(r"[.\-]", "_", self.name).upper()


SETTINGS = (
    Setting("person.name", str, "", "Who runs: the agent of a crate. Default: git's user.name."),
    Setting("person.email", str, "", "E-mail address; written into crates only where it is set here."),
    Setting("person.orcid", str, "", "ORCID, as 0000-0002-1825-0097 or its URI."),
    Setting("person.affiliation", str, "", "Name of the organisation that the person belongs to."),
    Setting("person.affiliation_url", str, "", "URL (a ROR, by preference) of that organisation."),
    Setting("crate.licence", str, "", "Licence of the crates that you make: an SPDX identifier or a URI."),
    Setting("crate.publisher", str, "", "Name of the organisation that publishes your crates."),
    Setting("crate.publisher_url", str, "", "URL of that organisation."),
    Setting("crate.description", str, "", "Description of the crates; by default it is made from the workflow's."),
    Setting("sandbox", str, "auto", "Whether engines run under bubblewrap.", ("auto", "require", "none")),
    Setting("trust", list, [], "Workflows from elsewhere whose reference begins so run without a sandbox too."),
    Setting("containers", list, [], "Container runtimes, in order of preference, or none; empty is any that is there."),
    Setting("container.network", bool, False, "Whether containers get a network where a tool asks for it, and builds do."),
    Setting("container.cosign_keys", list, [], "Files of public keys (PEM); each image must be signed with one of them."),
    Setting("site", str, "", "Where workflows that need a server run: a section [site.NAME]; by default the only one."),
    Setting("run.directory", str, "wfx-runs", "Folder for run directories that are not named with -o."),
    Setting("run.cores", int, 0, "Cores that a run may use; 0 is all."),
    Setting("run.memory", str, "", "Memory that a run may use (8GB); empty is all."),
    Setting("fetch.jobs", int, 16, "Files transferred at the same time."),
    Setting("fetch.connections", int, 8, "Connections for one large file."),
    Setting("fetch.retries", int, 5, "Attempts after a failed one, for one file."),
    Setting("fetch.idle_timeout", float, 60.0, "Seconds without a byte after which a connection is given up."),
    Setting("fetch.low_speed_time", float, 60.0, "Seconds below 1 kB/s after which a connection is given up."),
    Setting("fetch.max_bytes", int, 0, "Size that no fetched file may exceed; 0 is no limit."),
    Setting("archive.max_entries", int, 100_000, "Files, links and folders that an archive may hold."),
    Setting("archive.max_bytes", int, 0, "Size that an archive may have unpacked; 0 is no limit but the ratio's."),
    Setting("archive.max_ratio", int, 250, "Bytes that may come of one packed byte, beyond 64 MiB; 0 is no limit."),
    Setting("net.ca_bundle", str, "", "File of certificates to trust, in place of the system's."),
    Setting("net.allow_private_hosts", list, [], "Hosts in private networks that redirects and documents may lead to."),
    Setting("engines.cwl", str, "cwltool", "Engine for the Common Workflow Language."),
    Setting("engines.folder", str, "", "Folder of the engines that wfx provides; empty: below the cache."),
)  # fmt: skip
BY_NAME = {setting.name: setting for setting in SETTINGS}
# Sections that belong to plugins: their keys are the plugin's own (its README has the table).
FREE_SECTIONS = ("container", "engine", "exporter", "fetcher", "site")


@dataclass(frozen=True, slots=True)
class Directories:
    """Where wfx keeps things; `WFX_HOME` moves all of it, else the XDG base directories are followed."""

    config: Path
    cache: Path
    state: Path

    @property
    def store(self) -> Path:
        """The store of fetched things."""
        return self.cache / "v1"

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ) -> Directories:
        """Read them from the environment."""
        home = environment.get("WFX_HOME")
        if home:
            root = Path(home).expanduser().absolute()
            return cls(root / "config", root / "cache", root / "state")
        user = Path(environment.get("HOME") or Path("~").expanduser())

        def base(name: str, default: str) -> Path:
            value = environment.get(name, "")
            # The specification says that a relative path there is to be ignored.
            return Path(value) if value.startswith("/") else user / default

        return cls(
            base("XDG_CONFIG_HOME", ".config") / "wfx",
            base("XDG_CACHE_HOME", ".cache") / "wfx",
            base("XDG_STATE_HOME", ".local/state") / "wfx",
        )


@dataclass(frozen=True, slots=True)
class Value:
    """A value that somebody has set, and where."""

    value: Any
    origin: str
    """`default`, `environment WFX_…`, `FILE:LINE`, `command line`."""


@dataclass(slots=True)
class Config:
    """The settings in force."""

    directories: Directories
    values: dict[str, list[Value]] = field(default_factory=dict)
    """Name → all values that were given, the one in force first."""
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Sections of plugins: `engine.cwl.cwltool` → its keys."""
    files: list[Path] = field(default_factory=list)

    @classmethod
    def load(
        cls,
        command_line: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] = os.environ,
        directory: Path | None = None,
    ) -> Config:
        """Read files and environment. Raises DefinitionError with file:line for what is no setting or has a wrong type."""
        directories = Directories.find(environment)
        config = cls(directories, {s.name: [Value(s.default, "default")] for s in SETTINGS})
        project = _project_file(directory or Path.cwd())
        for path in (directories.config / "config.toml", project):
            if path is not None and path.is_file():
                config._read(path)
        for setting in SETTINGS:
            text = environment.get(setting.environment)
            if text is not None:
                value = _from_text(setting, text, f"environment {setting.environment}")
                config.values[setting.name].insert(0, Value(value, f"environment {setting.environment}"))
        for name, value in (command_line or {}).items():
            config.values[name].insert(0, Value(_checked(BY_NAME[name], value, "command line"), "command line"))
        return config

    def get(self, name: str) -> Any:
        """Return the value in force."""
        return self.values[name][0].value

    def get_str(self, name: str) -> str:
        """Return a text."""
        return str(self.get(name))

    def get_int(self, name: str) -> int:
        """Return a number."""
        return int(self.get(name))

    def get_float(self, name: str) -> float:
        """Return a number."""
        return float(self.get(name))

    def get_list(self, name: str) -> list[str]:
        """Return a list of texts."""
        return [str(item) for item in self.get(name)]

    def section(self, name: str) -> dict[str, Any]:
        """Return the settings of a plugin."""
        return dict(self.sections.get(name, {}))

    def site(self, name: str = "") -> dict[str, Any]:
        """Return the section of a site, by default the one in force, with its name as `site` and all names as `sites`."""
        names = self.sites()
        name = name or self.get_str("site") or (names[0] if len(names) == 1 else "")
        return {"site": name, "sites": names, **self.section(f"site.{name}")}

    def sites(self) -> list[str]:
        """Return the names of all sites."""
        return sorted({name.split(".")[1] for name in self.sections if name.startswith("site.")})

    def person(self) -> dict[str, str]:
        """Return what is known of the person: the settings, else git's name. Empty where nobody says."""
        person = {
            s.name.removeprefix("person."): self.get_str(s.name) for s in SETTINGS if s.name.startswith("person.")
        }
        if not person["name"]:
            person["name"] = _git_name()
        return {key: value for key, value in person.items() if value}

    def _read(self, path: Path) -> None:
        try:
            text = path.read_text("utf-8")
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r" \(at line (\d+), column \d+\)$", str(error))
            line = found[1] if found else text.count("\n") + 1
            raise DefinitionError(f"it is not valid TOML: {error}", where=f"{path}:{line}") from error
        except UnicodeDecodeError as error:
            raise DefinitionError("it is not UTF-8 text", where=str(path)) from error
        self.files.append(path)
        for name, value in _flat(data):
            where = f"{path}:{_line_of(text, name)}"
            section, _, key = name.rpartition(".")
            if name.split(".")[0] in FREE_SECTIONS and section.count(".") >= 1:
                self.sections.setdefault(section, {})[key] = value
                continue
            setting = BY_NAME.get(name)
            if setting is None:
                near = difflib.get_close_matches(name, BY_NAME, n=1)
                if re.search(r"token|password|secret|credential", name, re.I):
                    raise DefinitionError(
                        f"secrets do not belong here: {name}",
                        where=where,
                        remedy="put them into credentials.toml beside it",
                    )
                raise DefinitionError(
                    f"there is no setting '{name}'", where=where,
                    remedy=f"did you mean '{near[0]}'?" if near else "see `wfx config show` for all of them",
                )  # fmt: skip
            self.values[name].insert(0, Value(_checked(setting, value, where), where))


def _flat(data: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    items: list[tuple[str, Any]] = []
    for key, value in data.items():
        if isinstance(value, dict):
            items += _flat(value, f"{prefix}{key}.")
        else:
            items.append((f"{prefix}{key}", value))
    return items


def _line_of(text: str, name: str) -> int:
    section, around = "", 1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+([^\[\]]+)\]", line)
        key = re.match(r"\s*([^=#]+?)\s*=", line)
        if header:
            section = _bare(header[1]) + "."
        elif key:
            found = section + _bare(key[1])
            if found == name:
                return number
            if name.startswith(found + "."):
                around = number
    return around


def _bare(key: str) -> str:
    return re.sub(r"[\s\"']", "", key)


def _checked(setting: Setting, value: Any, where: str) -> Any:
    good = isinstance(value, setting.type) and not (setting.type is not bool and isinstance(value, bool))
    if setting.type is float and isinstance(value, int) and not isinstance(value, bool):
        value, good = float(value), True
    if setting.type is list:
        good = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if not good:
        kind = "list of strings" if setting.type is list else setting.type.__name__
        raise DefinitionError(f"'{setting.name}' takes a {kind}, not {value!r}", where=where)
    if isinstance(value, (int, float)) and not 0 <= value < math.inf:
        raise DefinitionError(f"'{setting.name}' is a number from 0 on, not {value!r}", where=where)
    if setting.choices and value not in setting.choices:
        raise DefinitionError(f"'{setting.name}' is one of {', '.join(setting.choices)}, not {value!r}", where=where)
    return value


def _from_text(setting: Setting, text: str, where: str) -> Any:
    try:
        if setting.type is list:
            return [part.strip() for part in text.split(",") if part.strip()]
        if setting.type is bool:
            return {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}[text.lower()]
        return _checked(setting, setting.type(text), where)
    except (KeyError, ValueError) as error:
        raise DefinitionError(f"'{setting.name}' takes a {setting.type.__name__}, not {text!r}", where=where) from error


def _project_file(directory: Path) -> Path | None:
    for folder in (directory, *directory.parents):
        if (folder / "wfx.toml").is_file():
            return folder / "wfx.toml"
        if (folder / ".git").exists():
            return None
    return None


def _git_name() -> str:
    try:
        # What it needs to find its configuration, and no secret of ours.
        environment = {
            k: v for k, v in os.environ.items() if k in ("PATH", "HOME") or k.startswith(("GIT_CONFIG", "XDG_"))
        }
        answer = subprocess.run(
            ["git", "config", "user.name"], capture_output=True, text=True, timeout=5, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip()
