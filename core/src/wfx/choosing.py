"""Which engine serves a run, and with what settings; nothing of it is started here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfx.engines import Engine
from wfx.values import JsonValue

if TYPE_CHECKING:
    from wfx.session import Session


@dataclass(frozen=True, slots=True)
class Bare:
    """A host for the methods of an engine that start no process."""

    settings: dict[str, JsonValue]
    offline: bool


def bare_engine(engine: type[Engine], session: Session) -> Engine:
    """Return an engine for the methods that start no process."""
    return engine(Bare(settings_of(engine, session), session.offline))  # type: ignore[arg-type]


def settings_of(engine: type[Engine], session: Session) -> dict[str, JsonValue]:
    """Return the configuration's section of an engine."""
    return session.config.section(f"engine.{engine.keys[0]}")
