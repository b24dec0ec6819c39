"""A right engine for a language of lines, `NAME: shell command`, then wrong ones. They are no tests."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from wfx.engines import (
    Connection,
    Description,
    DocumentReference,
    Engine,
    EngineCapabilities,
    EngineResult,
    Recognition,
    Step,
    StepEvent,
    Tool,
    Wanted,
)
from wfx.errors import DefinitionError, EngineError, MachineError
from wfx.hookspecs import hookimpl
from wfx.records import decode
from wfx.testing.engines import EngineContract
from wfx.values import Parameter, ValueType

CASES: list[tuple[str, type[Engine], str]] = []

DRIVER = """
import datetime, hashlib, json, subprocess, sys
def now(): return datetime.datetime.now(datetime.timezone.utc).isoformat()
def tell(**message): print(json.dumps(message), flush=True)
order = json.loads(sys.stdin.readline())
failed = 0
for name, command in order["steps"]:
    start = now()
    event = {"id": name, "step": name, "tool": name, "state": "started", "time": start, "schema": 1}
    tell(event=event)
    failed = subprocess.run(["sh", "-c", command], cwd=order["outputs"], stdout=subprocess.DEVNULL).returncode
    end = now()
    tell(event={**event, "state": "failed" if failed else "completed", "time": end, "started": start, "ended": end,
                "exit_code": failed, "command": ["sh", "-c", command]})
    if failed:
        break
outputs = {}
if not failed:
    data = open(order["outputs"] + "/out.txt", "rb").read()
    outputs["out"] = {"class": "File", "location": "outputs/out.txt", "basename": "out.txt", "size": len(data),
                      "checksum": "sha256$" + hashlib.sha256(data).hexdigest()}
