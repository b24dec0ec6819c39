"""Execute: a staged directory is run with its engine, registered, and described as a crate.

Together with `wfx.flow`, whose second half this is; apart, because an unchanged run needs none of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wfx import running, runtimes
from wfx.choosing import settings_of
from wfx.engines import Engine, Installation
from wfx.errors import IntegrityError, WfxError
from wfx.exporting import exporter_of
from wfx.hosts import EngineHost
from wfx.planning import Plan
from wfx.provided import in_use
from wfx.rundirs import RunDirectory
from wfx.running import RunRecord
from wfx.runs import Register
from wfx.runtimes import Runtime
from wfx.sandbox import Sandbox
from wfx.session import Session
from wfx.staging import Lock, StagedRun

if TYPE_CHECKING:
    from wfx.flow import Reporter

logger = logging.getLogger(__name__)


def execute(
    directory: RunDirectory, plan: Plan, lock: Lock, engine_class: type[Engine], engine: Engine | None,
    sandbox: Sandbox, session: Session, reporter: Reporter, exporter: ReadyExporter | None = None,
    installation: Installation | None = None,
) -> RunRecord:  # fmt: skip
    """Run it, describe it, register it. `engine` is the one that has described it, which knows of no runtime."""
    exporter = exporter or ReadyExporter(session)
    if directory.state.attempts:
        # What an earlier attempt has published is published again by this one.
        directory.clear("outputs")
        directory.clear("logs")
    digests = {item.sha256 for item in lock.items} | {image.sha256 for image in lock.images}
    digests |= {document.sha256 for document in plan.workflow.documents}
    Register(session.directories.state).enter(directory, str(plan.workflow.reference), digests)
    runtime = None
    if lock.images:
        reporter.phase(f"loading {len(lock.images)} container images into {plan.containers[0]}")
        runtime = runtimes.load(plan.containers[0], lock.images, directory, session, engine_class)
    if engine is None or runtime is not None:
        if engine is not None:
            engine.close()
        aliases = plan.workflow.aliases
        engine = engine_class(host_for(directory, engine_class, sandbox, aliases, session, runtime, installation))
    reporter.phase(f"running {plan.name} with {engine.capabilities.name} {plan.description.engine_version}")
    staged = StagedRun(directory.path, plan, lock, needs=plan.needs, runtime=runtime)
    try:
        with in_use(installation):
            record = running.execute(
                directory, staged, engine, config=session.config, sandbox=sandbox.describe(),
                contacts=session.contacts, on_event=reporter.step,
            )  # fmt: skip
    except WfxError:
        # Whatever ended it, the directory is left as a crate that says so.
        if directory.has("record"):
            exporter.describe(directory.load("record", RunRecord), directory)
        raise
    finally:
        engine.close()
    for warning in record.warnings:
        reporter.warn(warning)
    reporter.phase("describing the run as a crate")
    exporter.describe(record, directory)
    if session.store.check_linked(item.sha256 for item in lock.items if item.kind == "file"):
        raise IntegrityError(
            "the run changed its inputs", where=str(directory.path), why="they have been set aside in the store"
        )
    return record


class ReadyExporter:
    """The exporter of crates, which gets ready while the engine works."""

    def __init__(self, session: Session) -> None:
        self._exporter = exporter_of("ro-crate", session)
        self._thread = threading.Thread(target=self._prepare, name="exporter", daemon=True)
        self._thread.start()

    def _prepare(self) -> None:
        try:
            self._exporter.prepare()
        except Exception as error:  # noqa: BLE001 (a plugin's; it will fail again where somebody waits for it)
            logger.debug("the exporter is not ready: %s", error)

    def describe(self, record: RunRecord, directory: RunDirectory) -> None:
        """Write the crate's metadata. Two threads must not import one package at a time, so the first is waited for."""
        self._thread.join()
        self._exporter.describe(record, directory.path)
        directory.journal.append({"event": "described"})


def host_for(
    directory: RunDirectory, engine: type[Engine], sandbox: Sandbox, aliases: Mapping[str, str], session: Session,
    runtime: Runtime | None = None, installation: Installation | None = None,
) -> EngineHost:  # fmt: skip
    """Return what the core does for the engine of a run."""
    return EngineHost.for_run(
        directory, sandbox=sandbox, settings=settings_of(engine, session), aliases=aliases, runtime=runtime,
        offline=session.offline, installation=installation, net=session.net, progress=session.progress,
    )  # fmt: skip
