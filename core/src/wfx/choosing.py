"""Which engine serves a run: with what settings, and in which version of its program.

What is found on the machine serves where the plugin can drive it and the workflow's documents allow it; else a version
that wfx keeps, or brings. Nothing of an engine is started here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wfx.engines import Engine, Installation, Wanted
from wfx.errors import EngineError, WfxError
from wfx.planning import PlannedProgram
from wfx.values import JsonValue

if TYPE_CHECKING:
    from wfx.closures import Closure
    from wfx.net import Net
    from wfx.provided import Kept
    from wfx.session import Session

CURRENT = "current"
"""In place of a version: the one that is found, whatever the workflow declares."""


@dataclass(frozen=True, slots=True)
class Bare:
    """A host for the methods of an engine that start no process."""

    settings: dict[str, JsonValue]
    session: Session
    installation: Installation | None = None

    @property
    def offline(self) -> bool:
        """See `Host.offline`."""
        return self.session.offline

    @property
    def net(self) -> Net:
        """See `Host.net`; made when it is asked for."""
        return self.session.net

    def note(self, text: str) -> None:
        """See `Host.note`."""
        if self.session.progress is not None:
            self.session.progress.note(text)


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that serves."""

    version: str
    installation: Installation | None = None
    """None: the one that was found."""
    declared: str = ""
    reason: str = ""
    warning: str = ""

    @property
    def planned(self) -> PlannedProgram:
        """What the plan says of it."""
        made = self.installation
        return PlannedProgram(made is not None, made.digest if made else "", self.declared, self.reason)


def bare_engine(
    engine: type[Engine], session: Session, installation: Installation | None = None, site: str = ""
) -> Engine:
    """Return an engine for the methods that start no process; of one that runs elsewhere, for a site."""
    return engine(Bare(settings_of(engine, session, site), session, installation))  # type: ignore[arg-type]


def settings_of(engine: type[Engine], session: Session, site: str = "") -> dict[str, JsonValue]:
    """Return the configuration's section of an engine; of one that runs elsewhere, with that of the site over it."""
    settings = session.config.section(f"engine.{engine.keys[0]}")
    return settings | session.config.site(site) if engine.capabilities.remote else settings


def found_version(engine: type[Engine], session: Session) -> str:
    """Return the version that is found on this machine. Raises EngineError, and whatever a plugin does wrong."""
    return bare_engine(engine, session).version()


def choose(engine: type[Engine], session: Session, wanted: Wanted | None = None, asked: str = "") -> Choice:
    """Choose the version of an engine for a workflow; bring it where none that is here serves.

    `wanted` is what the workflow declares. `asked` is the user's word, a version or `current`, and goes before it.
    Raises EngineError where none serves: with what is wrong with the one that was found, and the remedy.
    """
    if engine.capabilities.remote and bare_engine(engine, session).needs():
        return _of_server(engine, session, asked)
    return _Chooser(engine, session, wanted).choose(asked)


def _of_server(engine: type[Engine], session: Session, asked: str) -> Choice:
    """Return what a server elsewhere has: nobody here can give it another version."""
    version = found_version(engine, session)
    if asked not in ("", CURRENT, version):
        raise EngineError(
            f"the server has {engine.capabilities.name} {version}", why=f"{asked} is asked for",
            remedy="take what it has with --engine-version current, or choose another server with --site",
        )  # fmt: skip
    return Choice(version)


def choose_for(closure: Closure, session: Session, asked: str = "") -> Choice:
    """Choose the version for a workflow by what its documents declare; nothing of them is run."""
    sources = closure.sources

    def read(path: str) -> str | None:
        return sources[path].read_text("utf-8", "replace") if path in sources else None

    return choose(closure.engine, session, closure.engine.wants(closure.entry, read), asked)


