"""Files and folders of a run as entities: what is in the crate by its path, what was there only meanwhile by its digest."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wfx.planning import Document
from wfx.references import Reference
from wfx.running import RunRecord
from wfx.staging import Locked
from wfx.values import JsonValue

from wfx_ro_crate.graph import ROOT, Graph, as_bytes, local_id, path_id, ref
from wfx_ro_crate.media import format_label, media_type

ALGORITHMS = {"sha256": "sha256", "sha1": "sha1", "sha512": "sha512", "md5": "md5"}
Object = dict[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Proof:
    """What is known of a file's bytes before they are read."""

    sha256: str = ""
    size: int | None = None


class Files:
    """Enters files once each; reads one only where nobody has said its sha256."""

    def __init__(self, record: RunRecord, directory: Path, graph: Graph) -> None:
        self.graph = graph
        self.directory = directory
        self.locked: dict[str, Locked] = {item.path: item for item in record.lock.items}
        self.documents: dict[str, Document] = {f"workflow/{d.path}": d for d in record.plan.workflow.documents}
        self.accessed = record.plan.created
        self._proofs: dict[str, Proof] = {
            **{path: Proof(item.sha256, item.size) for path, item in self.locked.items() if item.kind == "file"},
            **{path: Proof(item.sha256, item.size) for path, item in self.documents.items()},
        }
        self._there: dict[str, os.stat_result | None] = {}
        self._by_content: dict[tuple[str, str], str] = {}

    # -- what lies in the crate

    def look(self, path: str) -> os.stat_result | None:
        """Return what is at a path of the crate, links not followed; None for what is not there or not of it."""
        if path not in self._there:
            self._there[path] = self._stat(path)
        return self._there[path]

    def _stat(self, path: str) -> os.stat_result | None:
        parts = path.rstrip("/").split("/")
        if path.startswith("/") or parts[0] in ("", ".", ".wfx") or ".." in parts or "\0" in path:
            return None
        try:
            return os.lstat(self.directory / path)
        except (OSError, ValueError):
            return None

    def path(self, path: str, **properties: str) -> str | None:
        """Enter a regular file of the crate; None where there is none."""
        identifier = path_id(path)
        if identifier in self.graph:
            return identifier
        info = self.look(path)
        if info is None or not stat.S_ISREG(info.st_mode):
            return None
        proof = self._proofs.get(path, Proof())
        name = path.rpartition("/")[2]
        locked = self.locked.get(path)
        self.graph.add(
            identifier,
            "File",
            name=properties.pop("name", name),
            contentSize=str(info.st_size),
            sha256=proof.sha256 if proof.sha256 and proof.size == info.st_size else self._hash(path),
            encodingFormat=media_type(name, locked.media_type if locked else None),
            **properties,
        )
        self.graph.link(ROOT, "hasPart", identifier)
        if locked is not None:
            self._origin(identifier, locked)
        return identifier

    def _hash(self, path: str) -> str:
        try:
            with (self.directory / path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return ""

    def _origin(self, identifier: str, item: Locked) -> None:
        """Say where an input came from; of a file of the user's machine nothing is said."""
        graph = self.graph
        if item.licence:
            one, *more = (licence(graph, each) for each in item.licence.split(" AND "))
            graph.set(identifier, "license", [one, *more] if more else one)
        if item.attribution:
            graph.set(
                identifier, "creditText", list(item.attribution) if len(item.attribution) > 1 else item.attribution[0]
            )
        if item.origin.on_this_machine or item.origin.scheme == "data":
            return
        pinned = item.pinned or item.origin
        address = web_address(pinned)
        if address:
            graph.set(identifier, "url", address)
        if item.revision:
            graph.set(identifier, "version", item.revision)
        graph.set(identifier, "identifier", list(dict.fromkeys(str(r) for r in (pinned, item.origin, *item.hops))))
        graph.set(identifier, "sdDatePublished", self.accessed)

    def folder(self, path: str, *, listed: bool) -> str | None:
        """Enter a folder of the crate, with `listed` each file below it too; None where there is none."""
        path = path.rstrip("/")
        identifier = path_id(path, folder=True)
        if identifier in self.graph:
            return identifier
        info = self.look(path)
        if info is None or not stat.S_ISDIR(info.st_mode):
            return None
        self.graph.add(identifier, "Dataset", name=path.rpartition("/")[2])
        self.graph.link(ROOT, "hasPart", identifier)
        locked = self.locked.get(path)
        if locked is not None:
            # One digest proves the whole folder, so its files need not be read again to be listed.
            self.graph.set(identifier, "contentSize", str(locked.size))
            self.graph.set(
                identifier,
                "description",
                f"A folder of {locked.size} bytes; the sha256 of its manifest is {locked.sha256}.",
            )
            self._origin(identifier, locked)
        if listed:
            for file in self.below(path):
                entered = self.path(file)
                if entered is not None:
                    self.graph.link(identifier, "hasPart", entered)
        return identifier

    def below(self, path: str) -> Iterator[str]:
        """Yield the paths of the files below a folder of the crate, links to folders not followed."""
        base = self.directory / path
        for parent, folders, names in os.walk(base):
            folders.sort()
            below = os.path.relpath(parent, base)
            for name in sorted(names):
                yield f"{path}/{name}" if below == "." else f"{path}/{below}/{name}"

    # -- values

    def learn(self, value: JsonValue) -> None:
        """Remember the contents of the files in a value that lie in the crate, to know them again elsewhere."""
        for item in objects(value):
            place = item.get("location")
            if item["class"] != "File" or not isinstance(place, str) or self.look(place) is None:
                continue
            checksum = str(item.get("checksum") or "")
            if checksum:
                self._by_content.setdefault((checksum, basename(item)), place)
            algorithm, _, digest = checksum.partition("$")
            size = item.get("size")
            if algorithm == "sha256" and digest and isinstance(size, int):
                self._proofs.setdefault(place, Proof(digest, size))

    def value(self, item: Object) -> str:
        """Enter a File or Directory object; one with secondary files as a Collection, the file its main entity."""
        identifier = self._folder_value(item) if item["class"] == "Directory" else self._file_value(item)
        companions = item.get("secondaryFiles")
        if not isinstance(companions, list) or not companions:
            return identifier
        parts = [
            identifier,
            *(self.value(c) for c in companions if isinstance(c, dict) and "class" in c),
        ]
        collection = local_id("collection", *(part.strip("#/") for part in parts[:2]))
        known = self.graph.linked(collection, "hasPart")
        if known and known != parts:
            collection = local_id("collection", *(part.strip("#/") for part in parts))
        if collection not in self.graph:
            self.graph.add(collection, "Collection", name=f"{basename(item)} with its secondary files")
            self.graph.set(collection, "mainEntity", ref(identifier))
            self.graph.link(collection, "hasPart", *parts)
            self.graph.link(ROOT, "mentions", collection)
        return collection

    def _file_value(self, item: Object) -> str:
        checksum, name = str(item.get("checksum") or ""), basename(item)
        identifier = None
        place = item.get("location")
        if isinstance(place, str) and place:
            identifier = self.path(place)
        if identifier is None and checksum and (checksum, name) in self._by_content:
            identifier = self.path(self._by_content[checksum, name])
        if identifier is None:
            identifier = self._absent_file(item, checksum, name)
        self._format(identifier, item)
        return identifier

    def _absent_file(self, item: Object, checksum: str, name: str) -> str:
        """Enter a file that existed only during the run; its id is no path, so nobody looks for it in the crate."""
        contents = item.get("contents")
        size = item.get("size")
        if isinstance(contents, str):
            data = as_bytes(contents)
            checksum, size = f"sha256${hashlib.sha256(data).hexdigest()}", len(data)
        algorithm, _, digest = checksum.partition("$")
        identifier = local_id("file", digest[:16] or f"{size if isinstance(size, int) else ''}", name)
        if identifier in self.graph:
            return identifier
        self.graph.add(
            identifier,
            "File",
            name=name,
            description="A literal of the inputs or of a step." if isinstance(contents, str)
            else "It was made and used during the run, and was not kept in the crate.",
            contentSize=str(size) if isinstance(size, int) else None,
            encodingFormat=media_type(name),
            text=contents if isinstance(contents, str) else None,
        )  # fmt: skip
        if digest and algorithm in ALGORITHMS:
            self.graph.set(identifier, ALGORITHMS[algorithm], digest)
        return identifier

    def _folder_value(self, item: Object) -> str:
        place = item.get("location")
        if isinstance(place, str) and place:
            identifier = self.folder(place, listed=place.startswith("outputs"))
            if identifier is not None:
                return identifier
        listing = item.get("listing")
        parts = [self.value(i) for i in listing if isinstance(i, dict)] if isinstance(listing, list) else []
        mark = hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
        identifier = local_id("folder", mark, basename(item)) + "/"
        if identifier not in self.graph:
            self.graph.add(
                identifier,
                "Dataset",
                name=basename(item),
                description="It was made and used during the run, and was not kept in the crate as a folder.",
            )
            self.graph.link(identifier, "hasPart", *parts)
        return identifier

    def _format(self, identifier: str, item: Object) -> None:
        """Add the format that the workflow states to the media type."""
        stated = item.get("format")
        kind = self.graph.get(identifier, "encodingFormat")
        if isinstance(stated, str) and "://" in stated and isinstance(kind, str):
            self.graph.set(identifier, "encodingFormat", [kind, ref(file_format(self.graph, stated))])


def file_format(graph: Graph, iri: str) -> str:
    """Enter a format by its IRI (RO-Crate 1.1, "Adding detailed descriptions of encodings")."""
    return graph.add(graph.clean(iri), "WebSite", name=format_label(iri))


def licence(graph: Graph, stated: str) -> dict[str, str]:
    """Enter a licence by SPDX identifier or URI and return a reference to it."""
    stated = stated.strip()
    if "://" in stated:
        identifier, name = graph.clean(stated).replace(" ", "%20"), stated
        tail = stated.rstrip("/").rpartition("/")[2]
        if "spdx.org/licenses/" in stated:
            name = tail.removesuffix(".html").removesuffix(".json")
    elif stated.replace("-", "").replace(".", "").replace("+", "").isalnum():
        identifier, name = f"https://spdx.org/licenses/{stated}", stated
    else:
        identifier, name = local_id("licence", stated[:60]), stated
    graph.add(identifier, "CreativeWork", name=name, description=f"The licence stated: {stated}")
    if identifier.startswith("https://spdx.org/licenses/"):
        graph.add(identifier, "CreativeWork", identifier=name, url=identifier)
    return ref(identifier)


def web_address(reference: Reference) -> str:
    """Return an address that a browser can open: of a git reference its repository; empty where there is none."""
    uri = reference.safe()
    scheme, _, rest = uri.partition(":")
    if scheme in ("http", "https", "ftp"):
        return uri
    if scheme in ("git+https", "git+http"):
        head = rest.partition("#")[0]
        authority, path = head[2:].partition("/")[::2]
        return f"{scheme.removeprefix('git+')}://{authority}/{path.partition('@')[0]}"
    return ""


def basename(item: Mapping[str, JsonValue]) -> str:
    """Return the name of a File or Directory object."""
    name = item.get("basename")
    if isinstance(name, str) and name:
        return name
    place = item.get("location")
    return (
        place.rstrip("/").rpartition("/")[2]
        if isinstance(place, str) and place
        else str(item.get("class", "File")).lower()
    )


def objects(value: JsonValue) -> Iterator[Object]:
    """Yield the File and Directory objects in a value, those within others too."""
    if isinstance(value, list):
        for item in value:
            yield from objects(item)
    elif isinstance(value, dict):
        if value.get("class") in ("File", "Directory"):
            yield value
        for item in value.values():
            if isinstance(item, (list, dict)):
                yield from objects(item)
