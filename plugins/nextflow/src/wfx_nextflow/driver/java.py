"""Starts Nextflow, shut off from everything that is not the run's: home, network, updates, plugins."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

CONFIG_SECONDS = 300
EXTRA = "extra.config"
"""The configuration that the user adds."""
UNKNOWN_PROFILE = re.compile(r"Unknown configuration profile: .*")
BLIND = "-XX:-UseContainerSupport"
COMPILE = re.compile(r"cause:\s*(?P<cause>.*?)\s*@ line (?P<line>\d+), column (?P<column>\d+)", re.S)


class Broken(Exception):
    """What cannot be done, as the other side is told."""

    def __init__(self, kind: str, what: str, where: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.answer = {"kind": kind, "what": what, "where": where, "why": why, "remedy": remedy}


class Nextflow:
    """A running Nextflow, the head of a process group of its own."""

    running: ClassVar[list[Nextflow]] = []

    def __init__(self, message: dict[str, Any], arguments: list[str], cwd: Path, stdout: Any, stderr: Any) -> None:
        environment = os.environ | environment_of(message)
        command = list(message["command"])
        if message.get("containers"):
            # With containers inside the sandbox the control groups are of its outside, and Java stumbles over that.
            if "-cp" in command:
                command.insert(1, BLIND)
            else:
                environment["NXF_OPTS"] = BLIND
        try:
            self.process = subprocess.Popen(
                [*command, *arguments], cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=stdout,
                stderr=stderr, process_group=0,
            )  # fmt: skip
        except OSError as error:
            raise Broken("engine", "Nextflow cannot be started", message["command"][0], str(error)) from error
        self.running.append(self)

    def end(self) -> None:
        """End it and wait: politely, so that it kills its tasks and closes its cache, then by force."""
        if self.process.poll() is None:
            self._signal(signal.SIGTERM)
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self._signal(signal.SIGKILL)
                self.process.wait()
        if self in self.running:
            self.running.remove(self)

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    @classmethod
    def end_all(cls) -> None:
        """End all that run."""
        for nextflow in list(cls.running):
            nextflow.end()


def environment_of(message: dict[str, Any]) -> dict[str, str]:
    """Return what Nextflow's environment has beside the clean one of wfx."""
    state = Path(message["state"])
    for name in ("nxf", "nxf-tmp"):
        (state / name).mkdir(parents=True, exist_ok=True)
    environment = {
        "NXF_HOME": str(state / "nxf"), "NXF_TEMP": str(state / "nxf-tmp"), "NXF_OFFLINE": "true",
        "NXF_ANSI_LOG": "false", "NXF_DISABLE_CHECK_LATEST": "true", "NXF_ENABLE_SECRETS": "false",
        # Its own plugins (clouds, its maker's service) are of no use offline, and would be downloaded.
        "NXF_PLUGINS_DEFAULT": "false", "NXF_CLOUDCACHE_PATH": "", **message["environment"],
    }  # fmt: skip
    if message["plugins"]:
        environment["NXF_PLUGINS_DIR"] = message["plugins"]
        environment["NXF_PLUGINS_MODE"] = "prod"
    return {name: value for name, value in environment.items() if value}


def ask_configuration(message: dict[str, Any]) -> str:
    """Return what `nextflow config -flat` prints."""
    status, text, said = _ask(
        message, ["config", "-flat", *profile_of(message), message["home"]], "its configuration is not read"
    )
    if status == 0:
        return text
    problem = broken_document(text + said, message["tree"])
    if problem is not None:
        raise problem
    unknown = UNKNOWN_PROFILE.search(text + said)
    if unknown is not None:
        raise Broken(
            "document", unknown[0].strip(), "nextflow.config", remedy="the profiles stand there in `profiles { }`"
        )
    raise Broken(
        "engine", "Nextflow does not read the configuration", why=shortened(text + said) or f"it ended with {status}"
    )


def ask_images(message: dict[str, Any], more: Sequence[str] = ()) -> dict[str, str]:
    """Return process → image as `nextflow inspect` finds them: it runs the script and none of its tasks.

    Empty where it comes to nothing, as with a script that looks at its params first; the text of the scripts tells then.
    """
    entry = str(Path(message["tree"]) / message["entry"])
    with contextlib.suppress(Broken, ValueError, KeyError, TypeError):
        status, text, _ = _ask(message, ["inspect", "-format", "json", *profile_of(message), *more, entry], "")
        if status == 0:
            processes = json.loads(text[text.index("{") :])["processes"]
            return {str(each["name"]): str(each["container"]) for each in processes if each.get("container")}
    return {}


def profile_of(message: dict[str, Any]) -> list[str]:
    """Return the option that chooses profiles."""
    return ["-profile", message["profile"]] if message["profile"] else []


def added_configuration(message: dict[str, Any], folder: Path) -> list[str]:
    """Write the configuration that the user adds to the pipeline's own; return the option that names it."""
    if not message["config"]:
        return []
    path = folder / EXTRA
    path.write_text(message["config"])
    return ["-c", str(path)]


def _ask(message: dict[str, Any], words: list[str], late: str) -> tuple[int, str, str]:
    """Run a command of Nextflow that answers on stdout; return status, stdout and stderr."""
    cwd = Path(message["state"]) / "config"
    cwd.mkdir(parents=True, exist_ok=True)
    out, err = cwd / "out.txt", cwd / "err.txt"
    with out.open("wb") as stdout, err.open("wb") as stderr:
        arguments = ["-log", str(cwd / "nextflow.log"), *added_configuration(message, cwd), *words]
        nextflow = Nextflow(message, arguments, cwd, stdout, stderr)
        try:
            status = nextflow.process.wait(CONFIG_SECONDS)
        except subprocess.TimeoutExpired:
            nextflow.end()
            raise Broken("document", f"{late} after {CONFIG_SECONDS} s", "nextflow.config") from None
        nextflow.end()
    return status, out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace")


def broken_document(said: str, tree: str) -> Broken | None:
    """Return what Nextflow says of a script or configuration that it cannot compile, with the place."""
    script = re.search(r"Script compilation error\s*\n\s*-?\s*file\s*:\s*(?P<file>.+)", said)
    if script is not None:
        cause = COMPILE.search(said)
        place = relative(script["file"].strip(), tree)
        if cause is None:
            return Broken("document", "it cannot be compiled", place, shortened(said[script.end() :]))
        return Broken("document", _line(cause["cause"]), f"{place}:{cause['line']}", f"at column {cause['column']}")
    config = re.search(r"Unable to parse config file: '(?P<file>[^']*)'", said)
    if config is not None:
        place = "the option config" if config["file"].endswith(f"/{EXTRA}") else relative(config["file"], tree)
        cause = re.search(
            r":\s*\d+:\s*(?P<cause>.*?)\s*@ line (?P<line>\d+), column (?P<column>\d+)", said[config.end() :]
        )
        if cause is not None:
            return Broken("document", _line(cause["cause"]), f"{place}:{cause['line']}", f"at column {cause['column']}")
        return Broken("document", "it cannot be read", place, shortened(said[config.end() :]))
    return None


def relative(path: str, tree: str) -> str:
    """Return a document's path relative to the tree."""
    return path.removeprefix(tree.rstrip("/") + "/")


def shortened(text: str) -> str:
    """Return the first lines that say something."""
    lines = [line.strip() for line in text.splitlines()]
    return _line(" ".join(line for line in lines if line and not line.startswith(("N E X T F L O W", "--")))[:400])


def _line(text: str) -> str:
    return " ".join(text.split())