tell(result={"exit_code": failed, "outputs": outputs})
sys.stdin.read()
"""


class Lines(Engine):
    keys = ("lines.sh",)
    capabilities = EngineCapabilities(language="lines", name="sh", language_name="Lines")

    def __init__(self, host=None):
        super().__init__(host)
        self.channel = None

    @classmethod
    def parse(cls, path):
        steps = []
        for number, line in enumerate(path.read_text().splitlines(), 1):
            name, colon, command = line.partition(":")
            if not colon:
                raise DefinitionError("a colon is missing", where=f"{path.name}:{number}")
            if name != "needs":
                steps.append((name, command.strip()))
        return steps

    @classmethod
    def recognise(cls, tree, entry=""):
        if not entry:
            found = sorted(tree.glob("*.lines"))
            entry = found[0].name if len(found) == 1 else ""
        if not entry.endswith(".lines") or not (tree / entry).is_file():
            return None
        return Recognition(cls.keys[0], entry, "1", f"{entry} ends with .lines")

    @classmethod
    def references(cls, document, name):
        for number, line in enumerate(document.decode().splitlines(), 1):
            if line.startswith("needs:"):
                yield DocumentReference(line.partition(":")[2].strip(), number, "file")

    @classmethod
    def wants(cls, entry, read):
        first = (read(entry) or "").partition("\n")[0]
        return Wanted(first.partition(" version ")[2], entry) if " version " in first else None

    def version(self):
        return "1.0"

    def describe(self, entry, fragment=""):
        steps = self.parse(self.host.tree / entry)
        output = Parameter("out", ValueType("File"))
        return Description(
            self.keys[0], self.version(), "1", entry, outputs=(output,),
            tools=tuple(Tool(name, "command", outputs=(output,)) for name, _ in steps),
            steps=tuple(Step(name, name, number) for number, (name, _) in enumerate(steps)),
            connections=(Connection(f"{steps[-1][0]}/out", "out"),),
        )  # fmt: skip

    def read_inputs(self, document, name):
        return {}

    def run(self, staged, events, handle):
        entry = staged.plan.workflow.entry
        self.launch()
        self.channel.send({
            "steps": [list(step) for step in self.parse(self.host.tree / entry)],
            "outputs": str(staged.directory / "outputs"),
        })  # fmt: skip
        while True:
            answer = self.channel.receive()
            if answer is None:
                raise EngineError("the driver ended without an answer")
            if "event" in answer:
                self.tell(decode(StepEvent, answer["event"]), events, staged)
            else:
                return self.result(answer["result"], staged)

    def launch(self):
        self.channel = self.host.launch([sys.executable, "-I", "-S", "-c", DRIVER])

    def tell(self, event, events, staged):
        events(event)

    def result(self, value, staged):
        code = value["exit_code"]
        error = f"a step ended with {code}" if code else ""
        return EngineResult("failed" if code else "completed", code, value["outputs"], ("sh",), error)

    def close(self):
        if self.channel is not None:
            self.channel.close()
            self.channel = None


class Rules(EngineContract):
    def workflow(self, tree):
        (tree / "main.lines").write_text("needs: ../inputs/a\nfirst: echo one > one.txt\nlast: cat one.txt > out.txt\n")
        return "main.lines"

    def values(self, bench):
        bench.file("a", b"a")
        return {}

    def failing(self, tree):
        (tree / "fail.lines").write_text("bad: exit 3\n")
        return "fail.lines"

    def broken(self, tree):
        (tree / "broken.lines").write_text("fine: true\nno colon here\n")
        return "broken.lines"

    def telltale(self, tree, marker):
        (tree / "tell.lines").write_text(f"tell: touch {marker}\n")
        return "tell.lines"


def wrong(rule):
    def enter(cls):
        cls.keys = (f"lines.{cls.__name__.lower()}",)
        CASES.append((cls.__name__, cls, rule))
        return cls

    return enter


@wrong("test_it_recognises_its_own_with_evidence")
class Mute(Lines):
    @classmethod
    def recognise(cls, tree, entry=""):
        found = super().recognise(tree, entry)
        return found and replace(found, evidence="")


@wrong("test_what_is_foreign_is_not_recognised")
class Greedy(Lines):
    @classmethod
    def recognise(cls, tree, entry=""):
        return super().recognise(tree, entry) or (
            Recognition(cls.keys[0], entry, "1", "it is a file") if (tree / entry).is_file() else None
        )


@wrong("test_what_is_foreign_is_not_recognised")
class Raising(Lines):
    @classmethod
    def recognise(cls, tree, entry=""):
        if entry and not (tree / entry).exists():
            raise DefinitionError("no such workflow")
        return super().recognise(tree, entry)


@wrong("test_recognition_runs_nothing")
class Eager(Lines):
    @classmethod
    def recognise(cls, tree, entry=""):
        found = super().recognise(tree, entry)
        if found and found.entry == "tell.lines":
            subprocess.run(["sh", "-c", cls.parse(tree / found.entry)[0][1]], check=False)
        return found


@wrong("test_what_a_workflow_declares_is_read_and_never_run")
class Trying(Lines):
    @classmethod
    def wants(cls, entry, read):
        if entry == "tell.lines":
            subprocess.run(["sh", "-c", read(entry).partition(":")[2]], check=False)


@wrong("test_what_a_workflow_declares_is_read_and_never_run")
class Guessing(Lines):
    @classmethod
    def wants(cls, entry, read):
        return Wanted(">=1", "versions.txt") if read(entry) else None


@wrong("test_what_a_workflow_declares_is_read_and_never_run")
class Picky(Lines):
    @classmethod
    def fits(cls, version, wanted):
        return version == wanted


@wrong("test_references_stand_where_it_says")
class FromZero(Lines):
    @classmethod
    def references(cls, document, name):
        for found in super().references(document, name):
            yield replace(found, line=found.line - 1)


@wrong("test_a_description_is_whole")
class Toolless(Lines):
    def describe(self, entry, fragment=""):
        return replace(super().describe(entry, fragment), tools=())

    def tell(self, event, events, staged):
        events(replace(event, tool=""))


@wrong("test_a_description_is_whole")
class TwiceTheSame(Lines):
    def describe(self, entry, fragment=""):
        found = super().describe(entry, fragment)
        return replace(found, steps=(*found.steps, found.steps[0]))


@wrong("test_a_description_is_whole")
class LeadingNowhere(Lines):
    def describe(self, entry, fragment=""):
        return replace(super().describe(entry, fragment), connections=(Connection("none/out", "out"),))


@wrong("test_a_broken_workflow_is_a_definition_error")
class Lost(Lines):
    def describe(self, entry, fragment=""):
        try:
            return super().describe(entry, fragment)
        except DefinitionError as error:
            raise DefinitionError("it is not valid") from error


@wrong("test_the_version_is_known_before_a_run")
class Chatty(Lines):
    def version(self):
        return "version 1.0\nCopyright somebody"


@wrong("test_a_run_leaves_its_outputs")
class Inexact(Lines):
    def result(self, value, staged):
        for item in value["outputs"].values():
            item["size"] += 1
        return super().result(value, staged)


@wrong("test_a_run_leaves_its_outputs")
class Undescribed(Lines):
    def result(self, value, staged):
        if value["outputs"]:
            value["outputs"]["more"] = value["outputs"]["out"]
        return super().result(value, staged)


@wrong("test_each_start_has_one_end")
class Endless(Lines):
    def tell(self, event, events, staged):
        if (event.id, event.state) != ("first", "completed"):
            events(event)


@wrong("test_each_start_has_one_end")
class EndsTwice(Lines):
    def tell(self, event, events, staged):
        events(event)
        if event.state == "completed":
            events(event)


@wrong("test_each_execution_has_an_id_of_its_own")
class Repeating(Lines):
    def tell(self, event, events, staged):
        events(event)
        if event.state == "started":
            events(event)


@wrong("test_events_name_what_is_described")
class Inventive(Lines):
    def tell(self, event, events, staged):
        events(replace(event, step=f"the-{event.step}"))


@wrong("test_times_have_a_zone_and_an_order")
class Zoneless(Lines):
    def tell(self, event, events, staged):
        events(replace(event, time=event.time[:19], started=event.started[:19], ended=event.ended[:19]))


@wrong("test_times_have_a_zone_and_an_order")
class Backwards(Lines):
    def tell(self, event, events, staged):
        events(replace(event, started=event.ended, ended=event.started))


@wrong("test_no_path_of_the_machine_is_told")
class Local(Lines):
    def tell(self, event, events, staged):
        events(replace(event, command=(*event.command, str(staged.directory / "outputs"))))


@wrong("test_no_path_of_the_machine_is_told")
class AbsoluteOutputs(Lines):
    def result(self, value, staged):
        for item in value["outputs"].values():
            item["location"] = f"file:///somewhere/{item['location']}"
        return super().result(value, staged)


@wrong("test_inputs_and_workflow_are_left_as_they_are")
class Untidy(Lines):
    def launch(self):
        (self.host.tree / "cache").write_bytes(b"")
        super().launch()


@wrong("test_a_failing_workflow_is_a_result")
class Throwing(Lines):
    def result(self, value, staged):
        if value["exit_code"]:
            raise EngineError("a step failed")
        return super().result(value, staged)


@wrong("test_a_failing_workflow_is_a_result")
class Silent(Lines):
    def result(self, value, staged):
        return replace(super().result(value, staged), error="")


@wrong("test_closing_ends_all_processes")
class Leaving(Lines):
    def close(self):
        self.left = self.channel


@wrong("test_a_driver_that_dies_is_an_engine_error")
class Confused(Lines):
    def run(self, staged, events, handle):
        try:
            return super().run(staged, events, handle)
        except EngineError as error:
            raise MachineError(str(error)) from error


@wrong("test_its_keys_are_the_entry_points")
class OtherLanguage(Lines):
    capabilities = replace(Lines.capabilities, language="rows")


@hookimpl
def wfx_engines():
    return [Lines, *(cls for _, cls, _ in CASES)]


RightLines = type("RightLines", (Rules,), {"engine": Lines, "__module__": __name__})
for _name, _cls, _ in CASES:
    globals()[f"Wrong{_name}"] = type(f"Wrong{_name}", (Rules,), {"engine": _cls, "__module__": __name__})
