"""Hold a bag to its manifests (RFC 8493 §3): every file of the payload is listed and has its digest, and no other."""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Generator, Iterator
from pathlib import Path, PurePosixPath

from wfx.crates.payloads import FolderPayload, Payload, ZipPayload, confined, open_zip
from wfx.errors import WfxError
from wfx.exporting import Finding

from wfx_bagit.tags import PAYLOAD, decoded

MANIFEST = re.compile(r"(tag)?manifest-([a-z0-9]+)\.txt")
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
MOST = 20
CLAUSES = {
    "declaration": "2.1.1", "manifest": "2.1.3", "manifest-line": "2.1.3", "path": "2.1.3", "missing": "3", "digest": "3",
    "unlisted": "3",
}  # fmt: skip


def check(place: Path) -> list[Finding]:
    """Return what is wrong with a bag."""
    payload = _open(place)
    if payload is None:
        return [_found("declaration", "it is no bag: there is no bagit.txt", str(place))]
    findings = list(_findings(payload))
    if len(findings) > MOST:
        rest = Finding("error", "bag-more", f"and {len(findings) - MOST} more", str(place))
        return [*findings[:MOST], rest]
    return findings


def _open(place: Path) -> Payload | None:
    if place.is_dir():
        folder = FolderPayload(place)
        return folder if folder.size("bagit.txt") is not None else None
    archive = open_zip(place)
    tops = {PurePosixPath(name).parts[0] for name in archive.namelist() if name.strip("/")}
    for prefix in ("", *(f"{top}/" for top in tops if len(tops) == 1)):
        packed = ZipPayload(archive, prefix)
        if packed.size("bagit.txt") is not None:
            return packed
    return None


def _findings(bag: Payload) -> Iterator[Finding]:
    with bag.open("bagit.txt") as file:
        declaration = file.read(4096).decode("utf-8", "replace")
    if not re.search(r"^BagIt-Version:\s*\d+\.\d+\s*$", declaration, re.M | re.I):
        yield _found("declaration", "it names no version of BagIt", "bagit.txt")
    files = set(bag.files())
    manifests = [path for path in sorted(files) if MANIFEST.fullmatch(path)]
    if not any(not path.startswith("tag") for path in manifests):
        yield _found("manifest", "there is no manifest of the payload", "manifest-ALGORITHM.txt")
    payload = {path for path in files if path.startswith(f"{PAYLOAD}/")}
    for manifest in manifests:
        match = MANIFEST.fullmatch(manifest)
        assert match is not None
        tag, algorithm = match.groups()
        if algorithm not in ALGORITHMS:
            yield Finding("warning", "bag-algorithm", f"digests by {algorithm} cannot be looked at", manifest)
            continue
        listed = yield from _manifest(bag, manifest, algorithm)
        if not tag:
            for path in sorted(payload - listed):
                yield _found("unlisted", f"it lies in the payload, and {manifest} does not list it", path)


def _manifest(bag: Payload, manifest: str, algorithm: str) -> Generator[Finding, None, set[str]]:
    listed: set[str] = set()
    with bag.open(manifest) as file:
        text = file.read().decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        stated, _, rest = line.strip().partition(" ")
        path = decoded(rest.lstrip(" *").removeprefix("./"))
        if not path or not re.fullmatch(r"[0-9a-fA-F]+", stated):
            yield _found("manifest-line", "it is not DIGEST PATH", f"{manifest}:{number}")
            continue
        listed.add(path)
        if not confined(path):
            yield _found("path", "it leads out of the bag", path)
        elif bag.size(path) is None:
            yield _found("missing", f"{manifest} lists it, and it is not in the bag", path)
        elif (found := _digest(bag, path, algorithm)) != stated.lower():
            yield _found("digest", f"its {algorithm} is {found[:16]}…, and {stated[:16]}… is stated", path)
    return listed


def _digest(bag: Payload, path: str, algorithm: str) -> str:
    found = hashlib.new(algorithm, usedforsecurity=False)
    try:
        with bag.open(path) as file:
            while chunk := file.read(1 << 20):
                found.update(chunk)
    except (OSError, EOFError, zipfile.BadZipFile, WfxError):
        return "unreadable"
    return found.hexdigest()


def _found(code: str, message: str, where: str) -> Finding:
    return Finding("error", f"bag-{code}", message, where, f"RFC 8493 §{CLAUSES[code]}")
