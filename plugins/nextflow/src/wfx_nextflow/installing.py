"""Which Nextflow to use: the one that is installed here, or a version brought as jars and kept with their digests."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wfx.config import Directories
from wfx.errors import EngineError, IntegrityError, MachineError, OfflineError
from wfx.values import JsonValue

logger = logging.getLogger(__name__)

PINNED = "25.04.4"
"""What is brought where nothing else is asked for; the tests run with it."""
# Without all of them Nextflow runs and its cache stays empty: nothing could be resumed.
OPENS = (
    "java.lang", "java.io", "java.nio", "java.net", "java.util", "java.util.concurrent.locks",
    "java.util.concurrent.atomic", "java.util.regex", "sun.nio.ch", "sun.nio.fs", "sun.net.www.protocol.http",
    "sun.net.www.protocol.https", "sun.net.www.protocol.ftp", "sun.net.www.protocol.file", "jdk.internal.misc",
    "jdk.internal.vm",
)  # fmt: skip
# Releases name parts of their own version that were never published; the first of the series serves.
KNOWN_MISSING = {"25.04": {"nf-lang": "25.04.0"}}
NOT_FOUND = re.compile(r"io\.nextflow:([\w.-]+):(?:jar|pom):(\d+\.\d+)\.[\w-]+ (?:was not found|in )")
MOST_MISSING = 5
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>wfx</groupId><artifactId>nextflow</artifactId><version>1</version>
<packaging>pom</packaging>
<dependencyManagement><dependencies>{managed}</dependencies></dependencyManagement><dependencies><dependency>
<groupId>io.nextflow</groupId><artifactId>nextflow</artifactId><version>{version}</version>
<exclusions><exclusion><groupId>io.seqera</groupId><artifactId>lib-trace</artifactId></exclusion></exclusions>
</dependency></dependencies></project>
"""
MANAGED = (
    "<dependency><groupId>io.nextflow</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
)
MAVEN_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Installation:
    """A Nextflow that can be started."""

    version: str
    command: tuple[str, ...]
    """What comes before Nextflow's own arguments."""
    environment: Mapping[str, str]
    readable: tuple[Path, ...]
    """Where it lies, for the sandbox."""
    where: str
    """For people."""


def folder() -> Path:
    """Return where versions are kept."""
    return Directories.find().cache / "engines" / "nextflow"


def choose(settings: Mapping[str, JsonValue], *, offline: bool, wanted: str = "") -> Installation:
    """Return the Nextflow for a pipeline that wants a version; brings one where none fits.

    Raises EngineError for a program, a version, Java or Maven that is missing, OfflineError.
    """
    program = str(settings.get("program") or "")
    stated = str(settings.get("version") or "")
    problems: list[str] = []
    for candidate in (program, "" if stated or program else shutil.which("nextflow") or ""):
        found = _of_program(candidate, asked_for=candidate == program) if candidate else None
        if found is not None and fits_or_note(found, wanted, problems):
            return found
    must = wanted.strip().startswith("!")
    if program and not stated and problems:
        if must:
            raise EngineError("the Nextflow of the setting does not fit the pipeline", where=program, why=problems[0])
        logger.warning("%s", problems[0])
        return _of_program(program, asked_for=True) or of_version(PINNED, offline=offline)
    from wfx_nextflow.versions import exact, fits

    version = stated or PINNED
    if not fits(version, wanted):
        kept = [name for name in installed() if fits(name, wanted)]
        if exact(wanted) and not stated:
            version = exact(wanted)
        elif kept and not stated:
            version = kept[-1]
        elif must:
            raise EngineError(
                f"the pipeline wants Nextflow {wanted}, and there is {version}", why="; ".join(problems) or None,
                remedy="name a version that fits with the setting engine.nextflow.nextflow.version",
            )  # fmt: skip
        else:
            # Without `!` Nextflow itself warns, and goes on.
            logger.warning("the pipeline wants Nextflow %s, and is run with %s", wanted, version)
    return of_version(version, offline=offline)


def of_version(version: str, *, offline: bool) -> Installation:
    """Return a version that is kept here, brought first where it is missing."""
    place = folder() / version
    if not (place / "installation.json").is_file():
        if offline:
            raise OfflineError(f"Nextflow {version} is not installed", remedy="run once without --offline")
        install(version)
    _verify(place)
    java = java_for(version)
    opens = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENS]
    command = (
        str(java),
        *opens,
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-cp",
        f"{place / 'jars'}/*",
        "nextflow.cli.Launcher",
    )
    return Installation(version, command, {}, (place, *_java_home(java)), str(place))


