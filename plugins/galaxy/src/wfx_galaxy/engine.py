"""The engine `galaxy.galaxy`: reads workflows itself, and has a Galaxy server run them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.engines import Description, Engine, EngineCapabilities, EngineResult, Host, Recognition, StepEvent
from wfx.errors import EngineError, FetchError
from wfx.redaction import redact
from wfx.references import Reference
from wfx.values import JsonValue, Values

from wfx_galaxy import recognition
from wfx_galaxy.describing import describe
from wfx_galaxy.model import GalaxyWorkflow
from wfx_galaxy.sites import Site, site_of
from wfx_galaxy.workflows import read_workflow

if TYPE_CHECKING:
    from wfx.providing import Provision
    from wfx.staging import StagedRun

    from wfx_galaxy.invoking import Handle
    from wfx_galaxy.private import PrivateGalaxy
    from wfx_galaxy.server import Server

logger = logging.getLogger(__name__)

START_PATIENCE = 10.0
"""Seconds for a server that does not answer at the beginning; once a run has begun, it is waited for longer."""


class GalaxyEngine(Engine):
    """Runs Galaxy workflows on a server: `.ga` and gxformat2.

    The server is a site of the configuration, `[site.NAME]`; see the package's README.
    """

    keys = (recognition.KEY,)
    capabilities = EngineCapabilities(
        language="galaxy", name="Galaxy", language_name="Galaxy workflow", remote=True, provides="26.1.2"
    )  # fmt: skip

    def __init__(self, host: Host | None = None) -> None:
        super().__init__(host)
        self._server: Server | None = None
        self._handle: Handle | None = None
        self._private: PrivateGalaxy | None = None

    @classmethod
    def recognise(cls, tree: Path, entry: str = "") -> Recognition | None:
        """See `Engine.recognise`."""
        return recognition.recognise(tree, entry)

    @property
    def site(self) -> Site:
        """The server that the run is for."""
        return site_of(self.host.settings if self.host is not None else {})

    def needs(self) -> tuple[str, ...]:
        """See `Engine.needs`."""
        if not self.site.url and not self.site.is_local:
            self.site.refuse()
        return (self.site.origin,) if self.site.url else ()

    def version(self) -> str:
        """Ask the server for its version."""
        if self.site.is_local:
            if self.installation is None:
                raise EngineError(
                    "no Galaxy is installed for the private server", remedy="run `wfx engines install galaxy`"
                )
            return self.installation.version
        told = self._connected().get("version")
        return ".".join(str(told[key]) for key in ("version_major", "version_minor") if told.get(key))

    def server(self) -> str:
        """See `Engine.server`."""
        if not self.site.url:
            return ""
        user = self._connected().get("users/current")
        return f"Galaxy {self.version()} at {self.site.url}, as {user.get('username') or user.get('email')}"

    @classmethod
    def provide(cls, job: Provision) -> str:
        """Install Galaxy's packages into an environment of their own, for the private server."""
        from wfx.providing import python_environment

        return python_environment(job, f"galaxy-app=={job.version}", f"galaxy-web-apps=={job.version}")

    def describe(self, entry: str, fragment: str = "") -> Description:
        """See `Engine.describe`."""
        # A workflow is described for people too who have no server yet.
        return describe(self._workflow(entry), entry, self.version() if self.site.url else "")

    def read_inputs(self, document: bytes, name: str) -> Values:
        """Read a job file, YAML or JSON, planemo's forms among them."""
        from wfx.documents import load_document
        from wfx.errors import InputError

        value = load_document(document, name).value
        if not isinstance(value, dict):
            raise InputError("a job file is a mapping of the inputs' labels", where=name)
        return dict(value)

    def name_files(self, description: Description, values: Values) -> Values:
        """Turn planemo's collections into arrays and records."""
        from wfx_galaxy.inputs import named

        return named(values)

    def bind(self, description: Description, values: Values) -> Values:
        """Add defaults, and check what a collection's elements are called. Raises InputError."""
        from wfx_galaxy.inputs import check

        assert self.host is not None
        bound = {p.id: p.default for p in description.inputs if p.has_default} | dict(values)
        check(description, bound)
        return bound

    def check(self, description: Description, sizes: Sequence[int]) -> tuple[str, ...]:
        """See `Engine.check`: the server has the tools, and room for the inputs. Raises EngineError."""
        from wfx_galaxy.checking import check_quota, check_tools

        site = self.site
        if site.is_local:
            return ()  # it has its tools when it is started, for the run
        server = self._connected()
        return (
            *check_tools(server, description, other_versions=site.other_versions),
            *check_quota(server, sizes),
        )

    def run(
        self, staged: StagedRun, events: Callable[[StepEvent], None], handle: Callable[[JsonValue], None]
    ) -> EngineResult:
        """See `Engine.run`."""
        return self._go(None, staged, events, handle)

    def attach(
        self, known: JsonValue, staged: StagedRun, events: Callable[[StepEvent], None],
        handle: Callable[[JsonValue], None],
    ) -> EngineResult:  # fmt: skip
        """Go on with what an earlier attempt has on the server: its history, its uploads, its invocation."""
        return self._go(known, staged, events, handle)

    def _go(
        self,
        known: JsonValue,
        staged: StagedRun,
        events: Callable[[StepEvent], None],
        journal: Callable[[JsonValue], None],
    ) -> EngineResult:
        from wfx_galaxy.checking import check_tools
        from wfx_galaxy.invoking import Invocation, begin

        assert self.host is not None
        server, site = self._connected(), self.site
        plan = staged.plan
        if site.is_local:
            check_tools(server, plan.description, other_versions=site.other_versions)
        server.patience = site.patience
        document = (self.host.tree / plan.workflow.entry).read_bytes()
        workflow = read_workflow(document, plan.workflow.entry)

        def keep(value: JsonValue) -> None:
            from wfx_galaxy.invoking import Handle

            self._handle = Handle.read(value, server.base_url)
            journal(value)

        self._handle = begin(server, f"wfx {plan.name}", known, keep)
        return Invocation(server, site, workflow, document, staged, events, keep, self._handle).run()

    def cancel(self) -> None:
        """Cancel the jobs on the server, unless the site says that they are to go on."""
        from wfx_galaxy.invoking import cancel

        if self._server is None or self._handle is None or not self.site.cancel:
            return
        self._server.patience = 0
        try:
            cancel(self._server, self._handle)
        except FetchError as error:
            logger.warning("the jobs on the server could not be cancelled: %s", error)

    def stop(self, known: JsonValue) -> None:
        """See `Engine.stop`."""
        from wfx_galaxy.invoking import Handle, cancel

        server = self._connected()
        handle = Handle.read(known, server.base_url)
        if handle is None:
            raise EngineError(
                "the run has nothing on this server", where=server.base_url, remedy="choose its server with --site"
            )
        cancel(server, handle)

    # -- the server

    def _workflow(self, entry: str) -> GalaxyWorkflow:
        assert self.host is not None
        return read_workflow((self.host.tree / entry).read_bytes(), entry)

    def _connected(self) -> Server:
        if self._server is None:
            from wfx_galaxy.server import Server

            assert self.host is not None
            site = self.site
            if site.is_local:
                self._private = self._start()
                redact.learn(self._private.key)
                net = self.host.net.on_behalf_of(Reference(self._private.url), "run")
                self._server = Server(net, self._private.url, patience=START_PATIENCE, key=self._private.key)
                return self._server
            if not site.url:
                site.refuse()
            net = self.host.net.on_behalf_of(Reference(site.url), "run")
            self._server = Server(net, site.url, patience=START_PATIENCE)
        return self._server

    def _start(self) -> PrivateGalaxy:
        """Start the private server, whose state is the run's."""
        from wfx.providing import environment_python

        from wfx_galaxy.private import start

        assert self.host is not None
        if self.installation is None:
            self.version()
        assert self.installation is not None
        python = environment_python(self.installation, "galaxy")
        self.host.note(f"Galaxy {self.installation.version} is starting on this machine")
        return start(python, self.host.state / "galaxy", tools=self.site.tools, progress=self.host.note)

    def close(self) -> None:
        """Stop the private server, where there is one."""
        if self._private is not None:
            self._private.stop()
            self._private = None
        self._server = None
