"""An archive of Nextflow's classes as Java has loaded them (JEP 350), with which it starts in half the time.

It is made once for each version and each Java, by running a pipeline of one task, and lies beside the version that it
belongs to. Java holds it against the jars; where it does not fit, or could not be made, Nextflow starts without.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from wfx.engines import Installation

logger = logging.getLogger(__name__)

FOLDER = ".classes"
SECONDS = 180
PIPELINE = """
process ONE {
    publishDir 'out'
    input: val n
    output: path 'one.txt'
    script: "echo $n > one.txt"
}
workflow { ONE(Channel.of(1)) | view }
"""


def options(installation: Installation, java: Path, command: Sequence[str]) -> tuple[str, ...]:
    """Return Java's options that use the archive; make it first where there is none. Empty where it cannot be.

    `command` starts Nextflow, without its own arguments.
    """
    try:
        release = (java.resolve().parent.parent / "release").read_bytes()
        name = hashlib.sha256(os.fsencode(java.resolve()) + release + os.fsencode(installation.folder)).hexdigest()[:16]
        path = installation.folder.parent / FOLDER / f"{installation.version}-{name}.jsa"
        if not path.exists():
            _make(path, java, command)
        # An empty one says that it could not be made here.
        found = path.stat().st_size > 0
    except OSError as error:
        logger.debug("no archive of classes: %s", error)
        return ()
    # What Java would say of an archive that does not fit goes to stdout, where Nextflow's answers are.
    return (f"-XX:SharedArchiveFile={path}", "-Xshare:auto", "-Xlog:disable") if found else ()


def _make(path: Path, java: Path, command: Sequence[str]) -> None:
    path.parent.mkdir(exist_ok=True)
    with _alone(path.parent) as alone:
        if not alone or path.exists():
            return
        logger.info("making an archive of Nextflow's classes, once")
        with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as work:
            made = Path(work) / "classes.jsa"
            (Path(work) / "main.nf").write_text(PIPELINE)
            first, *rest = command
            words = [first, f"-XX:ArchiveClassesAtExit={made}", "-Xlog:disable", *rest, "run", "main.nf", "-with-trace"]
            environment = {
                "PATH": os.environ.get("PATH", os.defpath), "HOME": work, "NXF_HOME": f"{work}/nxf", "NXF_OFFLINE": "true",
                "NXF_PLUGINS_DEFAULT": "false", "NXF_DISABLE_CHECK_LATEST": "true", "NXF_ANSI_LOG": "false",
            }  # fmt: skip
            try:
                done = subprocess.run(
                    words, cwd=work, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS,
                    check=False,
                )  # fmt: skip
                good = done.returncode == 0
            except subprocess.TimeoutExpired:
                good = False
            if not good or not made.is_file():
                made.write_bytes(b"")
            made.chmod(0o644)
            made.replace(path)
        for old in path.parent.glob("*.jsa"):
            if not (path.parent.parent / old.name.rpartition("-")[0]).is_dir():
                old.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Hold the folder's lock; False where another process is at it, which is not waited for."""
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
