"""Explain why a run was not reused, or what differs between two: in words, the cause before its consequences."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wfx.comparing.judging import Circumstance, Comparison, judge
from wfx.comparing.sides import side_of
from wfx.comparing.steps import StepDifference, differences, steps_of
from wfx.crates.contents import choose_action, main_workflow
from wfx.crates.opening import find_crate
from wfx.errors import DefinitionError, UsageError, WfxError
from wfx.planning import Plan
from wfx.rundirs import STATE, load_record
from wfx.running import RunRecord
from wfx.runs import RegisteredRun
from wfx.staging import WITHOUT_EFFECT, Lock
from wfx.values import JsonValue
from wfx.valuetypes import map_files

if TYPE_CHECKING:
    from wfx.session import Session

SCHEMA = 1
DIGEST = 12


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that keeps a run from being reused, or in which two runs differ."""

    kind: Literal["status", "workflow", "input", "engine", "image", "option", "output", "crate", "place"]
    name: str
    text: str
    """For people, a sentence without its full stop."""
    first: str = ""
    second: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one run: what would keep it from being reused now, and in what it differs from the one before it."""

    run: str
    name: str
    directory: Path
    reusable: bool
    """Whether `wfx run` would answer with it, asked for the same in the same place."""
    now: tuple[Cause, ...]
    earlier: str = ""
    """The run before it of the same workflow, by its id; empty where there is none."""
    earlier_directory: Path | None = None
    causes: tuple[Cause, ...] = ()
    """Why that one did not answer in its place."""
    schema: int = SCHEMA


@dataclass(frozen=True, slots=True)
class Differences:
    """Of two runs: what went into them, what came of it, and at which step they part."""

    first: str
    second: str
    same: bool
    causes: tuple[Cause, ...]
    """What went into them: workflow, inputs, engine, images, options; and how they ended."""
    first_step: str
    """The first step that differs; empty where none does, or none is recorded."""
    steps: tuple[StepDifference, ...]
    comparison: Comparison
    schema: int = SCHEMA


# -- one run


def why(run: RegisteredRun, others: Sequence[RegisteredRun], session: Session) -> Explanation:
    """Explain what kept a run from being answered by an earlier one, and what would keep it from answering now."""
    directory = run.directory
    plan, lock = _plan_and_lock(directory)
    now = tuple(_now(run, plan, lock, session))
    earlier = _before(run, others)
    causes: tuple[Cause, ...] = ()
    replaced = _replaced(run, others)
    if replaced is not None:
        earlier = replaced
        causes = (Cause("place", str(directory), "it was to be run anew in its place (--force)"),)
    elif earlier is not None:
        causes = tuple(_not_reused(earlier, run))
    return Explanation(
        run.entry.run, run.entry.name, directory, not any(_prevents(cause) for cause in now), now,
        earlier.entry.run if earlier else "", earlier.directory if earlier else None, causes,
    )  # fmt: skip


def _plan_and_lock(directory: Path) -> tuple[Plan, Lock]:
    try:
        return load_record(directory, "plan", Plan), load_record(directory, "lock", Lock)
    except DefinitionError as error:
        raise DefinitionError(
            "the run never came so far that it could be compared", where=str(directory), why=error.what
        ) from error


def _before(run: RegisteredRun, others: Sequence[RegisteredRun]) -> RegisteredRun | None:
    """Return the run before this one of the same workflow: of the same reference, or of the same name."""
    candidates = [
        other for other in others
        if other.entry.run != run.entry.run and other.entry.created < run.entry.created and other.state is not None
        and (other.directory / STATE / "plan.json").is_file()
    ]  # fmt: skip
    same = [o for o in candidates if o.entry.workflow and o.entry.workflow == run.entry.workflow]
    same = same or [o for o in candidates if o.entry.name == run.entry.name]
    return max(same, key=lambda other: other.entry.created, default=None)


def _replaced(run: RegisteredRun, others: Sequence[RegisteredRun]) -> RegisteredRun | None:
    """Return the run that lay in the same directory before."""
    found = [
        other for other in others
        if other.status == "replaced" and other.directory == run.directory and other.entry.created < run.entry.created
    ]  # fmt: skip
    return max(found, key=lambda other: other.entry.created, default=None)


def _now(run: RegisteredRun, plan: Plan, lock: Lock, session: Session) -> Iterator[Cause]:
    """Yield what would keep it from being reused at this moment."""
    yield from _status(run)
    if run.status == "completed":
        yield from _outputs(run.directory)
    for document in plan.workflow.documents:
        yield from _changed("workflow", document.path, document.origin, document.sha256, session, "the workflow's ")
    locked = {item.path: item for item in lock.items}
    for item in plan.files:
        if item.path in locked:
            yield from _changed(
                "input", item.parameter, item.reference, locked[item.path].sha256, session, "the input "
            )
    yield from _engine(plan, session)


def _status(run: RegisteredRun) -> Iterator[Cause]:
    words = {
        "failed": "it failed, and a failed run is tried again",
        "interrupted": "it was interrupted, and goes on from where it stopped",
        "staged": "it has only been staged, and is still to be run",
        "running": "it is going on",
    }
    if run.status != "completed":
        yield Cause("status", str(run.status), words.get(run.status, f"it is {run.status}"), str(run.status))


def _outputs(directory: Path) -> Iterator[Cause]:
    """Yield the outputs that are not what they were. `wfx run` itself looks at sizes, which cost nothing."""
    if not (directory / "ro-crate-metadata.json").is_file():
        yield Cause("crate", "ro-crate-metadata.json", "its metadata, ro-crate-metadata.json, are no longer there")
    found: list[Cause] = []

    def look(item: dict[str, Any], path: tuple[str | int, ...]) -> JsonValue:
        place, name = item.get("location"), str(path[0])
        if isinstance(place, str) and "://" not in place:
            file = directory / place
            if not file.exists():
                found.append(Cause("output", name, f"its output '{name}' is no longer there: {place}"))
            elif item["class"] == "File" and item.get("size") not in (None, file.stat().st_size):
                found.append(
                    Cause(
                        "output", name, f"its output '{name}' was changed: {place} has {file.stat().st_size} bytes, and had "
                        f"{item['size']}", str(item["size"]), str(file.stat().st_size),
                    )
                )  # fmt: skip
            elif item["class"] == "File" and (stated := _checksum(item)):
                algorithm, digest = stated
                with file.open("rb") as stream:
                    now = hashlib.file_digest(stream, algorithm).hexdigest()
                if now != digest:
                    text = (
                        f"its output '{name}' was changed: {place} has other bytes of the same length, which `wfx run` "
                    )
                    found.append(Cause("output", name, text + "does not look at", digest, now))
        return item

    record = load_record(directory, "record", RunRecord)
    for name, value in record.outputs.items():
        map_files(value, look, (name,))
    yield from found


def _checksum(item: dict[str, Any]) -> tuple[str, str] | None:
    algorithm, mark, digest = str(item.get("checksum") or "").partition("$")
    return (algorithm, digest) if mark and algorithm in ("sha1", "sha256", "sha512", "md5") else None


def _changed(kind: Any, name: str, reference: Any, recorded: str, session: Session, what: str) -> Iterator[Cause]:
    """Yield what is no longer as it was, of what lies on this machine."""
    # What is a part of something (`#…`) has a digest of its own.
    if not reference.is_local or reference.fragment:
        return
    path = reference.path
    named = f"{what}'{name}'" if kind == "input" else f"{what}document {name}"
    if not path.exists():
        yield Cause(kind, name, f"{named} is no longer there: {path}", recorded)
        return
    now = (session.store.hash_tree(path) if path.is_dir() else session.store.hash_file(path))[0]
    if now != recorded:
        yield Cause(kind, name, f"{named} was changed since: {path}", recorded, now)


def _engine(plan: Plan, session: Session) -> Iterator[Cause]:
    from wfx.choosing import found_version

    if plan.program.provided:
        return
    key, recorded = plan.description.engine, plan.description.engine_version
    try:
        engine = session.plugins.engine(key)
        found = found_version(engine, session)
    except WfxError as error:
        yield Cause("engine", key, f"its engine is not here: {error.what}", recorded)
        return
    if found != recorded:
        name = engine.capabilities.name
        yield Cause("engine", key, f"{name} {found} is installed now, and it ran with {recorded}", recorded, found)


def _prevents(cause: Cause) -> bool:
    # Equal sizes are all that `wfx run` asks of outputs.
    return not cause.text.endswith("does not look at")


def _not_reused(earlier: RegisteredRun, run: RegisteredRun) -> Iterator[Cause]:
    """Yield why the earlier run did not answer for the later one."""
    (plan_a, lock_a), (plan_b, lock_b) = _plan_and_lock(earlier.directory), _plan_and_lock(run.directory)
    if lock_a.identity != lock_b.identity:
        yield from _identity(plan_a, lock_a, plan_b, lock_b)
        return
    if earlier.status != "completed":
        words = {"failed": "it failed", "interrupted": "it was interrupted", "staged": "it had only been staged"}
        yield Cause(
            "status",
            str(earlier.status),
            f"the earlier run did not end well: {words.get(earlier.status, earlier.status)}",
        )
        return
    gone = [cause for cause in _outputs(earlier.directory) if _prevents(cause)]
    yield from gone
    if not gone:
        same = plan_a.request == plan_b.request
        told = (
            "it was to be run again (--force), or in another directory (-o)"
            if same
            else "it was asked for in another way, so it got a directory of its own (-o EARLIER reuses the earlier one)"
        )
        yield Cause("place", str(run.directory), f"it is the same run, and {told}", str(earlier.directory))


def _identity(plan_a: Plan, lock_a: Lock, plan_b: Plan, lock_b: Lock) -> Iterator[Cause]:
    """Yield the parts of the identity that differ (`staging.identity_of`)."""
    if plan_a.workflow.digest != plan_b.workflow.digest:
        yield from _workflow(plan_a, plan_b)
    yield from _inputs(plan_a, lock_a, plan_b, lock_b)
    a, b = plan_a.description, plan_b.description
    if (a.engine, a.engine_version) != (b.engine, b.engine_version):
        first, second = f"{a.engine} {a.engine_version}", f"{b.engine} {b.engine_version}"
        yield Cause("engine", a.engine, f"the engine is another: {first}, then {second}", first, second)
    images_a, images_b = ({image.image: image.digest for image in p.images} for p in (plan_a, plan_b))
    for name in dict.fromkeys((*images_a, *images_b)):
        x, y = images_a.get(name, ""), images_b.get(name, "")
        if x != y:
            said = "is another by now" if x and y else "is new" if y else "is no longer used"
            yield Cause("image", name, f"the container image {name} {said}{_pair(x, y)}", x, y)
    if images_a and images_b and plan_a.containers != plan_b.containers:
        x, y = plan_a.containers[0], plan_b.containers[0]
        yield Cause("image", "runtime", f"the containers were run by {x}, then by {y}", x, y)
    for name in dict.fromkeys((*plan_a.options, *plan_b.options)):
        x, y = plan_a.options.get(name, ""), plan_b.options.get(name, "")
        if x != y and name not in WITHOUT_EFFECT:
            yield Cause("option", name, f"the option {name} was {x or 'not set'}, then {y or 'not set'}", x, y)


def _workflow(a: Plan, b: Plan) -> Iterator[Cause]:
    first, second = ({d.path: d.sha256 for d in plan.workflow.documents} for plan in (a, b))
    names = [n for n in dict.fromkeys((*first, *second)) if first.get(n) != second.get(n)]
    for name in names[:10]:
        x, y = first.get(name, ""), second.get(name, "")
        said = "was changed" if x and y else "is new" if y else "is gone"
        yield Cause("workflow", name, f"the workflow's document {name} {said}", x, y)
    if a.workflow.revision != b.workflow.revision:
        x, y = a.workflow.revision, b.workflow.revision
        yield Cause(
            "workflow", "revision", f"the workflow is another revision: {x or 'none'}, then {y or 'none'}", x, y
        )
    if len(names) > 10:
        yield Cause("workflow", "documents", f"and {len(names) - 10} more documents of the workflow differ")
    if not names and (a.workflow.entry, a.workflow.fragment) != (b.workflow.entry, b.workflow.fragment):
        x, y = (f"{p.workflow.entry}#{p.workflow.fragment}".rstrip("#") for p in (a, b))
        yield Cause("workflow", "entry", f"another part of the workflow was run: {x}, then {y}", x, y)


def _inputs(plan_a: Plan, lock_a: Lock, plan_b: Plan, lock_b: Lock) -> Iterator[Cause]:
    from wfx.inputfiles import with_digests

    a = with_digests(plan_a.inputs, {item.path: item.sha256 for item in lock_a.items})
    b = with_digests(plan_b.inputs, {item.path: item.sha256 for item in lock_b.items})
    for name in dict.fromkeys((*a, *b)):
        x, y = a.get(name), b.get(name)
        if x != y:
            yield Cause("input", name, f"the input '{name}' was {shown(x)}, then {shown(y)}", shown(x), shown(y))


def shown(value: JsonValue) -> str:
    """Return an input's value for people: of a file its name and the beginning of its digest."""
    if value is None:
        return "not given"
    if isinstance(value, list):
        said = ", ".join(shown(item) for item in value[:3])
        return f"[{said}{f', and {len(value) - 3} more' if len(value) > 3 else ''}]"
    if isinstance(value, dict):
        if value.get("class") in ("File", "Directory"):
            digest = str(value.get("sha256") or "")
            return f"{value.get('basename') or 'a file'}{f' (sha256 {digest[:DIGEST]}…)' if digest else ''}"
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def _pair(x: str, y: str) -> str:
    return f" ({x[:19]}…, then {y[:19]}…)" if x and y else ""


