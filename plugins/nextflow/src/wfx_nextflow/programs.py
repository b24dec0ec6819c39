"""A Nextflow that can be started: the one that is found on this machine, or one that wfx keeps; and its Java."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wfx.config import Directories
from wfx.engines import Installation
from wfx.errors import EngineError
from wfx.values import JsonValue

from wfx_nextflow import classes

logger = logging.getLogger(__name__)

# Without all of them Nextflow runs and its cache stays empty: nothing could be resumed.
OPENS = (
    "java.lang", "java.io", "java.nio", "java.net", "java.util", "java.util.concurrent.locks",
    "java.util.concurrent.atomic", "java.util.regex", "sun.nio.ch", "sun.nio.fs", "sun.net.www.protocol.http",
    "sun.net.www.protocol.https", "sun.net.www.protocol.ftp", "sun.net.www.protocol.file", "jdk.internal.misc",
    "jdk.internal.vm",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """A Nextflow that can be started."""

    version: str
    command: tuple[str, ...]
    """What comes before Nextflow's own arguments."""
    environment: Mapping[str, str]
    readable: tuple[Path, ...]
    """Where it lies, for the sandbox."""
    where: str
    """For people."""


def kept(installation: Installation) -> Program:
    """Return one that wfx keeps: its jars with a launcher of ours. Raises EngineError for a Java that is missing."""
    java = java_for(installation.version)
    opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENS]
    command = (
        str(java), *opens, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{installation.folder / 'jars'}/*",
        "nextflow.cli.Launcher",
    )  # fmt: skip
    place = installation.folder
    quick = classes.options(installation, java, command)
    readable = (place, *(Path(word.partition("=")[2]).parent for word in quick[:1]), *_java_home(java))
    return Program(installation.version, (command[0], *quick, *command[1:]), {}, readable, str(place))


def found(settings: Mapping[str, JsonValue]) -> Program:
    """Return the one of the settings, else the one on PATH. Raises EngineError where there is none, or no Java for it."""
    stated = str(settings.get("program") or "")
    program = stated or shutil.which("nextflow") or ""
    if not program:
        raise EngineError(
            "Nextflow is not installed", why="there is none on PATH", remedy="wfx engines install nextflow"
        )
    path = Path(shutil.which(program) or program).absolute()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise EngineError("there is no such program", where=program, remedy="correct engine.nextflow.nextflow.program")
    version = _stated_version(path)
    environment: dict[str, str] = {"NXF_VER": version} if version else {}
    readable = [path.parent, path.resolve().parent]
    if version:
        home = Path(os.environ.get("NXF_HOME") or Path("~/.nextflow").expanduser())
        jars = sorted(home.glob(f"framework/{version}/nextflow-{version}*.jar"))
        if jars:
            # Beside its own home the launcher finds it by this name only.
            environment["NXF_BIN"] = str(jars[0])
            readable.append(jars[0].parent)
        elif is_launcher(path):
            raise EngineError(
                f"this launcher has not downloaded Nextflow {version} yet", where=str(path),
                remedy=f"run `{path} info` once where there is a network, or wfx engines install nextflow@{version}",
            )  # fmt: skip
    else:
        version = _asked_version(path)
    java = java_for(version)
    environment["JAVA_CMD"] = str(java)
    return Program(version, (str(path),), environment, (*readable, *_java_home(java)), str(path))


def is_launcher(path: Path) -> bool:
    """Say whether a program is Nextflow's launcher, which downloads the rest, and not the whole of it."""
    return path.stat().st_size < 2**20 and "framework" in path.read_text("utf-8", "replace")


def _stated_version(path: Path) -> str:
    """Return the version that a launcher names in its text; empty where it names none."""
    with path.open("rb") as file:
        head = file.read(65536).decode("utf-8", "replace")
    match = re.search(r"^\s*(?:export\s+)?NXF_VER=(?:\$\{NXF_VER:-)?['\"]?(\d+\.\d+\.\d+[\w.-]*)", head, re.M)
    return match[1] if match else ""


def _asked_version(path: Path) -> str:
    """Ask the program, which starts Java; its answer is kept for as long as the file is the same."""
    info = path.stat()
    identity = f"{path} {info.st_size} {info.st_mtime_ns}"
    memory = Directories.find().cache / "nextflow-programs.json"
    try:
        known = json.loads(memory.read_bytes())
    except (OSError, ValueError):
        known = {}
    if isinstance(known.get(identity), str):
        return str(known[identity])
    try:
        done = subprocess.run([str(path), "-v"], capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError("Nextflow does not start", where=str(path), why=str(error)) from error
    match = re.search(r"version (\d+\.\d+\.\d+[\w-]*)", done.stdout)
    if done.returncode != 0 or match is None:
        raise EngineError("Nextflow does not say its version", where=str(path), why=done.stderr.strip()[-300:] or None)
    memory.parent.mkdir(parents=True, exist_ok=True)
    memory.write_text(json.dumps({identity: match[1]}))
    return match[1]


# -- Java


def java_for(version: str) -> Path:
    """Return the Java that runs a version of Nextflow. Raises EngineError where there is none, or too old a one."""
    from wfx_nextflow.versions import key

    least = 17 if key(version)[0] >= (24, 11) else 11
    remedy = f"install Java {least} or later (apt install openjdk-{least}-jre-headless), or set JAVA_HOME to one"
    home = os.environ.get("JAVA_HOME", "")
    found = shutil.which("java", path=f"{home}/bin") if home else shutil.which(os.environ.get("JAVA_CMD") or "java")
    if found is None:
        raise EngineError("Java is not installed", why=f"Nextflow {version} runs on it", remedy=remedy)
    java = Path(found).absolute()
    try:
        release = (java.resolve().parent.parent / "release").read_text("utf-8", "replace")
    except OSError:
        return java
    match = re.search(r'^JAVA_VERSION="(?:1\.)?(\d+)', release, re.M)
    if match and int(match[1]) < least:
        raise EngineError(
            f"Java {match[1]} is too old", where=str(java), why=f"Nextflow {version} wants {least}", remedy=remedy
        )
    return java


def _java_home(java: Path) -> tuple[Path, ...]:
    return tuple(dict.fromkeys((java.parent, java.resolve().parent.parent)))
