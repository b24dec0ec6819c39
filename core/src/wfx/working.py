"""One definition on its way: collected, described, planned, fetched, staged and run, and its run directory chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wfx import closures, expectedoutputs, planning, preparing, running, staging
from wfx.about import merged
from wfx.choosing import Choice, bare_engine, choose_for, settings_of
from wfx.closures import Closure
from wfx.defaults import named_by_default
from wfx.definitions import Definition
from wfx.engineoptions import TEXT, with_texts
from wfx.engines import Description, Engine
from wfx.errors import UsageError
from wfx.expectedoutputs import ExpectedOutput
from wfx.fetching import Fetched
from wfx.inputs import as_given
from wfx.outcomes import Options, Outcome, Reporter, finished
from wfx.planning import NONE, Plan, PlannedImage
from wfx.records import digest
from wfx.references import Reference
from wfx.rundirs import RunDirectory
from wfx.sandbox import Sandbox, needs_trust
from wfx.session import Session
from wfx.staging import Lock, StagedImage
from wfx.treepaths import safe_name

if TYPE_CHECKING:
    from wfx.executing import ReadyExporter
    from wfx.imageneeds import ImageSource


class Work:
    """One definition on its way; the attributes are filled in the order of the methods."""

    def __init__(
        self, definition: Definition, session: Session, options: Options, reporter: Reporter, stack: ExitStack
    ) -> None:
        self.definition, self.session, self.options, self.reporter, self.stack = (
            definition,
            session,
            options,
            reporter,
            stack,
        )
        self.sandbox = Sandbox.choose(session.config.get_str("sandbox"))
        self.directory: RunDirectory | None = None
        self.engine: Engine | None = None
        self.exporter: ReadyExporter | None = None
        self.closure: Closure
        self.choice: Choice
        self.description: Description
        self.images: dict[str, ImageSource] = {}

    # -- to the plan

    def describe(self, *, claim: bool, only: bool = False) -> None:
        """Collect the workflow and describe it.

        With `claim`, a fresh run directory is taken for the engine to start in; with `only`, nothing is to be run, so
        that a server is not asked for.
        """
        definition, session = self.definition, self.session
        self.reporter.phase(f"reading {definition.workflow}")
        scratch = session.scratch()
        if definition.crate is not None:
            self.closure = definition.crate.closure(
                engine=definition.engine, scratch=scratch, allow_local=self.options.allow_local
            )
        else:
            self.closure = closures.collect(
                definition.workflow,
                session,
                engine=definition.engine,
                scratch=scratch,
                allow_local=self.options.allow_local,
            )
        self.definition = definition = with_texts(definition, self.closure.engine, session)
        elsewhere = self.closure.engine.capabilities.remote
        if elsewhere and not only:
            refuse_offline(self.closure.engine, session)
        elif not elsewhere:
            needs_trust(
                sandboxed=self.sandbox.active, workflow_is_local=self.closure.local,
                trusted=trusted_by(self.closure.pinned, self.options, session),
            )  # fmt: skip
        unknown = Choice("") if elsewhere and only else None
        self.choice = unknown or choose_for(self.closure, session, definition.engine_version)
        version = self.choice.version
        self.request = digest(
            [
                definition.workflow.safe(),
                definition.fingerprint(),
                self.closure.recognition.engine,
                dict(definition.options),
            ]
        )
        self.name = definition.name or safe_name(_short_name(self.closure))
        if claim:
            self.directory = self._claim_fresh()
        known = planning.known_description(self.closure, version, session, self.describing)
        if known is None:
            self.reporter.phase(f"describing it with {self.closure.engine.capabilities.name} {version}")
            known = self._ask_engine(scratch)
            planning.remember_description(self.closure, version, known, session, self.describing)
        about = merged((known.about, self.closure.about))
        self.description = replace(
            known, about=about, licence=known.licence or about.licence or None, doc=known.doc or about.description
        )

    def _bare_engine(self) -> Engine:
        """Return an engine for the methods that start no process."""
        engine = bare_engine(self.closure.engine, self.session, self.choice.installation)
        engine.options = self.describing
        return engine

    @property
    def describing(self) -> dict[str, str]:
        """The options of the definition that change what the workflow is."""
        able = self.closure.engine.capabilities
        wanted = (*able.describing, *(name + TEXT for name in able.files))
        return {name: value for name, value in self.definition.options.items() if name in wanted}

    def _ask_engine(self, scratch: Path) -> Description:
        from wfx import executing
        from wfx.hosts import EngineHost

        closure = self.closure
        settings = settings_of(closure.engine, self.session)
        if self.directory is not None:
            staging.place_workflow(closure.documents, closure.sources, self.directory.workflow, self.session.store)
            host = executing.host_for(
                self.directory, closure.engine, self.sandbox, closure.aliases, self.session,
                installation=self.choice.installation,
            )  # fmt: skip
            self.engine = closure.engine(host)
            self.engine.options = self.describing
            self.stack.callback(self.engine.close)
            if not self.options.stage_only:
                self.exporter = executing.ReadyExporter(self.session)
            return self.engine.describe(closure.entry, closure.fragment)
        aside = EngineHost.in_folder(
            scratch / "describe", sandbox=self.sandbox, settings=settings, aliases=closure.aliases,
            offline=self.session.offline, installation=self.choice.installation, net=self.session.net,
            progress=self.session.progress,
        )  # fmt: skip
        staging.place_workflow(closure.documents, closure.sources, aside.tree, self.session.store)
        engine = closure.engine(aside)
        engine.options = self.describing
        try:
            return engine.describe(closure.entry, closure.fragment)
        finally:
            engine.close()

    def plan(self, *, probe: bool) -> Plan:
        """Resolve the inputs; everything about them is checked before anything is fetched."""
        engine = self.engine or self._bare_engine()
        values = self.definition.values(self.description, engine, self.session)
        named = {} if self.closure.local else named_by_default(self.description, values, self.closure.reference)
        named |= self.definition.crate.named if self.definition.crate is not None else {}
        staging.open_inputs(engine, self.description, values, self.session, named)
        runtime, images, warnings = self._images(probe=probe) if self.description.images else (NONE, (), [])
        outputs, told = self._outputs()
        warnings = [*self.definition.notes, *filter(None, [self.choice.warning]), *warnings, *told]
        return planning.make_plan(
            self.closure, self.description, values, engine, self.session, name=self.name, request=self.request,
            containers=(runtime,), images=images, warnings=warnings, options=dict(self.definition.options), probe=probe,
            named=named, program=self.choice.planned, outputs=outputs,
        )  # fmt: skip

    def _outputs(self) -> tuple[tuple[ExpectedOutput, ...], list[str]]:
        """Return what is expected of the outputs, which a crate of ours says of what is run from it too."""
        definition = self.definition
        expected, document = definition.outputs, definition.document
        if definition.crate is not None and definition.crate.exact is not None:
            expected = definition.crate.exact.plan.outputs
        ours = document is not None and not definition.from_wfexs
        return expectedoutputs.settle(
            expected, self.description.outputs, lambda name: document.where(("outputs", name)) if document else "",
            strict=ours,
        )  # fmt: skip

    def _images(self, *, probe: bool) -> tuple[str, tuple[PlannedImage, ...], list[str]]:
        """Choose the runtime for the images that the workflow asks for, and pin them; say what the user should know."""
        from wfx import imageneeds, imagepins, runtimes

        order = self.definition.containers
        if tuple(order) != (NONE,):
            crate = self.definition.crate
            carried = crate.carried_images() if crate is not None else {}
            self.images = imageneeds.find(
                self.description, self.closure, allow_local=self.options.allow_local, carried=carried
            )
            if crate is not None:
                self.images = crate.as_recorded(self.images)
        sifs = [name for name, source in self.images.items() if source.is_sif]
        runtime, without = runtimes.choose(self.description, order, self.closure.engine, self.session, sifs)
        if runtime == NONE:
            return NONE, (), [f"it runs without the containers that it suggests: {without}"] if without else []
        images, told = imagepins.pin(self.images, self.session, probe=probe)
        return runtime, images, [*told, *runtimes.about_network(self.description, self.session)]

    # -- to the end

    def run(self) -> Outcome:
        """Go all the way."""
        with self.session.store.in_use():
            directory, plan, lock, fetched = self._fetch()
            known = finished(directory, plan, lock, self.options)
            if known is not None and known.record is not None:
                record = running.keep_policy(directory, known.record, plan)
                for warning in record.warnings:
                    self.reporter.warn(warning)
                return replace(known, plan=record.plan, record=record)
            try:
                self._stage(directory, plan, lock, fetched)
            except BaseException:
                self._abandon()
                raise
        staging.forget_what_is_not_kept(plan, fetched, self.session.store)
        if self.options.stage_only:
            return Outcome(directory.path, directory.state.run, plan, lock)
        from wfx import executing

        record = executing.execute(
            directory, plan, lock, self.closure.engine, self.engine, self.sandbox, self.session, self.reporter,
            self.exporter, self.choice.installation,
        )  # fmt: skip
        return Outcome(directory.path, directory.state.run, plan, lock, record)

    def _fetch(self) -> tuple[RunDirectory, Plan, Lock, list[Fetched]]:
        """Bring everything into the store, and take the run's directory."""
        try:
            self.describe(claim=True)
            plan, fetched, lock = self.bring()
            directory = self.directory or self._claim_existing(lock)
            self.directory = directory
            return directory, plan, lock, fetched
        except BaseException:
            self._abandon()
            raise

    def bring(self) -> tuple[Plan, list[Fetched], Lock]:
        """Bring inputs and images into the store."""
        plan = self.plan(probe=False)
        for warning in plan.warnings:
            self.reporter.warn(warning)
        self.reporter.phase(f"fetching {len(plan.files)} inputs" if plan.files else "no files to fetch")
        fetched = staging.fetch_inputs(plan, self.session)
        stored: tuple[StagedImage, ...] = ()
        if plan.images:
            from wfx import imagepins

            self.reporter.phase(f"fetching {len(plan.images)} container images")
            behalf = None if self.closure.local else self.closure.reference
            images, stored = imagepins.fetch(plan.images, self.images, self.session, plan.containers, behalf)
            plan = replace(plan, images=images)
        return plan, fetched, staging.make_lock(plan, fetched, stored)

    def bare(self) -> Engine:
        """Return an engine for the methods that start no process."""
        return self._bare_engine()

    def _abandon(self) -> None:
        """Leave nothing half-written: what was fetched is in the store, a directory that is new is ours."""
        if self.directory is not None and self.directory.fresh:
            if self.engine is not None:
                self.engine.close()  # it still writes there
            self.directory.abandon()

    def _stage(self, directory: RunDirectory, plan: Plan, lock: Lock, fetched: Sequence[Fetched]) -> None:
        self.reporter.phase(f"staging into {directory.path}")
        if self.options.force and not directory.fresh:
            directory.restart()
        if directory.state.status in ("created", "planned"):
            staging.check_space(plan, directory.path)
            if self.engine is None:
                directory.clear("workflow")
                staging.place_workflow(
                    self.closure.documents, self.closure.sources, directory.workflow, self.session.store
                )
            directory.clear("inputs")
            # Hard links of the store's copies are safe only under the sandbox's read-only mount.
            staging.place_inputs(plan, fetched, directory.path, self.session.store, link=self.sandbox.active)
            preparing.prepare(
                directory, plan, self.closure, self.sandbox, self.session, options=self.describing,
                installation=self.choice.installation, tell=self.reporter.phase,
            )  # fmt: skip
        directory.save("plan", plan)
        directory.save("lock", lock)
        running.write_public(directory, plan, lock)
        given = as_given(self.definition.inputs_file, {item.reference.uri: item.path for item in plan.files})
        if given is not None:
            directory.write_atomic(*given)
        directory.advance("staged", identity=lock.identity)

    # -- the run directory

    def _candidates(self) -> Iterator[Path]:
        if self.options.outdir is not None:
            yield self.options.outdir
            return
        base = self.options.runs / f"{self.name}-{self.request[:8]}"
        yield base
        for number in range(2, 10_000):
            yield base.with_name(f"{base.name}-{number}")

    def _claim_fresh(self) -> RunDirectory | None:
        """Take the first candidate if nobody has used it yet."""
        path = next(self._candidates())
        directory = RunDirectory.claim(path, request=self.request, name=self.name)
        if directory.fresh:
            self.stack.callback(directory.release)
            return directory
        directory.release()
        return None

    def _claim_existing(self, lock: Lock) -> RunDirectory:
        """Take the directory of this very run, or the next free one."""
        for path in self._candidates():
            directory = RunDirectory.claim(path, request=self.request, name=self.name)
            if directory.fresh or directory.state.identity in (None, lock.identity):
                self.stack.callback(directory.release)
                return directory
            directory.release()
        raise UsageError(
            f"{self.options.outdir} holds another run", why="its workflow, inputs or options differ",
            remedy="choose another directory with -o, or remove that run with `wfx runs rm`",
        )  # fmt: skip


def refuse_offline(engine: type[Engine], session: Session) -> None:
    """Raise UsageError where a run needs its server and the network is switched off."""
    if session.offline:
        raise UsageError(
            f"--offline cannot be: {engine.capabilities.name} runs on its server",
            remedy="run without --offline; what is staged is not fetched again",
        )


def trusted_by(reference: Reference, options: Options, session: Session) -> bool:
    """Say whether the user trusts a workflow to run without a sandbox."""
    return options.trust or any(reference.uri.startswith(prefix) for prefix in session.config.get_list("trust"))


def _short_name(closure: Closure) -> str:
    if closure.fragment and closure.fragment != "main":
        return closure.fragment
    stem = Path(closure.entry).stem
    if stem.lower() in ("main", "workflow", "wf", "snakefile") and closure.reference.name:
        # Half of all workflows are called main: the folder or repository says more.
        uri = closure.reference.uri.partition("#")[0].partition("@")[0] if closure.revision else ""
        name = Reference(uri).name if uri else closure.reference.path.parent.name if closure.local else stem
        return name.removesuffix(".git") or stem
    return stem
