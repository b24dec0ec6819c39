"""What a pipeline's manifest says of the pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wfx.about import About, Author, doi_of, orcid_of
from wfx.licences import spdx

from wfx_nextflow.configuration import Configuration

PUBLIC = re.compile(r"https?://(github\.com|gitlab\.com|bitbucket\.org|codeberg\.org)/[\w.-]+/[\w./-]+")


def about(configuration: Configuration) -> About:
    """Return it."""
    text = configuration.text
    home, pages = text("manifest.homePage"), text("manifest.docsUrl")
    repository = home if PUBLIC.fullmatch(home) else ""
    return About(
        title=text("manifest.name"), description=" ".join(text("manifest.description").split()),
        version=text("manifest.version"), licence=spdx(text("manifest.license")), doi=doi_of(text("manifest.doi")),
        home=pages or ("" if repository else home), repository=repository, authors=tuple(_authors(configuration)),
    )  # fmt: skip


def _authors(configuration: Configuration) -> Iterator[Author]:
    """Yield the contributors; in manifests of before 24.10 they are one text, with commas."""
    stated = configuration.get("manifest.contributors")
    people = (
        [item for item in stated if isinstance(item, dict) and item.get("name")] if isinstance(stated, list) else []
    )
    for person in people:
        said = {key: str(value).strip() for key, value in person.items() if isinstance(value, str)}
        yield Author(
            said.get("name", ""), orcid_of(said.get("orcid")), said.get("affiliation", ""), said.get("github", "")
        )
    if not people:
        for name in re.split(r",|\n| and | & ", configuration.text("manifest.author")):
            if name.strip():
                yield Author(name.strip())
