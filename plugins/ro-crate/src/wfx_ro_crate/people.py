"""Who ran it, who publishes it, under which licence, and with which software."""

from __future__ import annotations

import importlib.metadata

from wfx.running import RunRecord

from wfx_ro_crate.files import licence
from wfx_ro_crate.graph import ROOT, Graph, local_id, ref

# The programs behind the engines that wfx knows: `LANGUAGE.ENGINE` → name, home page.
ENGINES = {
    "cwl.cwltool": ("cwltool", "https://github.com/common-workflow-language/cwltool"),
    "cwl.toil": ("Toil", "https://github.com/DataBiosphere/toil"),
    "nextflow.nextflow": ("Nextflow", "https://www.nextflow.io/"),
    "snakemake.snakemake": ("Snakemake", "https://snakemake.readthedocs.io/"),
    "galaxy.galaxy": ("Galaxy", "https://galaxyproject.org/"),
}
# RO-Crate ids of the languages (Workflow RO-Crate 1.0): → name, home page.
LANGUAGES = {
    "cwl": ("Common Workflow Language", "https://www.commonwl.org/", "https://w3id.org/cwl/"),
    "nextflow": ("Nextflow", "https://www.nextflow.io/", "https://www.nextflow.io/"),
    "snakemake": ("Snakemake", "https://snakemake.readthedocs.io/", "https://doi.org/10.1093/bioinformatics/bts480"),
    "galaxy": ("Galaxy", "https://galaxyproject.org/", "https://galaxyproject.org/"),
}


def agent(record: RunRecord, graph: Graph) -> str | None:
    """Enter the person who ran it; None where nobody says who it was."""
    person = record.agent
    if person is None:
        return None
    identifier = graph.add(
        graph.clean(person.orcid) or local_id("agent"), "Person", name=person.name, email=person.email
    )
    if person.affiliation:
        graph.set(identifier, "affiliation", ref(organisation(person.affiliation, person.affiliation_url, graph)))
    return identifier


def organisation(name: str, url: str, graph: Graph) -> str:
    """Enter an organisation."""
    identifier = graph.clean(url) or local_id("organisation", name)
    return graph.add(identifier, "Organization", name=name, url=url)


def publication(record: RunRecord, graph: Graph) -> None:
    """Say of the crate what only a person can say; what nobody said is not made up."""
    stated = record.publication
    if stated.licence:
        graph.set(ROOT, "license", licence(graph, stated.licence))
    else:
        none = graph.add(
            local_id("licence-not-stated"),
            "CreativeWork",
            name="No licence stated",
            description="Nobody has stated a licence for this crate. Ask its author before you use it.",
        )
        graph.set(ROOT, "license", ref(none))
    if stated.publisher:
        graph.set(ROOT, "publisher", ref(organisation(stated.publisher, stated.publisher_url, graph)))


def engine_of(record: RunRecord) -> tuple[str, str]:
    """Return name and home page of the engine."""
    key = record.plan.description.engine
    return ENGINES.get(key, (key.rpartition(".")[2], ""))


def engine(record: RunRecord, graph: Graph) -> str:
    """Enter the engine's program."""
    name, url = engine_of(record)
    return graph.add(
        url or local_id("engine", record.plan.description.engine),
        "SoftwareApplication",
        name=name,
        softwareVersion=record.plan.description.engine_version,
        url=url,
        # Of a server elsewhere nobody knows it.
        operatingSystem=None if record.plan.needs else record.platform,
    )


def language(record: RunRecord, graph: Graph) -> str:
    """Enter the workflow's language."""
    description = record.plan.description
    identifier = language_of(description.engine.partition(".")[0], graph)
    graph.set(identifier, "version", description.language_version)
    return identifier


def language_of(key: str, graph: Graph) -> str:
    """Enter a language by its key, `cwl`."""
    name, url, identity = LANGUAGES.get(key, (key, "", ""))
    return graph.add(
        f"https://w3id.org/workflowhub/workflow-ro-crate#{key}",
        "ComputerLanguage",
        name=name,
        alternateName=key.upper() if key == "cwl" else None,
        identifier=ref(identity) if identity else None,
        url=ref(url) if url else None,
    )


def wfx(record: RunRecord, graph: Graph) -> str:
    """Enter wfx with its plugins, each by the package URL (purl) of its distribution."""
    identifier = _distribution("wfx-core", record.plan.wfx, graph)
    graph.set(identifier, "name", "wfx")
    graph.set(identifier, "operatingSystem", record.platform)
    plugins = dict(record.plan.plugins)
    from wfx_ro_crate import __version__

    plugins.setdefault("wfx-ro-crate", __version__)
    graph.link(identifier, "softwareAddOn", *(_distribution(n, v, graph) for n, v in sorted(plugins.items())))
    return identifier


def _distribution(name: str, version: str, graph: Graph) -> str:
    identifier = f"pkg:pypi/{name}@{version}"
    return graph.add(
        identifier,
        "SoftwareApplication",
        name=name,
        softwareVersion=version or "unknown",
        url=_home(name) or identifier,
    )


def _home(distribution: str) -> str:
    """Return the home page that an installed distribution states."""
    try:
        stated = importlib.metadata.metadata(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
    pages = dict(line.split(", ", 1) for line in stated.get_all("Project-URL") or [] if ", " in line)
    lowered = {label.lower(): url for label, url in pages.items()}
    return next((lowered[label] for label in ("homepage", "source", "repository") if label in lowered), "")


def contacts(record: RunRecord, graph: Graph) -> None:
    """Enter the hosts that wfx spoke to."""
    for contact in record.contacts:
        identifier = graph.clean(contact.origin)
        said = f"{contact.purpose}: {contact.requests} requests, {contact.bytes} bytes received"
        if identifier in graph:
            before = graph.get(identifier, "description")
            graph.set(identifier, "description", f"{before}; {said}" if before else f"Contacted by wfx for {said}")
        else:
            graph.add(
                identifier,
                "WebSite",
                name=contact.origin.rpartition("://")[2],
                url=contact.origin,
                description=f"Contacted by wfx for {said}",
            )
        graph.link(ROOT, "mentions", identifier)
