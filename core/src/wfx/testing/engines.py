"""The contract of engines; `EngineBench` is of use to other tests of theirs too.

::

    class TestScript(EngineContract):
        engine = ScriptEngine

        def workflow(self, tree):
            (tree / "hello.script").write_text("greet: echo hello > greeting.txt")
            return "hello.script"

        def failing(self, tree):
            (tree / "bad.script").write_text("fail: exit 3")
            return "bad.script"

        def broken(self, tree):
            (tree / "broken.script").write_text("no colon")
            return "broken.script"

        def telltale(self, tree, marker):
            (tree / "tell.script").write_text(f"tell: touch {marker}")
            return "tell.script"
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from wfx.engines import Channel, Description, Engine, Installation
from wfx.errors import DefinitionError, EngineError
from wfx.hosts import EngineHost
from wfx.planning import Plan, PlannedWorkflow
from wfx.records import decode, encode
from wfx.references import Reference
from wfx.running import ENDS
from wfx.staging import Lock, StagedRun
from wfx.testing.contracts import check_keys, files_below
from wfx.testing.enginebench import EngineBench, Outcome
from wfx.testing.processes import wait_until
from wfx.testing.requirements import require
from wfx.values import JsonValue, Values
from wfx.valuetypes import map_files

__all__ = ["EngineBench", "EngineContract", "Outcome"]

KINDS = frozenset({"command", "expression", "workflow", "operation"})


class EngineContract:
    """What wfx relies on in an engine; a subclass gives the class and four small workflows.

    The rules, each a test of its own:

    - it recognises its own, with evidence, and nothing else; to recognise, to look for references and for what is said
      of the engine's version runs nothing; references stand in the lines that it says;
    - a description is whole: every name in it leads to something in it, it survives being stored, and a workflow that
      is not valid is a DefinitionError that names the document;
    - a run that succeeds has outputs that are there, with size and digest; one that fails is a result, no exception;
    - events: each start has one end, each id belongs to one execution, times have a zone and an order, what they name
      stands in the description, no path of the machine is in them or in the result;
    - workflow and inputs are left as they are; closing ends all processes; a driver that dies is an EngineError;
    - the keys are `LANGUAGE.ENGINE`, and the names of the package's entry points.

    One successful run serves the rules that only look at it.
    """

    engine: ClassVar[type[Engine]]
    settings: ClassVar[Mapping[str, JsonValue]] = {}
    sandbox: ClassVar[str] = "none"
    _finished: ClassVar[tuple[EngineBench, Outcome, bool] | None]

    # -- what the author gives

    def workflow(self, tree: Path) -> str:
        """Write a workflow with at least one step and one output file; return its main document."""
        raise NotImplementedError

    def failing(self, tree: Path) -> str:
        """Write one that is valid, and whose step fails."""
        raise NotImplementedError

    def broken(self, tree: Path) -> str:
        """Write one that is not valid."""
        raise NotImplementedError

    def telltale(self, tree: Path, marker: Path) -> str:
        """Write one that makes the file `marker` if anything of it is run, or evaluated."""
        raise NotImplementedError

    def values(self, bench: EngineBench) -> Values:
        """Return the inputs of `workflow` (`EngineBench.file` puts one in its place)."""
        return {}

    def installation(self) -> Installation | None:
        """Return the version of the program that is tested, where it is one that wfx keeps."""
        return None

    # -- the bench

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[EngineBench]:
        """Return a bench with nothing on it yet."""
        with self._bench(tmp_path / "run") as bench:
            yield bench

    def _bench(self, folder: Path) -> EngineBench:
        return EngineBench(
            folder, self.engine, settings=self.settings, sandbox=self.sandbox, installation=self.installation()
        )

    @pytest.fixture
    def finished(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> tuple[EngineBench, Outcome, bool]:
        """Return the successful run that most rules look at, and whether it left workflow and inputs alone."""
        cls = type(self)
        if "_finished" not in cls.__dict__:
            bench = self._bench(tmp_path_factory.mktemp("finished") / "run")
            # It is run once for the class, and ends with it.
            owner = request.node.getparent(pytest.Class)
            cls._finished = None

            def end() -> None:
                bench.close()
                del cls._finished

            owner.addfinalizer(end)
            entry, values = self.workflow(bench.tree), self.values(bench)
            before = _originals(bench)
            outcome = bench.run(entry, values)
            cls._finished = (bench, outcome, _originals(bench) == before)
        assert cls._finished is not None, "the run that this rule looks at did not come to its end"
        return cls._finished

    # -- recognition

    def test_it_recognises_its_own_with_evidence(self, bench: EngineBench) -> None:
        """Claim a workflow of the language with its key, and say in one line why."""
        entry = self.workflow(bench.tree)
        found = self.engine.recognise(bench.tree, entry)
        assert found is not None, "it does not recognise its own workflow"
        assert (found.engine in self.engine.keys, found.entry) == (True, entry)
        assert found.evidence
        assert "\n" not in found.evidence

    def test_what_is_foreign_is_not_recognised(self, bench: EngineBench) -> None:
        """Claim neither what is no workflow nor what is not there, and raise nothing about it."""
        for name, content in (("notes.txt", b"dear diary\n"), ("image.png", b"\x89PNG\r\n\x1a\n\0\0"), ("empty", b"")):
            bench.write(name, content)
            assert self.engine.recognise(bench.tree, name) is None
        assert self.engine.recognise(bench.tree) is None
        assert self.engine.recognise(bench.tree, "not-there") is None

    def test_recognition_runs_nothing(self, bench: EngineBench, tmp_path: Path) -> None:
        """Read a document to recognise it and to find its references; run and evaluate nothing of it."""
        marker = tmp_path / "it-ran"
        entry = self.telltale(bench.tree, marker)
        self.engine.recognise(bench.tree, entry)
        self.engine.recognise(bench.tree)
        list(self.engine.references((bench.tree / entry).read_bytes(), entry))
        assert not marker.exists(), "something of the workflow was run"
        assert bench.host.channels == [], "a driver was started"

    def test_what_a_workflow_declares_is_read_and_never_run(self, bench: EngineBench, tmp_path: Path) -> None:
        """Find what is said of the engine's version by reading, in a document that is there, in words that `fits` knows."""
        marker = tmp_path / "it-ran"

        def read(path: str) -> str | None:
            file = bench.tree / path
            return file.read_text("utf-8", "replace") if path and file.is_file() else None

        for entry in (self.telltale(bench.tree, marker), self.workflow(bench.tree), self.broken(bench.tree)):
            wanted = self.engine.wants(entry, read)
            if wanted is not None:
                assert read(wanted.where) is not None, f"it read {wanted.where}, which is not there"
                assert wanted.text, "it wants nothing, and says so"
                assert isinstance(self.engine.fits("1.0", wanted.text), bool)
        assert self.engine.wants("not-there", lambda path: None) is None
        assert self.engine.fits("1.0", ""), "where nothing is wanted any version is right"
        assert not marker.exists(), "something of the workflow was run"
        assert bench.host.channels == [], "a driver was started"

    def test_references_stand_where_it_says(self, bench: EngineBench) -> None:
        """Give each place that names another thing with its line, counted from 1, and a role that is known."""
        document = (bench.tree / self.workflow(bench.tree)).read_bytes()
        lines = document.decode("utf-8", "replace").splitlines()
        for reference in self.engine.references(document, "document"):
            assert 1 <= reference.line <= len(lines)
            assert reference.role in ("document", "text", "file", "directory", "schema")
            assert reference.text

    # -- description

    def test_a_description_is_whole(self, finished: tuple[EngineBench, Outcome, bool]) -> None:
        """Give every id once, let every name lead to something in the description, and survive being stored."""
        described = finished[1].description
        assert described.engine in self.engine.keys
        assert (finished[0].tree / described.entry).is_file()
        for kind, ids in (
            ("inputs", [parameter.id for parameter in described.inputs]),
            ("outputs", [parameter.id for parameter in described.outputs]),
            ("tools", [tool.id for tool in described.tools]), ("steps", [step.id for step in described.steps]),
        ):  # fmt: skip
            assert len(set(ids)) == len(ids), f"two {kind} have one id"
            assert all(ids), f"one of the {kind} has no id"
        tools = {tool.id for tool in described.tools}
        assert {step.tool for step in described.steps} <= tools, "a step runs a tool that is not described"
        assert {tool.kind for tool in described.tools} <= KINDS
        for connection in described.connections:
            scope = f"{connection.scope}/" if connection.scope else ""
            for end in (connection.source, connection.target):
                step, slash, _ = end.rpartition("/")
                assert not slash or f"{scope}{step}" in {each.id for each in described.steps}, f"{end} leads nowhere"
        assert decode(Description, json.loads(json.dumps(encode(described)))) == described

    def test_a_broken_workflow_is_a_definition_error(self, bench: EngineBench) -> None:
        """Say of a workflow that is not valid which document it is; the message is one line."""
        entry = self.broken(bench.tree)
        with pytest.raises(DefinitionError) as caught:
            bench.describe(entry)
        assert Path(entry).name in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_the_version_is_known_before_a_run(self, bench: EngineBench) -> None:
        """Say the version of the engine's program in one line, without a driver."""
        version = bench.engine.version()
        assert version
        assert "\n" not in version
        assert bench.host.channels == []

    # -- runs

    def test_a_run_leaves_its_outputs(self, finished: tuple[EngineBench, Outcome, bool]) -> None:
        """End as `completed` with 0, and give outputs that lie in the run directory with their size and digest."""
        bench, outcome, _ = finished
        assert (outcome.result.status, outcome.result.exit_code) == ("completed", 0), outcome.result.error
        names = {parameter.id for parameter in outcome.description.outputs}
        assert set(outcome.result.outputs) <= names, "an output is not in the description"
        found = _files(outcome.result.outputs)
        assert found, "the workflow of a contract has an output file"
        for item in found:
            location = str(item.get("location", ""))
            if item["class"] != "File" or "://" in location or location.startswith("/"):
                continue  # of paths another rule speaks
            data = (bench.path / location).read_bytes()
            assert not (bench.path / location).is_symlink()
            assert item["size"] == len(data)
            algorithm, _, digest = str(item["checksum"]).partition("$")
            assert digest == hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()

    def test_each_start_has_one_end(self, finished: tuple[EngineBench, Outcome, bool]) -> None:
        """Tell of each execution once that it began and once that it ended, in this order."""
        open_, ended = set(), set()
        for event in finished[1].events:
            assert event.state in {"started", *ENDS}
            if event.state == "started":
                open_.add(event.id)
            else:
                assert event.id in open_ or event.state in ("skipped", "cached"), f"{event.id} ended and never began"
                assert event.id not in ended, f"{event.id} ended twice"
                ended.add(event.id)
        assert open_ <= ended, f"{open_ - ended} never ended"
        if self.engine.capabilities.steps:
            assert ended, "its capabilities promise steps, and there was none"

    def test_each_execution_has_an_id_of_its_own(self, finished: tuple[EngineBench, Outcome, bool]) -> None:
        """Give no two executions one id, and let `parent` be the id of one."""
        events = finished[1].events
        starts = [event.id for event in events if event.state == "started"]
        assert len(set(starts)) == len(starts), "two executions have one id"
        assert all(event.id for event in events)
        assert {event.parent for event in events if event.parent} <= {event.id for event in events}

    def test_events_name_what_is_described(self, finished: tuple[EngineBench, Outcome, bool]) -> None:
        """Let `step` and `tool` be ids of the description."""
        described, events = finished[1].description, finished[1].events
        assert {event.step for event in events if event.step} <= {step.id for step in described.steps}
        if described.tools:
            assert {event.tool for event in events if event.tool} <= {tool.id for tool in described.tools}

    def test_times_have_a_zone_and_an_order(self, finished: tuple[EngineBench, Outcome, bool]) -> None:
        """Give times as ISO 8601 with a zone; what ends has begun before."""
        for event in finished[1].events:
            times = [event.time] if event.state == "started" else [event.started, event.ended]
            if event.state == "skipped":
                times = [event.time]
            read = [datetime.datetime.fromisoformat(time) for time in times]
            assert all(time.tzinfo is not None for time in read), f"{times} have no zone"
            assert read == sorted(read), f"{event.id} ended before it began"

    def test_no_path_of_the_machine_is_told(self, finished: tuple[EngineBench, Outcome, bool]) -> None:
        """Tell only paths that are relative to the run directory: they go into the crate."""
        bench, outcome, _ = finished
        told = json.dumps([encode(outcome.events), encode(outcome.result)])
        for place in {str(bench.path), str(bench.path.resolve()), str(Path.home()), str(bench.host.state)}:
            assert place == "/" or place not in told, "a path of this machine is told"
        for item in [*_files(outcome.result.outputs), *(i for e in outcome.events for i in _files(dict(e.outputs)))]:
            location = str(item.get("location", ""))
            assert not location.startswith(("/", "file:")), f"{location} is absolute"

    def test_inputs_and_workflow_are_left_as_they_are(
        self, finished: tuple[EngineBench, Outcome, bool]
    ) -> None:  # fmt: skip
        """Change, add and remove nothing below `workflow/` and `inputs/`."""
        assert finished[2], "the run changed its workflow or its inputs"

    def test_a_failing_workflow_is_a_result(self, bench: EngineBench) -> None:
        """Return `failed` with an exit code and the reason where a step fails; raise nothing."""
        outcome = bench.run(self.failing(bench.tree))
        assert outcome.result.status == "failed"
        assert outcome.result.exit_code != 0
        assert outcome.result.error, "nobody says why"

    def test_closing_ends_all_processes(self, bench: EngineBench) -> None:
        """Leave no process behind; to close twice, or what was never used, is nothing."""
        require(Path("/proc/self/stat").exists(), "processes are looked for in /proc")
        self.engine(bench.host).close()
        before = _descendants()
        bench.run(self.workflow(bench.tree), self.values(bench))
        bench.engine.close()
        bench.engine.close()
        wait_until(lambda: _descendants() <= before, "the engine's processes are gone", 5.0)

    def test_a_driver_that_dies_is_an_engine_error(self, bench: EngineBench) -> None:
        """Raise EngineError where the driver is gone, and wait for nothing."""
        entry, values = self.workflow(bench.tree), self.values(bench)
        description = bench.describe(entry)
        bench.engine.close()
        dead = self.engine(_DeadHost(bench.host))
        reference = Reference.of_path(bench.tree / entry)
        plan = Plan("bench", PlannedWorkflow(reference, reference, entry), description, dead.bind(description, values))
        with pytest.raises(EngineError):
            dead.run(StagedRun(bench.path, plan, Lock("0" * 64, ())), lambda event: None, lambda handle: None)
        dead.close()

    def test_its_keys_are_the_entry_points(self) -> None:
        """Name in pyproject.toml what the class has as `keys`, as `LANGUAGE.ENGINE`."""
        check_keys(self.engine, "engine")
        capabilities = self.engine.capabilities
        assert {key.partition(".")[0] for key in self.engine.keys} == {capabilities.language}
        assert all(key.partition(".")[2] for key in self.engine.keys)
        assert capabilities.name
        assert capabilities.language_name


