"""`wfx fetch`: references into the store, or to a place of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wfx.cli.display import show_size
from wfx.cli.shared import common, offline_option, open_session, print_json
from wfx.errors import UsageError

if TYPE_CHECKING:
    from wfx.fetching import Fetched
    from wfx.planning import PlannedInput
    from wfx.session import Session


@click.command()
@click.argument("references", nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write it here: a file, or a folder for several.")
@click.option("--sha256", help="Digest that the (one) reference must have.")
@click.option("--size", type=click.IntRange(0), help="Bytes that the (one) reference must have.")
@click.option("--checksum", multiple=True, metavar="ALGORITHM:HEX", help="The same by any algorithm: md5:…, crc32c:…")
@click.option("--mirror", multiple=True, metavar="REFERENCE", help="Asked where the (one) reference fails.")
@click.option("--member", multiple=True, metavar="PATH", help="Of the (one) archive, a member or a pattern of members.")
@offline_option
@common
def fetch(
    references: tuple[str, ...], output: Path | None, sha256: str | None, size: int | None, checksum: tuple[str, ...],
    mirror: tuple[str, ...], member: tuple[str, ...], offline: bool, as_json: bool, level: int,
) -> None:  # fmt: skip
    """Fetch REFERENCES, verified and resumable, and print what each turned out to be.

    A reference may be a form of inputs too: '{archive: https://…, member: "*.fq"}', '{table: …, columns: […]}'.
    """
    stated = {"sha256": sha256, "size": size, "checksum": list(checksum), "alternates": list(mirror)}
    stated = {key: value for key, value in stated.items() if value not in (None, [])}
    if len(references) > 1 and (stated or member):
        raise UsageError("--sha256, --size, --checksum, --mirror and --member belong to one reference")
    with open_session(offline=offline, level=level) as (session, display):
        items = [item for text in references for item in _planned(text, stated, member, session)]
        fetched = _fetch(items, session)
        display.finish()
        targets = [
            _deliver(item, answer, output, len(items), session) for item, answer in zip(items, fetched, strict=True)
        ]
    if as_json:
        report = [
            {
                "reference": str(item.reference), "kind": item.kind, "sha256": item.sha256, "size": item.size,
                "pinned": str(item.pinned) if item.pinned else None, "from_store": item.from_store,
                "path": str(target) if target else None,
            }
            for item, target in zip(fetched, targets, strict=True)
        ]  # fmt: skip
        print_json({"fetched": report})
        return
    for item, target in zip(fetched, targets, strict=True):
        origin = " (from the store)" if item.from_store and item.local is None else ""
        click.echo(f"sha256 {item.sha256}  {show_size(item.size)}  {target or item.reference}{origin}")


def _planned(text: str, stated: dict[str, Any], member: tuple[str, ...], session: Session) -> list[PlannedInput]:
    """Return what an argument stands for; a path of an empty name is for the place's own."""
    from wfx.planning import PlannedInput
    from wfx.references import Reference

    if not text.startswith("{") and not member and not stated:
        reference = _reference(text)
        # Whether it is a file or a folder only its place can tell.
        return [PlannedInput(reference, "", "file", "", host=reference.host)]
    from wfx.documents import load_document
    from wfx.loneforms import planned_forms

    if text.startswith("{"):
        value = load_document(text.encode("utf-8", "surrogateescape"), "the reference").value
        if stated or member:
            raise UsageError("a form says itself what is stated of it", why=text[:80])
        return planned_forms(value, session)
    named = Reference.parse_named(text)
    place = text if named.is_local else named.uri
    form: dict[str, Any] = {"archive": place, "member": list(member)} if member else {"file": place}
    return planned_forms({**form, **stated}, session)


def _reference(text: str) -> Any:
    from wfx.references import Reference

    reference = Reference.parse_named(text)
    path, mark, part = text.partition("#path=")
    if reference.is_local and mark and not reference.path.exists():
        return Reference(f"{Reference.parse(path).uri}#path={part}")
    return reference


def _fetch(items: list[PlannedInput], session: Session) -> list[Fetched]:
    from wfx import tables
    from wfx.staging import source_of

    answers: dict[int, Fetched] = {}
    for behalf in dict.fromkeys(item.named_by for item in items):
        numbers = [number for number, item in enumerate(items) if item.named_by == behalf]
        found = session.fetch([source_of(items[number]) for number in numbers], behalf=behalf)
        answers.update(zip(numbers, found, strict=True))
    return [tables.rewritten(item, answers[number], session.store) for number, item in enumerate(items)]


def _deliver(item: PlannedInput, answer: Fetched, output: Path | None, count: int, session: Session) -> Path | None:
    if output is None:
        return None
    name = item.path or answer.name or answer.reference.name or answer.sha256[:12]
    return session.deliver(answer, output / name if count > 1 or output.is_dir() else output)
