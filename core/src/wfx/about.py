"""What its authors say of a workflow: title, version, licence, DOI, people. For crates and for readers; nothing runs by it.

An engine knows what stands in its own language's manifest. `CITATION.cff`, the metadata of a crate, the licence and the
README that lie beside a workflow are read here, for every language.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wfx.documents import load_document
from wfx.errors import WfxError
from wfx.licences import licence_of_text, spdx

__all__ = ["About", "Author", "doi_of", "merged", "orcid_of", "read_about"]

log = logging.getLogger(__name__)
CITATION = "CITATION.cff"
CRATE = "ro-crate-metadata.json"
LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "LICENCE.txt", "LICENCE.md", "COPYING")
READMES = ("README.md", "README.rst", "README.txt", "README")
LONGEST = 4 * 2**20
"""Bytes of a file that is read for this."""
ORCID = re.compile(r"(?:https?://orcid\.org/)?(\d{4}-\d{4}-\d{4}-\d{3}[\dX])", re.I)
DOI = re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?(10\.\d{4,9}/[^\s,;\"'<>]+)", re.I)
PROSE = 600
# A line that begins so is a heading, a picture, a badge, markup, a list, or a rule under a heading.
NO_PROSE = re.compile(r"#|!\[|\[!\[|[<>|]|[*+-]\s|[=~*-]{3}|\.\. |\d+\.\s")


@dataclass(frozen=True, slots=True)
class Author:
    """A person, or a group, that made a workflow."""

    name: str
    orcid: str = ""
    """As a URI, `https://orcid.org/…`."""
    affiliation: str = ""
    url: str = ""
    group: bool = False
    """Whether it is no person: an organisation, a consortium."""


@dataclass(frozen=True, slots=True)
class About:
    """What is said of a workflow; empty is what nobody says."""

    title: str = ""
    description: str = ""
    version: str = ""
    licence: str = ""
    """SPDX expression or URI, as it is stated."""
    doi: str = ""
    """As a URI, `https://doi.org/…`."""
    home: str = ""
    """Page of the workflow."""
    repository: str = ""
    authors: tuple[Author, ...] = ()
    keywords: tuple[str, ...] = ()


def orcid_of(text: object) -> str:
    """Return the URI of an ORCID iD, however it is written; empty for what is none."""
    found = ORCID.fullmatch(str(text or "").strip().rstrip("/"))
    return f"https://orcid.org/{found[1].upper()}" if found else ""


def doi_of(text: object) -> str:
    """Return the URI of the first DOI in a text; empty where there is none, or only a placeholder for one."""
    found = DOI.search(str(text or ""))
    return f"https://doi.org/{found[1]}" if found and "XXXX" not in found[1] else ""


def merged(sayings: Iterable[About]) -> About:
    """Return one saying of many: of each thing the first word counts; people are completed by what others say of them."""
    every = list(sayings)
    result: dict[str, Any] = {}
    for field in dataclasses.fields(About):
        result[field.name] = next((value for each in every if (value := getattr(each, field.name))), field.default)
    result["authors"] = tuple(_completed(author, every) for author in result["authors"])
    return About(**result)


def _completed(author: Author, sayings: Sequence[About]) -> Author:
    for other in (known for each in sayings for known in each.authors):
        if other.name.casefold() == author.name.casefold() and other.group == author.group:
            author = Author(
                author.name, author.orcid or other.orcid, author.affiliation or other.affiliation,
                author.url or other.url, author.group,
            )  # fmt: skip
    return author


def read_about(folders: Iterable[Path]) -> About:
    """Return what lies in the folders that a workflow is in, the nearest first. What cannot be read says nothing."""
    found: list[About] = []
    for folder in folders:
        for read in (_citation, _crate, _licence, _readme):
            try:
                found.append(read(folder))
            except (WfxError, OSError) as error:
                log.info("%s says nothing of the workflow: %s", folder, error)
    return merged(found)


def _text(path: Path) -> str:
    # A link may lead anywhere on this machine, and the tree may be a stranger's.
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LONGEST:
        return ""
    return path.read_text("utf-8", "replace")


# -- CITATION.cff (Citation File Format 1.2.0)


def _citation(folder: Path) -> About:
    text = _text(folder / CITATION)
    value = load_document(text.encode(), CITATION).value if text else None
    if not isinstance(value, dict):
        return About()
    identifiers = [item for item in _list(value.get("identifiers")) if isinstance(item, dict)]
    doi = value.get("doi") or next((item.get("value") for item in identifiers if item.get("type") == "doi"), "")
    stated = _list(value.get("license"))
    return About(
        title=_word(value.get("title")), description=_word(value.get("abstract")), version=_word(value.get("version")),
        licence=" OR ".join(spdx(_word(item)) for item in stated) or _address(value.get("license-url")),
        doi=doi_of(doi), home=_address(value.get("url")), repository=_address(value.get("repository-code")),
        authors=tuple(_authors(value.get("authors"))), keywords=_words(value.get("keywords")),
    )  # fmt: skip


def _authors(stated: Any) -> Iterator[Author]:
    for item in _list(stated):
        if not isinstance(item, dict):
            continue
        parts = (item.get(key) for key in ("given-names", "name-particle", "family-names", "name-suffix"))
        person = " ".join(filter(None, map(_word, parts)))
        name = person or _word(item.get("name")) or _word(item.get("alias"))
        if name:
            yield Author(
                name, orcid_of(item.get("orcid")), _word(item.get("affiliation")), _address(item.get("website")),
                group=not person and bool(item.get("name")),
            )  # fmt: skip


# -- a crate's metadata, as nf-core's and other registries' workflows bring them


def _crate(folder: Path) -> About:
    if not _text(folder / CRATE):
        return About()
    # Read only where there is one: most workflows bring none.
    from wfx.crates.contents import main_workflow
    from wfx.crates.reading import kinds, read, text, values

    crate = read(folder)
    main, root = main_workflow(crate) or {}, crate.root or {}
    people = [
        Author(
            text(entity.get("name")), orcid_of(entity["@id"]), _affiliation(crate, entity), "",
            group="Organization" in kinds(entity),
        )
        for source in (main, root)
        for key in ("creator", "author")
        for entity in crate.all(source.get(key))
        if text(entity.get("name"))
    ]  # fmt: skip
    stated = next((known for e in (main, root) for known in values(e.get("license"))), "")
    licence = crate.get(stated)
    addresses = [_address(item) for item in values(main.get("url"))]
    keywords = [text(item) for item in values(main.get("keywords") or root.get("keywords"))]
    return About(
        title=text(main.get("name")), description=text(main.get("description")), version=text(main.get("version")),
        licence=spdx((licence["@id"] if licence else text(stated)) or ""),
        doi=doi_of(text(root.get("identifier")) or text(main.get("identifier"))),
        repository=_address(main.get("codeRepository")) or next(iter(filter(None, addresses)), ""),
        authors=tuple(dict.fromkeys(people)), keywords=_words(keywords[0] if len(keywords) == 1 else keywords),
    )  # fmt: skip


def _affiliation(crate: Any, entity: Mapping[str, Any]) -> str:
    from wfx.crates.reading import text

    known = crate.get(entity.get("affiliation"))
    return text(known.get("name")) if known else text(entity.get("affiliation"))


# -- texts


def _licence(folder: Path) -> About:
    return About(licence=next((found for name in LICENCES if (found := licence_of_text(_text(folder / name)))), ""))


def _readme(folder: Path) -> About:
    text = next((text for name in READMES if (text := _text(folder / name))), "")
    return About(description=_first_paragraph(text))


def _first_paragraph(text: str) -> str:
    """Return the first paragraph of prose: no heading, picture, badge, quotation, list or code."""
    text = re.sub(r"<!--.*?-->|^(```|~~~).*?^\1", "", text, flags=re.S | re.M)
    for paragraph in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in paragraph.strip().splitlines()]
        plain = " ".join(line for line in lines if line and not NO_PROSE.match(line))
        plain = re.sub(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])", r"\1", plain)
        plain = " ".join(re.sub(r"\*\*|__|`", "", plain).split())
        if len(plain) >= 40:
            return plain if len(plain) <= PROSE else f"{plain[:PROSE].rpartition(' ')[0]} …"
    return ""


# -- values


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _word(value: Any) -> str:
    return " ".join(str(value).split()) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""


def _words(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else _list(value)
    return tuple(dict.fromkeys(word for item in items if (word := _word(item))))


def _address(value: Any) -> str:
    text = _word(value[0] if isinstance(value, list) and value else value)
    return text if text.lower().startswith(("http://", "https://")) and " " not in text else ""