def _originals(bench: EngineBench) -> dict[str, tuple[int, int, int]]:
    return {
        f"{place.name}/{path}": about
        for place in (bench.directory.workflow, bench.directory.inputs)
        for path, about in files_below(place).items()
    }


def _files(values: Values) -> list[dict[str, JsonValue]]:
    found: list[dict[str, JsonValue]] = []

    def note(item: dict[str, JsonValue], path: tuple[str | int, ...]) -> JsonValue:
        found.append(item)
        return item

    map_files(values, note)
    return found


def _descendants() -> set[int]:
    """Return the ids of all processes below this one that are no zombies."""
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                state, parent = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if state != "Z":
                parents[int(name)] = int(parent)
    found, new = set[int](), {os.getpid()}
    while new:
        new = {pid for pid, parent in parents.items() if parent in new} - found
        found |= new
    return found


class _DeadHost:
    """A host whose drivers are dead when they come."""

    def __init__(self, host: EngineHost) -> None:
        self.settings: Mapping[str, JsonValue] = host.settings
        self.tree, self.state, self.logs = host.tree, host.state, host.logs
        self.aliases: Mapping[str, str] = host.aliases
        self.offline, self.installation, self.net = host.offline, host.installation, host.net

    def note(self, text: str) -> None:
        """Nobody looks."""

    def launch(
        self, command: Sequence[str], env: Mapping[str, str] | None = None, readable: Sequence[Path] = ()
    ) -> Channel:
        return _DeadChannel()


class _DeadChannel:
    def send(self, message: Mapping[str, JsonValue]) -> None:
        """Take it, as a pipe does whose reader dies a moment later."""

    def receive(self) -> dict[str, JsonValue] | None:
        return None

    def close(self) -> int:
        return 1