# -- two runs


def why_both(first: str, second: str, session: Session) -> Differences:
    """Explain what differs between two runs, each named by id, name, directory, or as a crate of anybody."""
    sides, steps = [], []
    for argument in (first, second):
        crate = find_crate(argument, session)
        if crate is None:
            raise UsageError(f"there is no run and no crate '{argument}'", remedy="see `wfx runs list`")
        sides.append(side_of(crate, argument, session))
        action = choose_action(crate, main_workflow(crate))
        assert action is not None
        steps.append(steps_of(crate, action))
    comparison = judge(sides[0], sides[1])
    causes = [_as_cause(item) for item in comparison.circumstances if item.kind != "step"]
    found = tuple(differences(steps[0], steps[1]))
    same = not causes and not found and comparison.reproduced
    return Differences(first, second, same, tuple(causes), found[0].step if found else "", found, comparison)


def _as_cause(item: Circumstance) -> Cause:
    x, y = item.first, item.second
    text = {
        "status": f"the first {_ended(x)}, the second {_ended(y)}",
        "workflow": "the workflow is not the same",
        "input": f"the input '{item.name}' was {_digest(x)}, then {_digest(y)}",
        "engine": f"the engine is another: {x}, then {y}",
        "image": f"the container images differ: {x}, then {y}",
        "option": f"the option {item.name} was {x or 'not set'}, then {y or 'not set'}",
    }.get(item.kind, f"{item.kind} {item.name}: {x}, then {y}")
    kind: Any = item.kind
    return Cause(kind, item.name, text, x, y)


def _digest(said: str) -> str:
    parts = []
    for part in said.split(", "):
        algorithm, mark, digest = part.partition(":")
        known = mark and algorithm in ("sha256", "sha1", "sha512", "md5")
        parts.append(f"a file with {algorithm} {digest[:DIGEST]}…" if known else part)
    return "not given" if said == "none" else ", ".join(parts)


def _ended(word: str) -> str:
    return word if word in ("completed", "failed") else f"is {word}"
