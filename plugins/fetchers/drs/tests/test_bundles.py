"""Bundles are folders: names, nesting, several servers, and bundles without end."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from wfx.errors import AccessDenied, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.testing.benches import FetchBench


def sum_of(algorithm: str, *parts: bytes) -> str:
    hexes = sorted(hashlib.new(algorithm, part).hexdigest() for part in parts)
    return hashlib.new(algorithm, "".join(hexes).encode()).hexdigest()


def test_a_bundle_is_a_folder_with_the_names_that_it_gives(repository: Any, bench: FetchBench) -> None:
    repository.put("1", b"one", name="other.txt")
    repository.put("2", b"two")
    repository.bundle("inner", {"b.txt": "2", "a.txt": "1"})
    ref = repository.bundle("outer", {"first.txt": "1", "deep": "inner"}, name="set", size=9)
    answer = bench.one(ref)
    assert bench.files_of(answer) == {"first.txt": b"one", "deep/a.txt": b"one", "deep/b.txt": b"two"}
    assert (answer.kind, answer.name, answer.size) == ("directory", "set", 9)
    assert bench.files_of(bench.one(ref, net=bench.net(offline=True))) == bench.files_of(answer)


def test_a_bundle_of_one_object_is_a_folder_too(repository: Any, bench: FetchBench) -> None:
    repository.put("1", b"one")
    assert bench.files_of(bench.one(repository.bundle("b", {"only.txt": "1"}))) == {"only.txt": b"one"}


def test_an_object_with_an_empty_list_of_contents_is_no_bundle(repository: Any, bench: FetchBench) -> None:
    assert bench.bytes_of(bench.one(repository.put("1", b"one", contents=[]))) == b"one"
    with pytest.raises(ReferenceNotFound, match="the bundle is empty"):
        bench.one(repository.bundle("none", {}))


def test_objects_of_another_server_are_found_there(repository: Any, another: Any, bench: FetchBench) -> None:
    there = another.put("1", b"one")
    ref = repository.bundle(
        "b", {"a": {"drs_uri": ["drs://127.0.0.1:9/x", there.uri][1:]}, "b": {"id": "2", "drs_uri": [there.uri]}}
    )
    assert bench.files_of(bench.one(ref)) == {"a": b"one", "b": b"one"}


def test_the_checksum_of_a_bundle_is_held(repository: Any, bench: FetchBench) -> None:
    repository.put("1", b"one", algorithms=["md5", "sha-256"])
    repository.put("2", b"two", algorithms=["md5", "sha-256"])
    parts = {"a": "1", "b": "2"}
    for algorithm, name in (("md5", "md5"), ("sha256", "sha-256")):
        good = [{"type": name, "checksum": sum_of(algorithm, b"one", b"two")}]
        assert len(bench.files_of(bench.one(repository.bundle(f"good{name}", parts, checksums=good)))) == 2
        bad = [{"type": name, "checksum": sum_of(algorithm, b"one", b"three")}]
        with pytest.raises(IntegrityError, match=f"the bundle's {algorithm}"):
            bench.one(repository.bundle(f"bad{name}", parts, checksums=bad))


def test_a_wrong_object_in_a_bundle_is_found_out(repository: Any, bench: FetchBench) -> None:
    repository.put("1", b"one")
    repository.put("2", b"two")
    repository.resources["/data/2"].body = b"tow"
    ref = repository.bundle("b", {"a": "1", "b": "2"})
    with pytest.raises(IntegrityError):
        bench.one(ref)
    assert bench.store.known(ref) is None
    assert bench.clean()


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../b", "..", ".", "", "a//b", "a\0b", "a\nb", "x" * 2000]
)
def test_a_name_that_leads_out_is_refused(repository: Any, bench: FetchBench, name: str) -> None:
    repository.put("1", b"one")
    with pytest.raises(PolicyError, match="has the name"):
        bench.one(repository.bundle("b", {name: "1"}))


def test_two_objects_of_one_name_are_refused(repository: Any, bench: FetchBench) -> None:
    repository.put("1", b"one")
    ref = repository.describe("b", contents=[{"name": "a", "id": "1"}, {"name": "a", "id": "1"}])
    with pytest.raises(FetchError, match="the same name"):
        bench.one(ref)


def test_a_file_and_a_folder_of_one_name_are_refused(repository: Any, bench: FetchBench) -> None:
    repository.put("1", b"one")
    repository.bundle("inner", {"x": "1"})
    ref = repository.describe("b", contents=[{"name": "a", "id": "inner"}, {"name": "a/x", "id": "1"}])
    with pytest.raises(FetchError, match="the same name"):
        bench.one(ref)


def test_a_bundle_that_is_in_itself_is_refused(repository: Any, bench: FetchBench) -> None:
    repository.bundle("a", {"b": "b"})
    repository.bundle("b", {"c": "c"})
    repository.bundle("c", {"a": "a"})
    for top in ("a", "b"):
        with pytest.raises(PolicyError, match="the bundle is in itself"):
            bench.one(repository.bundle("top", {"x": top}))


def test_a_bundle_in_two_places_is_no_circle(repository: Any, bench: FetchBench) -> None:
    repository.put("1", b"one")
    repository.bundle("shared", {"x": "1"})
    ref = repository.bundle("b", {"left": "shared", "right": "shared"})
    assert set(bench.files_of(bench.one(ref))) == {"left/x", "right/x"}


def test_a_bundle_without_a_bottom_is_refused(repository: Any, bench: FetchBench) -> None:
    for number in range(50):
        repository.bundle(f"n{number}", {"down": f"n{number + 1}"})
    with pytest.raises(PolicyError, match="deeper than 32 levels"):
        bench.one(repository.bundle("top", {"down": "n0"}))
    assert len(repository.requests) < 50


def test_a_bundle_that_grows_without_end_is_refused(
    repository: Any, bench: FetchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wfx_drs.bundles.MOST_OBJECTS", 200)
    for number in range(30):
        repository.bundle(f"n{number}", {f"{part}": f"n{number + 1}" for part in range(4)})
    with pytest.raises(PolicyError, match="more than 200 objects"):
        bench.one(repository.bundle("top", {"down": "n0"}))
    assert len(repository.requests) < 300


def test_a_bundle_may_not_lead_into_a_private_network(repository: Any, bench: FetchBench) -> None:
    ref = repository.bundle("b", {"a": {"drs_uri": ["drs://169.254.169.254/latest"]}})
    with pytest.raises(PolicyError):
        bench.one(ref)


def test_a_refused_object_of_a_bundle_refuses_it_all(repository: Any, bench: FetchBench) -> None:
    repository.put("1", b"one")
    repository.put("2", b"two")
    repository.resources[repository.path("2")].status = 403
    with pytest.raises(AccessDenied):
        bench.one(repository.bundle("b", {"a": "1", "b": "2"}))


def test_what_a_bundle_lists_and_nobody_has_is_named(repository: Any, bench: FetchBench) -> None:
    with pytest.raises(ReferenceNotFound, match="nothing-here"):
        bench.one(repository.bundle("b", {"a": "nothing-here"}))
