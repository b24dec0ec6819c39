"""Identifiers: what they say, and what they are computed from, with swh.model as the judge."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from swh.model.model import Content, Directory, DirectoryEntry
from swh.model.swhids import QualifiedSWHID
from wfx.errors import DefinitionError
from wfx.fetching import Reference
from wfx.testing.benches import FetchBench
from wfx_swh.objects import Entry, content_hash, directory_hash
from wfx_swh.swhids import Swhid, parse_swhid

HASH = "94a9ed024d3859793618152ea559a168bbcbb5e2"
TYPES = {0o100644: "file", 0o100755: "file", 0o120000: "file", 0o040000: "dir", 0o160000: "rev", 0o100664: "file"}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"swh:1:dir:{HASH}", ""),
        (f"swh:1:rev:{HASH};path=/wf/main.cwl", "wf/main.cwl"),
        (f"swh:1:rev:{HASH};origin=https://example.org/a;path=/a%3Bb%25/c", "a;b%/c"),
        (f"swh:1:dir:{HASH};anchor=swh:1:rev:{HASH};path=/sub", ""),
        (f"swh:1:cnt:{HASH};anchor=swh:1:rev:{HASH};visit=swh:1:snp:{HASH};path=/sub/a.txt", "sub/a.txt"),
        (f"swh:1:dir:{HASH}#path=sub/a%20b", "sub/a b"),
    ],
    ids=["core", "path", "escaped", "anchor", "file", "fragment"],
)
def test_an_identifier_is_read(text: str, path: str) -> None:
    found = parse_swhid(Reference(text))
    assert found.path == path
    judged = QualifiedSWHID.from_string(text.partition("#")[0])
    assert str(found) == f"swh:1:{judged.object_type.value}:{judged.object_id.hex()}"
    assert parse_swhid(found.reference()) == (found if found.type != "cnt" else Swhid("cnt", HASH))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"swh:2:dir:{HASH}", "only version 1"),
        (f"swh:1:ori:{HASH}", "origins"),
        (f"swh:1:dir:{HASH[:-1]}", "40 digits"),
        (f"swh:1:dir:{HASH.upper()}", "small"),
        (f"swh:1:cnt:{HASH};lines=1-2", "leave ;lines= out"),
        (f"swh:1:cnt:{HASH};bytes=1-2", "leave ;bytes= out"),
        (f"swh:1:dir:{HASH};branch=main", "branch=main"),
        (f"swh:1:dir:{HASH};anchor=swh:1:cnt:{HASH}", "anchor"),
        (f"swh:1:dir:{HASH};visit=swh:1:rev:{HASH}", "visit"),
        (f"swh:1:dir:{HASH};path=/a;path=/b", "two qualifiers"),
        (f"swh:1:dir:{HASH};path=/a/../b", "none of a tree"),
        (f"swh:1:dir:{HASH};path=/a#path=b", "two paths"),
    ],
    ids=[
        "version",
        "origin",
        "short",
        "upper",
        "lines",
        "bytes",
        "unknown",
        "anchor",
        "visit",
        "twice",
        "dots",
        "both",
    ],
)
def test_what_is_none_is_told_without_a_question(text: str, told: str, archive: Any, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match=told):
        bench.one(text)
    assert not archive.requests


@given(st.binary(max_size=2000), st.integers(1, 700))
def test_the_hash_of_a_content_is_that_of_the_archive(data: bytes, step: int) -> None:
    found = content_hash(len(data))
    for at in range(0, len(data), step):
        found.update(data[at : at + step])
    assert found.hexdigest() == Content.from_data(data).sha1_git.hex()


NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: b"/" not in name and b"\0" not in name)


@given(
    st.dictionaries(NAMES, st.tuples(st.sampled_from(sorted(TYPES)), st.binary(min_size=20, max_size=20)), max_size=8)
)
def test_the_hash_of_a_directory_is_that_of_the_archive(rows: dict[bytes, tuple[int, bytes]]) -> None:
    judged = Directory(entries=tuple(
        DirectoryEntry(name=name, type=TYPES[perms], target=target, perms=perms)  # type: ignore[arg-type]
        for name, (perms, target) in rows.items()
    ))  # fmt: skip
    ours = directory_hash(Entry(perms, name, target.hex()) for name, (perms, target) in rows.items())
    assert ours == judged.id.hex()
