"""Prepare: what an engine makes ready of a staged run while there is a network, which the run itself has not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from wfx.engines import Engine, Installation

if TYPE_CHECKING:
    from wfx.closures import Closure
    from wfx.planning import Plan
    from wfx.rundirs import RunDirectory
    from wfx.sandbox import Sandbox
    from wfx.session import Session


def prepare(
    directory: RunDirectory, plan: Plan, closure: Closure, sandbox: Sandbox, session: Session,
    *, options: Mapping[str, str], installation: Installation | None, tell: Callable[[str], None],
) -> None:  # fmt: skip
    """Let the engine prepare a run whose workflow and inputs are in their places: `Engine.prepare`.

    Raises OfflineError where that needs the network, PolicyError where a workflow from elsewhere leads it into a private
    one, and what the engine raises.
    """
    if closure.engine.prepare is Engine.prepare:
        return
    from wfx import executing

    host = executing.host_for(directory, closure.engine, sandbox, closure.aliases, session, installation=installation)
    engine = closure.engine(host)
    engine.options = options
    try:
        origins = engine.brings(plan)
        if not origins:
            return
        net = session.net if closure.local else session.net.on_behalf_of(closure.reference)
        for origin in origins:
            net.connect(origin)
        tell(f"preparing it with what {', '.join(origins)} have")
        online = dataclasses.replace(host, needs=origins, channels=[])
        try:
            engine.prepare(plan, online)
        finally:
            online.close()
    finally:
        engine.close()
