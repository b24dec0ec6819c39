"""Runs that go on without this process: on a server elsewhere, or under another wfx of this machine.

What a run has on a server stands in its journal as the last handle of its engine; so whoever has the run's directory can
wait for it again, or stop it.
"""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from wfx.choosing import bare_engine
from wfx.errors import MachineError, UsageError
from wfx.journal import last_handle
from wfx.planning import Plan
from wfx.rundirs import STATE, load_record, status_of
from wfx.values import JsonValue

if TYPE_CHECKING:
    from wfx.flow import Outcome, Reporter
    from wfx.runs import RegisteredRun
    from wfx.session import Session

STOP_SECONDS = 60.0


def attach(run: RegisteredRun, session: Session, reporter: Reporter | None = None) -> Outcome:
    """Wait for a run that goes on on its server, and leave its crate, as the `wfx run` that began it would have.

    Raises UsageError where it is still waited for, or has nothing on a server.
    """
    from wfx import flow

    if run.status == "running":
        raise UsageError("another wfx waits for this run already", where=str(run.directory))
    if _handle(run) is None:
        raise UsageError(
            "the run has nothing on a server", where=str(run.directory), remedy="start it with `wfx execute`"
        )
    return flow.execute(run.directory, session, None, reporter)


def stop(run: RegisteredRun, session: Session) -> str:
    """Stop a run, wherever it goes on; return what was done, in words.

    The wfx that runs it is asked to end, as Ctrl-C would, and waited for. What goes on on a server without one is
    cancelled there. Raises UsageError where nothing goes on, MachineError where it does not end.
    """
    if run.status == "running":
        owner = run.state.owner if run.state is not None else None
        if owner is None or not owner.here():
            raise UsageError("the run belongs to another machine", where=str(run.directory), remedy="stop it there")
        os.kill(owner.pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS
        while status_of(run.directory) == "running":
            if time.monotonic() > deadline:
                raise MachineError(
                    f"process {owner.pid} has not ended in {STOP_SECONDS:.0f} s", where=str(run.directory)
                )
            time.sleep(0.1)
        return f"process {owner.pid} has stopped the run"
    known = _handle(run)
    if known is None or run.status in ("completed", "failed"):
        raise UsageError(f"the run is not going on: it is {run.status}", where=str(run.directory))
    plan = load_record(run.directory, "plan", Plan)
    engine = bare_engine(session.plugins.engine(plan.description.engine), session)
    try:
        engine.stop(known)
    finally:
        engine.close()
    return f"{engine.capabilities.name} was asked to stop it"


def _handle(run: RegisteredRun) -> JsonValue:
    return last_handle(run.directory / STATE / "journal.jsonl")
