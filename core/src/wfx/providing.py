"""How a version of an engine's program is brought: what the core gives `Engine.provide`, and an environment of Python.

Package clients (pip, mvn) do the work, as the user has set them up: mirrors, certificates and logins are theirs, and no
address of a repository stands in wfx. They run under the core's supervisor: however wfx ends, they end with it.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wfx.engines import Installation
from wfx.errors import EngineError
from wfx.redaction import redact
from wfx.versions import normal_name, satisfies

# What package clients read of an environment; secrets of fetchers and of anything else stay out of it.
PASSED = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TMPDIR", "NETRC", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE",
    "JAVA_HOME", "JAVA_CMD", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "M2_HOME", "MVN_HOME",
})  # fmt: skip
PASSED_PREFIXES = ("LC_", "PIP_", "UV_", "SSL_CERT_", "MAVEN_", "XDG_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")
# Where pip would put things instead.
ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER", "PIP_REQUIRE_VIRTUALENV", "PIP_DRY_RUN", "PIP_PYTHON")
PIP_WITH_PYTHON = ">=22.3"
QUIET_SECONDS = 2.0
TAIL_LINES, ERROR_LINES, LINE_LENGTH = 4, 2, 300


@dataclass(frozen=True, slots=True)
class Package:
    """A part of an installation, as its package client has it."""

    name: str
    version: str
    sha256: str
    """Of the archive that came; empty where the client does not say."""


class Provision:
    """An installation in the making: one version, and the folder to put it into."""

    def __init__(self, version: str, into: Path, final: Path, note: Callable[[str], None] = lambda text: None) -> None:
        """Take an empty folder `into`; the core moves it to `final` when it is whole."""
        self.version, self.into, self.final = version, into, final
        self.packages: list[Package] = []
        self._note, self._noted = note, 0.0

    def note(self, text: str) -> None:
        """Say what is being done; the user sees it."""
        self._noted = time.monotonic()
        self._note(text)

    def progress(self, text: str) -> None:
        """Say how far it is; of many such lines the user sees one every few seconds."""
        if time.monotonic() - self._noted > QUIET_SECONDS:
            self.note(text)

    def add(self, name: str, version: str, sha256: str) -> None:
        """Write down a part of it. The list says what was installed, on this machine or another."""
        self.packages.append(Package(name, version, sha256))

    def run(
        self, command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None,
        watch: Callable[[str], None] = lambda line: None,
    ) -> str:  # fmt: skip
        """Run a package client with the user's settings of it, and return what it prints.

        `watch` gets each line as it comes. Raises EngineError with its last words where it fails.
        """
        from wfx.processes import Order, Supervised

        environment = client_environment() | dict(env or {})
        order = Order(tuple(command), environment, cwd or self.into)
        supervised = Supervised(order, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert supervised.stdout is not None
        said: list[str] = []
        try:
            for raw in supervised.stdout:
                line = raw.decode("utf-8", "replace").rstrip()
                said.append(line)
                watch(line)
            supervised.wait()
        finally:
            supervised.end()
            supervised.stdout.close()
        if supervised.exit_status != 0:
            name = Path(command[0]).name
            raise EngineError(f"{name} {supervised.explain()}", why=_last_words(said))
        return "\n".join(said)


def client_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what of an environment package clients get."""
    return {
        name: value
        for name, value in environment.items()
        if (name in PASSED or name.startswith(PASSED_PREFIXES) or name.lower() in PROXIES) and name not in ELSEWHERE
    }


def _last_words(lines: Sequence[str]) -> str | None:
    told = [line for line in lines if line.strip()]
    errors = [line for line in told if "ERROR" in line or line.startswith("error")]
    # The first error says what is wrong, the last line of anything else how it ended.
    chosen = errors[:ERROR_LINES] if errors else told[-TAIL_LINES:]
    return redact(" | ".join(" ".join(line.split())[:LINE_LENGTH] for line in chosen)) or None


# -- programs of Python


def python_environment(job: Provision, *requirements: str) -> str:
    """Make an environment of its own in `job.into` with what pip installs; return the first requirement's version.

    Requirements are written as `cwltool==3.1.20240508115724`. It is made of the Python that runs wfx.
    """
    env = job.into / "env"
    own_pip = _own_pip()
    job.note("making an environment of its own")
    job.run([sys.executable, "-I", "-m", "venv", *(["--without-pip"] if own_pip else []), str(env)])
    python = env / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python)] if own_pip else [str(python), "-m", "pip"]
    report = job.into / "report.json"
    collected = 0

    def watch(line: str) -> None:
        nonlocal collected
        collected += line.lstrip().startswith("Collecting ")
        if line.lstrip().startswith(("Collecting ", "Downloading ", "Using cached ", "Building ", "Installing ")):
            words = line.split()
            # The list of all that is installed would fill the screen.
            text = " ".join(words[:2]) if words[0] != "Installing" else f"installing {collected} packages"
            job.progress(text if words[0] == "Installing" else f"{text} ({collected} so far)")

    job.run(
        [*pip, "install", "--no-input", "--no-compile", "--disable-pip-version-check", "--progress-bar", "off",
         "--report", str(report), *requirements],
        watch=watch,
    )  # fmt: skip
    version = _take_report(job, report, requirements[0])
    # The names of source files stand in compiled ones, and are to be right at their final place.
    job.run([str(python), "-I", "-m", "compileall", "-q", "-s", str(job.into), "-p", str(job.final), str(env / "lib")])
    _relocate(env, job.into, job.final)
    return version


def environment_python(installation: Installation, engine: str) -> Path:
    """Return the interpreter of such an environment. Raises EngineError where it is gone: Python itself was replaced."""
    python = installation.folder / "env" / "bin" / "python"
    if not os.access(python, os.X_OK):
        raise EngineError(
            f"the environment of {engine} {installation.version} is broken", where=str(python),
            why="the Python that it was made of is gone",
            remedy=f"wfx engines remove {engine}@{installation.version}, and install it again",
        )  # fmt: skip
    return python


def _own_pip() -> bool:
    """Say whether wfx's own environment has a pip that installs into another."""
    if importlib.util.find_spec("pip") is None:
        return False
    try:
        return satisfies(importlib.metadata.version("pip"), PIP_WITH_PYTHON) is not False
    except importlib.metadata.PackageNotFoundError:
        return False


def _take_report(job: Provision, report: Path, requirement: str) -> str:
    """Write down what pip has installed, with the digests of what it took."""
    told = json.loads(report.read_bytes())
    report.unlink()
    wanted, version = normal_name(requirement.partition("=")[0].partition("[")[0].strip()), ""
    for item in told["install"]:
        about = item["metadata"]
        hashes = (item.get("download_info") or {}).get("archive_info", {}).get("hashes") or {}
        job.add(normal_name(about["name"]), about["version"], hashes.get("sha256", ""))
        if normal_name(about["name"]) == wanted:
            version = about["version"]
    return version or job.version


def _relocate(env: Path, now: Path, final: Path) -> None:
    """Let the environment's own scripts name the place where it will lie."""
    old, new = os.fsencode(now), os.fsencode(final)
    for path in [*(env / "bin").iterdir(), env / "pyvenv.cfg"]:
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if old in data:
            path.write_bytes(data.replace(old, new))
