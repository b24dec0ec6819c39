"""The whole way, from a definition to a crate: what `wfx run` does, as one function to call from Python.

Each arrow is a function of its own stage's module; `wfx.working` puts them in order.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from wfx.choosing import choose
from wfx.definitions import Definition
from wfx.engines import Description
from wfx.errors import WfxError
from wfx.outcomes import Brought, Options, Outcome, Reporter, Silent, finished
from wfx.planning import Plan
from wfx.rundirs import RunDirectory, load_record
from wfx.sandbox import Sandbox, needs_trust
from wfx.session import Session
from wfx.staging import Lock
from wfx.working import Work, refuse_offline, trusted_by

__all__ = [
    "Brought", "Options", "Outcome", "Reporter", "Silent", "bring", "describe", "execute", "needs_of", "plan_only", "run",
]  # fmt: skip


def describe(definition: Definition, session: Session, options: Options | None = None) -> Description:
    """Say what a workflow is: its inputs, outputs, steps and images."""
    with ExitStack() as stack:
        work = Work(definition, session, options or Options(), Silent(), stack)
        work.describe(claim=False, only=True)
        return work.description


def plan_only(definition: Definition, session: Session, options: Options | None = None) -> Plan:
    """Resolve a definition and stop there; nothing is left but what the store keeps."""
    with ExitStack() as stack:
        work = Work(definition, session, options or Options(), Silent(), stack)
        work.describe(claim=False)
        return work.plan(probe=True)


def bring(definition: Definition, session: Session, options: Options | None = None) -> Brought:
    """Fetch all that a definition needs into the store, and stop there: no run directory is made."""
    with ExitStack() as stack:
        work = Work(definition, session, options or Options(), Silent(), stack)
        with session.store.in_use():
            work.describe(claim=False)
            plan, _, lock = work.bring()
        return Brought(plan, lock, work.closure, definition.values(work.description, work.bare(), session))


def run(
    definition: Definition, session: Session, options: Options | None = None, reporter: Reporter | None = None
) -> Outcome:
    """Take a definition all the way; a failing workflow is an outcome with a failed record, not an exception.

    The same definition with nothing changed is answered from its finished run, an interrupted one goes on, and a
    definition whose inputs have changed gets a directory of its own. Until it is staged, a failure leaves no run
    directory behind.
    """
    with ExitStack() as stack:
        work = Work(definition, session, options or Options(), reporter or Silent(), stack)
        return work.run()


def execute(path: Path, session: Session, options: Options | None = None, reporter: Reporter | None = None) -> Outcome:
    """Run what `stage` has left in a directory."""
    options = options or Options()
    with ExitStack() as stack:
        directory = RunDirectory.reopen(path)
        stack.callback(directory.release)
        plan, lock = directory.load("plan", Plan), directory.load("lock", Lock)
        known = finished(directory, plan, lock, options)
        if known is not None:
            return known
        sandbox = Sandbox.choose(session.config.get_str("sandbox"))
        local = plan.workflow.reference.is_local
        engine_class = session.plugins.engine(plan.description.engine)
        if engine_class.capabilities.remote:
            refuse_offline(engine_class, session)
        else:
            trusted = trusted_by(plan.workflow.pinned, options, session)
            needs_trust(sandboxed=sandbox.active, workflow_is_local=local, trusted=trusted)
        # What is executed is the plan as stored, the engine's version with it.
        choice = choose(engine_class, session, asked=plan.description.engine_version)
        from wfx import executing

        record = executing.execute(
            directory, plan, lock, engine_class, None, sandbox, session, reporter or Silent(),
            installation=choice.installation,
        )  # fmt: skip
        return Outcome(directory.path, directory.state.run, plan, lock, record)


def needs_of(path: Path) -> tuple[str, ...]:
    """Return the origins that a staged run must reach; none for what is no staged run."""
    try:
        return load_record(path, "plan", Plan).needs
    except (WfxError, OSError):
        return ()
