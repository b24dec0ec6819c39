"""`wfx doctor`: what this machine has and lacks for wfx, found by looking."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from wfx import diagnosis
from wfx.cli.display import show_size
from wfx.cli.plugins import finding_line
from wfx.cli.shared import common, open_session, print_json
from wfx.diagnosis import Finding
from wfx.engines import Engine
from wfx.errors import EngineError, PluginError, WfxError
from wfx.plugins import PUBLISHED
from wfx.session import Session

SPARE = 1_000_000_000


@click.command()
@common
def doctor(as_json: bool, level: int) -> int:
    """Look what this machine has and lacks for wfx, and say how to mend it."""
    with open_session(level=level) as (session, _):
        findings = list(look(session))
    if as_json:
        print_json({"ok": all(f.state != "missing" for f in findings), "findings": findings})
    else:
        for finding in findings:
            click.echo(finding_line(finding))
    return 6 if any(f.state == "missing" for f in findings) else 0


def look(session: Session) -> Iterator[Finding]:
    """Yield what is found."""
    from wfx import __version__

    yield Finding(
        "wfx", "ok", f"{__version__} on Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    yield from _plugins(session)
    yield from _engines(session)
    yield from _sites(session)
    yield from _without_plugin(session)
    yield from _sandbox()
    yield from _programs()
    yield from _folders(session)
    person = session.config.person()
    if person.get("name"):
        yield Finding("person", "ok", person["name"])
    else:
        yield Finding("person", "note", "nobody: crates will name no agent", "set person.name in the configuration")
    if not session.config.get_str("crate.licence"):
        yield Finding("licence", "note", "crates will say that nobody stated a licence", "set crate.licence")


def _plugins(session: Session) -> Iterator[Finding]:
    # What works and is no engine or runtime is left to `wfx plugins doctor`.
    for finding in diagnosis.doctor(session.plugins, session.config.section):
        if finding.state != "ok" or finding.subject.startswith(("engine ", "container-factory ")):
            yield finding


def _engines(session: Session) -> Iterator[Finding]:
    """Name the versions of engines that wfx keeps, and those that are no longer what was installed."""
    from wfx import provided

    for key in session.plugins.keys("engine"):
        try:
            for each in provided.kept(provided.root_of(session), session.plugins.engine(key)):
                subject = f"engine {key} {each.version}"
                try:
                    provided.check(each)
                except WfxError as error:
                    yield Finding(subject, "missing", error.why or error.what, error.remedy or "")
                else:
                    yield Finding(subject, "ok", f"kept by wfx, {show_size(each.size)} in {each.folder}")
        except WfxError as error:
            # A plugin that is broken has been named already.
            if not isinstance(error, PluginError) or isinstance(error, EngineError):
                yield Finding(f"engine {key}", "missing", str(error))


def _sites(session: Session) -> Iterator[Finding]:
    """Ask the server of each site who it is, and who the user is to it."""
    from wfx.choosing import bare_engine

    remote = [e for key in session.plugins.keys("engine") if (e := _loaded(session, key)) and e.capabilities.remote]
    for name in session.config.sites():
        for engine in remote:
            asked = bare_engine(engine, session, site=name)
            try:
                told = asked.server()
            except WfxError as error:
                yield Finding(f"site {name}", "missing", str(error), error.remedy or "")
            else:
                yield Finding(f"site {name}", "ok", told or "started on this machine for each run")
            finally:
                asked.close()


def _loaded(session: Session, key: str) -> type[Engine] | None:
    try:
        return session.plugins.engine(key)
    except PluginError:
        return None  # it has been named already


def _without_plugin(session: Session) -> Iterator[Finding]:
    """Name what containers need and no plugin gives: their runtimes, and the fetcher of images."""
    plugins = session.plugins
    for key, package in PUBLISHED["container-factory"].items():
        if key not in plugins.keys("container-factory"):
            yield Finding(f"container-factory {key}", "note", "no plugin for it is installed", f"pip install {package}")
    if plugins.keys("container-factory") and "docker" not in plugins.keys("fetcher"):
        package = PUBLISHED["fetcher"]["docker"]
        yield Finding("container images", "note", "no plugin fetches them", f"pip install {package}")


def _sandbox() -> Iterator[Finding]:
    from wfx.sandbox import Sandbox

    try:
        sandbox = Sandbox.choose("require")
    except WfxError as error:
        yield Finding("sandbox", "note", error.why or error.what, error.remedy or "")
    else:
        yield Finding("sandbox", "ok", sandbox.describe())


def _programs() -> Iterator[Finding]:
    for name, use, remedy in (
        ("git", "for git references", "apt install git"),
        ("node", "for CWL with JavaScript expressions", "apt install nodejs"),
    ):
        path = shutil.which(name)
        if path is None:
            yield Finding(name, "note", f"not installed; needed {use}", remedy)
            continue
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
        yield Finding(name, "ok", answer.stdout.strip().splitlines()[0] if answer.stdout.strip() else path)


def _folders(session: Session) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(session.store.root).free
    except WfxError as error:
        yield Finding("store", "missing", str(error))
        return
    yield Finding("store", "ok" if free > SPARE else "note", f"{session.store.root}, {show_size(free)} free")
    home = Path(sys.prefix)
    yield Finding("installed in", "ok", str(home))
