"""The page's second part: where the run comes from, with what it was made, and what to do with it."""

from __future__ import annotations

import shlex

from wfx_ro_crate import people
from wfx_ro_crate.describing import PROFILES
from wfx_ro_crate.files import web_address
from wfx_ro_crate.graph import DESCRIPTOR, path_id
from wfx_ro_crate.markup import Content, Markup, link, tag
from wfx_ro_crate.view import View, size_of

MOST_DOCUMENTS = 60
MOST_HOSTS = 40


def provenance(view: View) -> Markup:
    """Show where workflow and inputs come from."""
    record, workflow = view.record, view.record.plan.workflow
    pairs: list[tuple[str, Content]] = []
    if workflow.reference.on_this_machine:
        pairs.append(("Workflow", "from a local folder; its documents are in the crate"))
    else:
        address = web_address(workflow.pinned)
        said = view.clean(str(workflow.pinned))
        pairs.append(("Workflow", link(address, said) if address else tag("code", said)))
        if workflow.reference != workflow.pinned:
            pairs.append(("Asked for", tag("code", view.clean(str(workflow.reference)))))
    if workflow.label:
        pairs.append(("Tag or branch", tag("code", view.clean(workflow.label))))
    if workflow.revision:
        pairs.append(("Commit or version", tag("code", view.clean(workflow.revision))))
    stated = workflow.licence or record.plan.description.licence
    pairs.append(("Its licence", view.clean(stated) if stated else tag("span", "none stated", class_="none")))
    pairs.append(("Digest", tag("code", workflow.digest)))
    pairs.append(("Identity of the run", tag("code", record.lock.identity)))
    pairs.append(("Run", tag("code", record.run)))
    documents = [
        tag(
            "tr",
            tag("td", view.file(f"workflow/{d.path}", d.path)),
            tag("td", tag("code", d.sha256), class_="digest"),
        )
        for d in workflow.documents[:MOST_DOCUMENTS]
    ]
    own = [
        tag("li", link(path_id(name)), f" {text}")
        for name, text in (
            (DESCRIPTOR, "all of this for programs (RO-Crate, JSON-LD)"),
            ("plan.json", "what was to be done"),
            ("lock.json", "the digest of every input"),
            ("inputs.json", "the inputs as the engine read them"),
        )
        if name == DESCRIPTOR or path_id(name) in view.entities
    ]
    return tag(
        "section",
        tag("h2", "Provenance"),
        view.pairs(pairs),
        tag("h3", "Documents of the workflow") if documents else None,
        tag("table", tag("tbody", documents), class_="stack") if documents else None,
        tag("p", f"and {len(workflow.documents) - MOST_DOCUMENTS} more", class_="small")
        if len(workflow.documents) > MOST_DOCUMENTS
        else None,
        tag("h3", "Files that prove it"),
        tag("ul", own, class_="plain"),
    )


def software(view: View) -> Markup:
    """Show with what it ran, and whom wfx spoke to."""
    record = view.record
    name, url = people.engine_of(record)
    engine = [link(url, name) if url else name, f" {record.plan.description.engine_version}"]
    plugins = ", ".join(f"{n} {v}" for n, v in sorted(record.plan.plugins.items()))
    pairs: list[tuple[str, Content]] = [
        ("Engine", engine),
        ("wfx", f"{record.plan.wfx}" + (f" with {plugins}" if plugins else "")),
    ]
    if record.platform:
        pairs.append(("Platform", record.platform))
    if record.sandbox:
        pairs.append(("Sandbox", record.sandbox))
    pairs.append(("Attempts", str(record.attempts)))
    options = {k: v for k, v in record.plan.options.items() if v}
    if options:
        pairs.append(("Options", ", ".join(f"{k} = {v}" for k, v in sorted(options.items()))))
    images = dict.fromkeys((e.image, e.image_digest or "") for e in view.events if e.image)
    for image in record.plan.images:
        images.setdefault((image.image, image.digest))
    if images:
        shown = [
            tag("li", tag("code", view.clean(i or "")), tag("div", d, class_="digest") if d else None)
            for i, d in images
        ]
        pairs.append(("Container images", tag("ul", shown, class_="plain")))
    hosts: dict[str, list[int]] = {}
    for contact in record.contacts:
        entry = hosts.setdefault(contact.origin, [0, 0])
        entry[0] += contact.requests
        entry[1] += contact.bytes
    contacted: Content = tag("span", "none in this run", class_="none")
    if hosts:
        contacted = tag(
            "ul",
            [
                tag(
                    "li",
                    tag("code", view.clean(origin)),
                    tag("span", f" {n} requests, {size_of(b)}", class_="small"),
                )
                for origin, (n, b) in list(hosts.items())[:MOST_HOSTS]
            ],
            class_="plain",
        )
    pairs.append(("Hosts contacted", contacted))
    return tag("section", tag("h2", "Software and network"), view.pairs(pairs))


def again(view: View) -> Markup:
    """Show how to run it again."""
    record = view.record
    staged = record.status == "staged"
    command = shlex.join(["wfx", "run" if staged else "rerun", ".", "-o", "../again"])
    told = "In this folder, with wfx; what it needs is here, and what comes of it is compared with what is here:"
    parts: list[Content] = [
        tag("h2", "Run it" if staged else "Run it again"),
        tag("p", "In this folder, with wfx:" if staged else told),
        tag("pre", view.clean(command)),
    ]
    if record.command:
        name, _ = people.engine_of(record)
        parts += [tag("p", f"With {name} alone:"), tag("pre", view.clean(shlex.join(record.command)))]
    return tag("section", *parts)


def cite(view: View) -> Markup:
    """Show the profiles, and how to cite them."""
    claimed = view.entities.get("./", {}).get("conformsTo", [])
    ids = {c.get("@id") for c in (claimed if isinstance(claimed, list) else [claimed]) if isinstance(c, dict)}
    profiles = [tag("li", link(iri, f"{name} {version}")) for iri, name, version in PROFILES.values() if iri in ids]
    papers = [
        tag("li", "Leo S, Crusoe MR, Rodríguez-Navas L, et al. (2024). Recording provenance of workflow runs with "
            "RO-Crate. PLoS ONE 19(9): e0309210. ", link("https://doi.org/10.1371/journal.pone.0309210")),
        tag("li", "Soiland-Reyes S, Sefton P, Crosas M, et al. (2022). Packaging research artefacts with RO-Crate. "
            "Data Science 5(2): 97–138. ", link("https://doi.org/10.3233/DS-210053")),
    ]  # fmt: skip
    return tag(
        "section",
        tag("h2", "Standards and citation"),
        tag("p", "This folder is an ", link("https://w3id.org/ro/crate/1.1", "RO-Crate 1.1"), ". It conforms to:"),
        tag("ul", profiles),
        tag("p", "To cite the form in which it is written:"),
        tag("ul", papers),
    )


def footer(view: View) -> Content:
    """Show who wrote this, and when."""
    return [f"Written by wfx {view.record.plan.wfx} on ", view.time(view.record.ended), "."]