def installed() -> list[str]:
    """Return the versions that are kept here, the oldest first."""
    from wfx_nextflow.versions import key

    return sorted((path.parent.name for path in folder().glob("*/installation.json")), key=key)


def fits_or_note(found: Installation, wanted: str, problems: list[str]) -> bool:
    """Say whether an installation fits; note why not."""
    from wfx_nextflow.versions import fits

    if fits(found.version, wanted):
        return True
    problems.append(f"{found.where} is {found.version}, and the pipeline wants {wanted}")
    return False


def install(version: str) -> None:
    """Bring a version with Maven's client, so that a site's own settings of mirrors hold; keep its digests."""
    if shutil.which("mvn") is None:
        raise EngineError(
            f"Nextflow {version} is not installed", why="there is no nextflow on PATH, and no mvn to bring it",
            remedy="install Maven (apt install maven), or put nextflow on PATH",
        )  # fmt: skip
    java_for(version)
    base = folder()
    try:
        base.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=base))
    except OSError as error:
        raise MachineError.of(error) from error
    try:
        logger.info("bringing Nextflow %s with mvn", version)
        _bring(version, work)
        files = {path.name: _sha256(path) for path in sorted((work / "jars").iterdir())}
        (work / "installation.json").write_text(json.dumps({"version": version, "files": files}, indent=1))
        _keep(work, base / version)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _bring(version: str, work: Path) -> None:
    """Have Maven copy the jars of a version into `work/jars`."""
    managed = dict(KNOWN_MISSING.get(version.rpartition(".")[0], {}))
    command = ["mvn", "-B", "-q", "-Dstyle.color=never", "-f", str(work / "pom.xml"), "dependency:copy-dependencies",
               f"-DoutputDirectory={work / 'jars'}"]  # fmt: skip
    for _ in range(MOST_MISSING):
        parts = "".join(MANAGED.format(name=name, version=other) for name, other in managed.items())
        (work / "pom.xml").write_text(POM.format(version=version, managed=parts))
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=MAVEN_SECONDS, check=False, cwd=work
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(f"Nextflow {version} could not be brought", why=str(error)) from error
        if done.returncode == 0 and list((work / "jars").glob("nextflow-*.jar")):
            return
        missing = NOT_FOUND.search(done.stdout + done.stderr)
        if missing is None or missing[1] in managed or missing[1] == "nextflow":
            break
        managed[missing[1]] = f"{missing[2]}.0"
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
    raise EngineError(
        f"Nextflow {version} could not be brought", why=" ".join(lines[:2])[:400] or f"mvn ended with {done.returncode}",
        remedy="check the version and Maven's settings (~/.m2/settings.xml)",
    )  # fmt: skip


def _keep(work: Path, place: Path) -> None:
    work.chmod(0o755)
    if place.exists() and not (place / "installation.json").is_file():
        shutil.rmtree(place)
    try:
        work.rename(place)
    except OSError as error:
        # Another process was faster, and has brought the same.
        if not (place / "installation.json").is_file():
            raise MachineError.of(error) from error


def _verify(place: Path) -> None:
    """Raise IntegrityError where a jar is not what was brought."""
    stated: dict[str, str] = json.loads((place / "installation.json").read_bytes())["files"]
    for name, digest in stated.items():
        path = place / "jars" / name
        if not path.is_file() or _sha256(path) != digest:
            raise IntegrityError(
                "it is not the file that was brought", where=str(path), remedy=f"remove {place}, and run again"
            )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- a program that is here already


def _of_program(program: str, *, asked_for: bool) -> Installation | None:
    """Return what is known of a `nextflow` program; None for a launcher that would have to download the rest."""
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
        elif path.stat().st_size < 2**20 and "framework" in path.read_text("utf-8", "replace"):
            if asked_for:
                raise EngineError(
                    f"this launcher has not downloaded Nextflow {version} yet", where=str(path),
                    remedy=f"run `{path} info` once where there is a network",
                )  # fmt: skip
            logger.info("%s is only a launcher, and would download Nextflow %s", path, version)
            return None
    else:
        version = _asked_version(path)
    java = java_for(version)
    environment["JAVA_CMD"] = str(java)
    return Installation(version, (str(path),), environment, (*readable, *_java_home(java)), str(path))


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
    memory = folder() / "programs.json"
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
