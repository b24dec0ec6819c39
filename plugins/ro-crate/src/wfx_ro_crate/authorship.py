"""What the workflow's authors say of it: people, DOI, version, pages, keywords; and the files beside it that say so."""

from __future__ import annotations

import re

from wfx.about import About, Author
from wfx.planning import Document

from wfx_ro_crate.graph import Graph, Property, local_id, path_id, ref

ABOUT = re.compile(r"(README(\.\w+)?|CITATION\.cff|CITATIONS?\.md|LICEN[CS]E(\.\w+)?|COPYING)", re.I)


def describe_authorship(main: str, about: About, documents: tuple[Document, ...], graph: Graph) -> None:
    """Enter it for the workflow's entity `main`."""
    graph.set(main, "author", [author(person, graph) for person in about.authors])
    if about.keywords:
        graph.set(main, "keywords", ", ".join(about.keywords))
    known = graph.get(main, "identifier")
    if about.doi:
        before: list[Property] = known if isinstance(known, list) else [known] if known else []
        graph.set(main, "identifier", [*before, about.doi])
        graph.set(
            main, "citation", ref(graph.add(about.doi, "CreativeWork", name=about.title or about.doi, url=about.doi))
        )
    graph.set(main, "sameAs", [*dict.fromkeys(page for page in (about.home, about.repository) if page)])
    for document in documents:
        identifier = path_id(f"workflow/{document.path}")
        if identifier != main and identifier in graph and ABOUT.fullmatch(document.path):
            graph.set(identifier, "about", ref(main))


def author(person: Author, graph: Graph) -> Property:
    """Enter a person or a group, and refer to it; of a group that has no address only the name is told."""
    if person.group and not person.url:
        return person.name
    identifier = graph.clean(person.orcid) or local_id("author", person.name)
    graph.add(identifier, "Organization" if person.group else "Person", name=person.name)
    graph.set(identifier, "url", person.url)
    # A name alone is no organisation that one could look up, and whoever stands in the crate already is described better.
    if person.affiliation and graph.get(identifier, "affiliation") is None:
        graph.set(identifier, "affiliation", person.affiliation)
    return ref(identifier)