class _Chooser:
    def __init__(self, engine: type[Engine], session: Session, wanted: Wanted | None) -> None:
        self.engine, self.session, self.wanted = engine, session, wanted
        self.name = engine.capabilities.name
        self.text = wanted.text if wanted is not None else ""
        self.declared = f"{wanted.text} in {wanted.where}" if wanted is not None else ""
        self.problem: EngineError | None = None
        self.found = ""
        try:
            self.found = found_version(engine, session)
        except EngineError as error:
            self.problem = error

    def choose(self, asked: str) -> Choice:
        if asked == CURRENT:
            return self._current()
        if asked:
            return self._version(asked, "it is asked for")
        stated = str(settings_of(self.engine, self.session).get("version") or "")
        if stated and self._serves(stated):
            return self._version(stated, f"the setting engine.{self.engine.keys[0]}.version")
        if self.found and self._serves(self.found):
            return Choice(self.found, declared=self.declared)
        return self._other()

    def _serves(self, version: str) -> bool:
        return self._drives(version) and self.engine.fits(version, self.text)

    def _drives(self, version: str) -> bool:
        return self.engine.fits(version, self.engine.capabilities.versions)

    def _current(self) -> Choice:
        if self.problem is not None:
            raise self.problem
        warning = ""
        if not self._serves(self.found):
            warning = f"it runs with {self.name} {self.found}, though {self._objection()}"
        return Choice(
            self.found, declared=self.declared, reason="the version that is here is asked for", warning=warning
        )

    def _version(self, version: str, reason: str) -> Choice:
        """Return the very version; what the workflow declares is then only worth a warning."""
        from wfx.provided import same_version

        warning = ""
        if not self.engine.fits(version, self.text):
            warning = f"it runs with {self.name} {version}, though the workflow asks for {self.declared}"
        if self.found and same_version(self.found, version):
            return Choice(self.found, declared=self.declared, reason=reason, warning=warning)
        made = self._provide(version, f"{reason}, and {self._state()}")
        return Choice(made.version, made.installation, self.declared, reason, warning)

    def _other(self) -> Choice:
        """Return another version than the one that was found, or say that there is none."""
        why = self._objection()
        version = self._kept() or self.engine.candidate(self.text) if self.engine.capabilities.provides else ""
        may_stay = bool(self.found) and self._drives(self.found) and self.wanted is not None and not self.wanted.strict
        if not version and not may_stay:
            raise self._none(why)
        if version:
            try:
                made = self._provide(version, why)
            except EngineError as error:
                if not may_stay:
                    raise
                why = f"{why}; {error}"
            else:
                return Choice(made.version, made.installation, self.declared, why)
        return Choice(
            self.found, declared=self.declared, reason=why, warning=f"it runs with {self.name} {self.found}: {why}"
        )

    def _objection(self) -> str:
        """Say what is wrong with the one that was found."""
        if self.found and not self._drives(self.found):
            return f"{self._state()}, and the plugin drives {self.engine.capabilities.versions}"
        return self._state() + (f", and the workflow asks for {self.declared}" if self.declared else "")

    def _state(self) -> str:
        if self.found:
            return f"{self.name} {self.found} is installed"
        assert self.problem is not None
        text = f"{self.problem.where}: {self.problem.what}" if self.problem.where else self.problem.what
        return text + (f" ({self.problem.why})" if self.problem.why else "")

    def _none(self, why: str) -> EngineError:
        if self.problem is not None:
            return self.problem
        return EngineError(
            f"no {self.name} that serves is known", why=why,
            remedy="name a version with --engine-version, or go on with what is here: --engine-version current",
        )  # fmt: skip

    def _kept(self) -> str:
        """Return the version to take of those that are kept: the one that would be brought, else the newest."""
        from wfx import provided

        here = [each.version for each in provided.kept(provided.root_of(self.session), self.engine)]
        fitting = [version for version in here if self._serves(version)]
        usual = self.engine.candidate(self.text)
        return next((v for v in fitting if usual and provided.same_version(v, usual)), fitting[0] if fitting else "")

    def _provide(self, version: str, why: str) -> Kept:
        from wfx import provided

        root, progress = provided.root_of(self.session), self.session.progress
        here = provided.find(root, self.engine, version)
        if here is not None:
            return here
        if not self._drives(version):
            able = self.engine.capabilities.versions
            raise EngineError(f"{self.name} {version} cannot be driven", why=f"the plugin drives {able}")
        if not self.engine.capabilities.provides:
            raise EngineError(f"{self.name} {version} is not installed", why=why, remedy="install it, and run again")
        name = f"{provided.short_name(self.engine)}@{version}"
        if self.session.offline:
            raise EngineError(
                f"{self.name} {version} is not installed", why=why,
                remedy=f"wfx engines install {name} where there is a network",
            )  # fmt: skip
        note: Callable[[str], None] = progress.note if progress is not None else lambda text: None
        note(f"{self.name} {version} is provided: {why}")
        try:
            return provided.install(root, self.engine, version, note)
        except WfxError as error:
            if type(error) is not EngineError:
                raise
            said = [error.why] if error.what.startswith(f"{self.name} {version}") else [error.what, error.why]
            raise EngineError(
                f"{self.name} {version} could not be provided", why=f"{why}; {': '.join(filter(None, said))}",
                remedy=error.remedy,
            ) from error  # fmt: skip
