"""What of a run is handed on, and what stays behind: parts, single inputs and outputs, and the definition's policy."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wfx.errors import DefinitionError, MachineError, PolicyError, UsageError
from wfx.expectedoutputs import files_of
from wfx.exporting import Addition, Exporter, Omission
from wfx.packing import Member, in_order, members_of
from wfx.references import Reference
from wfx.rundirs import STATE, RunDirectory, load_record, status_of
from wfx.running import RunRecord, agent, publication
from wfx.values import JsonValue
from wfx.valuetypes import map_files
from wfx.withholding import MOST_TEXT, Eraser, Withheld, copies, is_text_of_wfx, terms_of, withheld, without_origins

if TYPE_CHECKING:
    from wfx.config import Config
    from wfx.session import Session

PARTS = ("inputs", "outputs", "logs", "images")
METADATA = "ro-crate-metadata.json"
ON_REQUEST = "It was left out when the crate was exported."
BY_POLICY = "The definition of the run does not let it be disclosed."
AS_GIVEN = "It was left out because it tells of files that may not be disclosed."
TOO_LONG = "It was left out because it is too long to be searched for names that may not be disclosed."


@dataclass(frozen=True, slots=True)
class Parcel:
    """The files of a run that are handed on, and what is not."""

    crate: Path
    members: tuple[Member, ...]
    omissions: tuple[Omission, ...] = ()
    whole: bool = True
    """Whether it is the crate as it lies there."""

    @property
    def size(self) -> int:
        """Bytes of all files, before any compression."""
        return sum(member.size for member in self.members)

    def pack(self, exporter: Exporter, into: Path) -> Path:
        """Write it; it appears whole or not at all."""
        if self.whole and type(exporter).pack_members is Exporter.pack_members:
            return exporter.pack(self.crate, into)
        return exporter.pack_members(self.members, into)


def make_parcel(
    crate: Path, describer: Exporter, session: Session, *, without: Sequence[str] = (), including: Sequence[str] = ()
) -> Parcel:
    """Choose what of a run is handed on; `without` and `including` name parts, and inputs and outputs as `PART/NAME`.

    All parts go but images, which go where `including` has them: their copies lie in a folder of the session then.
    What its definition does not let out stays behind whatever is said; raises PolicyError where it is asked for by name
    or by part, DefinitionError where there is no crate yet.
    """
    record = _record(crate, describer, session.config)
    if not (crate / METADATA).is_file():
        raise DefinitionError("there is no crate here", where=str(crate), remedy="run it first; see `wfx runs list`")
    members = members_of(crate)
    rules = _rules(without, including, record)
    kept_back = withheld(record, crate) if record is not None else []
    chosen = _Choice(crate, record, rules, kept_back, members)
    omissions = tuple(chosen.omissions())
    images = _images(record, session) if rules.get("images") and record is not None else []
    if not omissions and not images:
        return Parcel(crate, tuple(members))
    left = {omission.path for omission in omissions}
    going = [m for m in members if not _within(m.path, left)]
    eraser = Eraser()
    if record is not None and kept_back:
        eraser = Eraser.of(kept_back, record, terms_of((crate / METADATA).read_bytes()))
    if record is not None and kept_back:
        going = [_changed(m, without_origins(record, kept_back), eraser) for m in going]
    metadata = describer.restate(crate, going, omissions, [addition for addition, _ in images], record)
    going = [_replaced(m, metadata, eraser) for m in going]
    if eraser:
        going = [m if m.path.startswith("workflow/") else dataclasses.replace(m, path=eraser(m.path)) for m in going]
    going += [Member(addition.path, place, addition.size) for addition, place in images]
    return Parcel(crate, tuple(in_order(going)), omissions, whole=False)


def _images(record: RunRecord, session: Session) -> list[tuple[Addition, Path]]:
    """Write copies of the images of a run from the store, and say what they are."""
    from wfx.images.carrying import FOLDER, carry_out

    folder = session.scratch() / FOLDER
    found = {}
    for each in carry_out(record.lock.images, session.store, folder):
        description = f"A copy of the container image {each.image}, with the manifest {each.digest}."
        found[each.path] = (
            Addition(f"{FOLDER}/{each.path}", each.size, each.sha256, each.media_type, each.digest, description),
            folder / each.path,
        )
    return list(found.values())


def _record(crate: Path, describer: Exporter, config: Config) -> RunRecord | None:
    """Return the record of a run; of one that is only staged, described as such, what stands in for it."""
    if not (crate / STATE).is_dir():
        return None
    if status_of(crate) == "staged":
        with RunDirectory.reopen(crate) as directory:
            record = staged_record(directory, config)
            describer.describe(record, directory.path)
            return record
    if status_of(crate) in ("created", "planned", "running"):
        raise MachineError("the run is going on", where=str(crate), remedy="wait for it")
    if not (crate / STATE / "record.json").is_file():
        return None
    return load_record(crate, "record", RunRecord)


def staged_record(directory: RunDirectory, config: Config) -> RunRecord:
    """Return a record of a run that has not begun: plan and lock, and nothing that happened."""
    from wfx.planning import Plan
    from wfx.staging import Lock

    plan, lock = directory.load("plan", Plan), directory.load("lock", Lock)
    given = sorted(path.name for path in directory.path.glob("inputs-as-given.*"))
    return RunRecord(
        run=directory.state.run, plan=plan, lock=lock, status="staged", started="", ended=plan.created, exit_code=0,
        agent=agent(config), publication=publication(config), attempts=0, inputs_file=given[0] if given else "",
    )  # fmt: skip


# -- what is asked for


def _rules(without: Sequence[str], including: Sequence[str], record: RunRecord | None) -> dict[str, bool]:
    """Return what is asked for: part, or part and name → whether it goes."""
    rules: dict[str, bool] = {}
    for option, items, goes in (("--without", without, False), ("--with", including, True)):
        for item in items:
            _check(option, item, record)
            if rules.get(item, goes) != goes:
                raise UsageError(f"'{item}' stands under --with and under --without")
            rules[item] = goes
    return rules


def _check(option: str, item: str, record: RunRecord | None) -> None:
    part, mark, name = item.partition("/")
    if part not in PARTS or (mark and part not in ("inputs", "outputs")):
        near = difflib.get_close_matches(part, PARTS, 1)
        remedy = f"did you mean {near[0]}?" if near else f"the parts are {', '.join(PARTS)}; one input is inputs/NAME"
        raise UsageError(f"a run has no part '{item}'", where=option, remedy=remedy)
    if not mark:
        return
    known: Collection[str] = ()
    if record is not None:
        known = {file.parameter for file in record.plan.files}
        if part == "outputs":
            known = {*record.outputs, *(each.name for each in record.plan.outputs)}
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        remedy = f"did you mean {part}/{near[0]}?" if near else f"it has: {', '.join(sorted(known)) or 'none'}"
        raise UsageError(f"the run has no files of the {part[:-1]} '{name}'", where=option, remedy=remedy)


# -- what stays behind


class _Choice:
    """Goes through the files of a run once."""

    def __init__(
        self,
        crate: Path,
        record: RunRecord | None,
        rules: dict[str, bool],
        kept_back: Sequence[Withheld],
        members: Sequence[Member],
    ) -> None:
        self.crate, self.record, self.rules, self.kept_back, self.members = crate, record, rules, kept_back, members
        self._parameters: dict[str, list[str]] = {}
        for place, name in _parameters(record, crate) if record is not None else ():
            self._parameters.setdefault(place, []).append(name)

    def omissions(self) -> Iterator[Omission]:
        """Yield what stays behind, folders of inputs as one. Raises PolicyError for what is asked for and may not go."""
        done: set[str] = set()
        for each in self.kept_back:
            self._refuse(each.item.path, each)
            folder = "/" if each.item.kind == "directory" else ""
            done.add(each.item.path + folder)
            yield Omission(
                each.item.path + folder, BY_POLICY, each.locked.size if each.locked else 0,
                each.locked.sha256 if each.locked else "", each.shown + folder, disclosable=False,
            )  # fmt: skip
        elsewhere = [m for m in self.members if not _within(m.path, done)]
        for member, each in copies(elsewhere, self.kept_back, self.crate):
            self._refuse(member.path, each)
            done.add(member.path)
            shown = f"{member.path.rpartition('/')[0]}/{each.label}"
            yield Omission(member.path, BY_POLICY, member.size, _sha256(member), shown, disclosable=False)
        for item in self.record.lock.items if self.record is not None else ():
            if not self._goes(item.path) and item.path not in done and f"{item.path}/" not in done:
                path = item.path + ("/" if item.kind == "directory" else "")
                done.add(path)
                yield Omission(path, ON_REQUEST, item.size, item.sha256, path, _address(item.pinned or item.origin))
        may_name = any(each.part == "input" or each.word == "no" for each in self.kept_back)
        for member in self.members:
            if _within(member.path, done):
                continue
            if not self._goes(member.path):
                yield Omission(member.path, ON_REQUEST, member.size, _sha256(member), member.path)
            elif may_name and member.path.startswith("inputs-as-given."):
                yield Omission(member.path, AS_GIVEN, member.size, _sha256(member), member.path, disclosable=False)
            elif self.kept_back and is_text_of_wfx(member.path) and member.size > MOST_TEXT:
                yield Omission(member.path, TOO_LONG, member.size, _sha256(member), member.path, disclosable=False)

    def _goes(self, path: str) -> bool:
        part = path.partition("/")[0]
        said = (self.rules.get(f"{part}/{name}") for name in self._names(path))
        return next((goes for goes in said if goes is not None), self.rules.get(part, True))

    def _names(self, path: str) -> list[str]:
        """Return the inputs or outputs that a file belongs to, the nearest first."""
        parts = path.split("/")
        above = ("/".join(parts[:n]) for n in range(len(parts), 1, -1))
        return [name for place in above for name in self._parameters.get(place, ())]

    def _refuse(self, path: str, each: Withheld) -> None:
        part = path.partition("/")[0]
        asked = [item for item in (f"{part}/{name}" for name in self._names(path)) if self.rules.get(item)]
        if (
            not asked
            and self.rules.get(part)
            and not any(self.rules.get(f"{part}/{name}") is False for name in self._names(path))
        ):
            asked = [part]
        if asked:
            raise PolicyError(
                f"the definition does not let the {each.part} '{each.item.parameter}' be disclosed",
                where=f"--with {asked[0]}",
                why="it says `disclosable: false`" if each.word == "no" else "it says `disclosable: name`",
                remedy="leave it out of --with, and the rest goes; or change the definition and run it again",
            )  # fmt: skip


def _parameters(record: RunRecord, crate: Path) -> Iterator[tuple[str, str]]:
    """Yield the place of each file of the inputs and outputs, and the parameter that it belongs to."""
    for item in record.plan.files:
        yield item.path, item.parameter
    places: list[tuple[str, str]] = []
    for name, value in record.outputs.items():

        def look(item: dict[str, Any], path: tuple[str | int, ...], name: str = name) -> JsonValue:
            if isinstance(item.get("location"), str):
                places.append((item["location"].rstrip("/"), name))
            return item

        map_files(value, look)
    yield from places
    for each in record.plan.outputs:
        if each.glob:
            yield from ((path, each.name) for path in files_of(each, record.outputs, crate))


def _within(path: str, places: Collection[str]) -> bool:
    """Say whether a path is one of the places, or lies in a folder of them."""
    if path in places:
        return True
    parts = path.split("/")
    return any("/".join(parts[:n]) + "/" in places for n in range(1, len(parts)))


def _address(origin: Reference) -> str:
    """Return where everybody may have an input; empty for what lies on this machine or in the definition."""
    return "" if origin.on_this_machine or origin.scheme in ("data", "local") else str(origin)


def _sha256(member: Member) -> str:
    with member.open() as file:
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _changed(member: Member, texts: dict[str, bytes], eraser: Eraser) -> Member:
    if member.path in texts:
        data = eraser.bytes(texts[member.path])
        return dataclasses.replace(member, source=data, size=len(data))
    return eraser.member(member) if is_text_of_wfx(member.path) else member


def _replaced(member: Member, texts: dict[str, bytes], eraser: Eraser) -> Member:
    if member.path not in texts:
        return member
    data = eraser.bytes(texts[member.path])
    return dataclasses.replace(member, source=data, size=len(data))
