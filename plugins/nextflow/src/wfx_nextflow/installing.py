"""Bring a version of Nextflow: its jars with Maven's client, or with Nextflow's own launcher where there is no Maven.

A site's own settings hold: mirrors and logins are Maven's, and no address of a repository stands here.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

from wfx.errors import EngineError
from wfx.providing import Provision

from wfx_nextflow import programs

PINNED = "25.04.4"
"""What is brought where nothing else is asked for; the tests run with it."""
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
JAR = re.compile(r"(.+?)-(\d[\w.+-]*)\.jar")
BROUGHT = re.compile(r"Downloaded from \S+: \S*/([^/\s]+\.jar)\b")


def provide(job: Provision) -> str:
    """Put the jars of a version into `jars/`. Raises EngineError, also for the Java that it would run on."""
    programs.java_for(job.version)
    jars = job.into / "jars"
    if shutil.which("mvn") is not None:
        job.note("bringing its jars with mvn")
        _with_maven(job, jars)
    else:
        launcher = shutil.which("nextflow")
        if launcher is None or not programs.is_launcher(Path(launcher)):
            raise EngineError(
                f"Nextflow {job.version} cannot be brought", why="there is no mvn, and no launcher of Nextflow on PATH",
                remedy="install Maven (apt install maven)",
            )  # fmt: skip
        job.note("bringing it with Nextflow's own launcher")
        _with_launcher(job, launcher, jars)
    for path in sorted(jars.iterdir()):
        named = JAR.fullmatch(path.name)
        job.add(named[1] if named else path.name, named[2] if named else "", _sha256(path))
    return job.version


def _with_maven(job: Provision, jars: Path) -> None:
    """Have Maven copy the jars of a version; parts that it names and were never published are taken from the series."""
    managed = dict(KNOWN_MISSING.get(job.version.rpartition(".")[0], {}))
    pom = job.into / "pom.xml"
    command = ["mvn", "-B", "-Dstyle.color=never", "-f", str(pom), "dependency:copy-dependencies",
               f"-DoutputDirectory={jars}"]  # fmt: skip
    count = 0
    said: list[str] = []

    def watch(line: str) -> None:
        nonlocal count
        said.append(line)
        name = BROUGHT.search(line)
        if name is not None:
            count += 1
            job.progress(f"{name[1]} ({count} so far)")

    for _ in range(MOST_MISSING):
        said.clear()
        parts = "".join(MANAGED.format(name=name, version=other) for name, other in managed.items())
        pom.write_text(POM.format(version=job.version, managed=parts))
        try:
            job.run(command, watch=watch)
        except EngineError as error:
            missing = NOT_FOUND.search("\n".join(said))
            if missing is None or missing[1] in managed or missing[1] == "nextflow":
                raise EngineError(
                    f"Nextflow {job.version} could not be brought", why=error.why or error.what,
                    remedy="check the version and Maven's settings (~/.m2/settings.xml)",
                ) from error  # fmt: skip
            managed[missing[1]] = f"{missing[2]}.0"
            continue
        if not list(jars.glob("nextflow-*.jar")):
            break
        pom.unlink()
        return
    raise EngineError(f"Nextflow {job.version} could not be brought", why="Maven brought none of its jars")


def _with_launcher(job: Provision, launcher: str, jars: Path) -> None:
    """Have the launcher download a version into a home of its own, and take the jar from there."""
    home = job.into / "home"
    try:
        job.run([launcher, "info"], env={"NXF_HOME": str(home), "NXF_VER": job.version, "NXF_OFFLINE": "false"})
    except EngineError as error:
        raise EngineError(
            f"Nextflow {job.version} could not be brought", why=error.why or error.what,
            remedy="install Maven (apt install maven), where the web cannot be reached",
        ) from error  # fmt: skip
    brought = sorted(home.glob(f"framework/{job.version}/nextflow-{job.version}*.jar"))
    if not brought:
        raise EngineError(f"Nextflow {job.version} could not be brought", why="its launcher downloaded nothing")
    jars.mkdir()
    brought[0].rename(jars / brought[0].name)
    shutil.rmtree(home)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
