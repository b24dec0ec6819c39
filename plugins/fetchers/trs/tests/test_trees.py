"""Versions become trees: where files lie, what is pinned, what is held, and registries that are not to be trusted."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Net, Reference
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer
from wfx_trs import TrsFetcher
from wfx_trs.addresses import TrsAddress

FLOW = {"main.cwl": b"class: Workflow\n", "tools/sort.cwl": b"class: CommandLineTool\n", "in put/#1.txt": b"\xff\x00"}
TOKEN = "canary-51a7f09e6c"


def tree(bench: FetchBench, ref: Reference, **options: Any) -> tuple[str, dict[str, bytes]]:
    """Return the entry of a workflow, and the files of its tree."""
    answer = bench.one(ref, **options)
    assert answer.kind == "file"
    assert answer.tree
    found = {}
    for item in bench.store.manifest(answer.tree).entries:
        path = bench.store.blob(item.sha256) if item.sha256 else None
        if path is not None:
            found[item.path] = path.read_bytes()
    return answer.entry, found


def pin(bench: FetchBench, ref: Reference) -> Any:
    net = bench.net()
    try:
        return TrsFetcher().pin(ref, net)
    finally:
        net.close()


# -- trees


def test_a_version_is_a_tree_with_the_primary_descriptor_as_entry(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("wf/1", "v1", FLOW)
    assert tree(bench, ref) == ("main.cwl", FLOW)
    answer = bench.one(ref)
    assert bench.bytes_of(answer) == FLOW["main.cwl"]
    assert answer.revision == "v1"
    assert answer.from_store


def test_offline_the_store_answers(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("wf/1", "v1", FLOW)
    first = tree(bench, ref)
    before = len(registry.requests)
    assert tree(bench, ref, net=bench.net(offline=True)) == first
    assert len(registry.requests) == before


def test_a_pinned_version_is_not_fetched_again_and_asks_for_nothing(registry: Any, bench: FetchBench) -> None:
    pinned = pin(bench, registry.publish("wf/1", "v1", FLOW)).reference
    first = tree(bench, pinned)
    before = len(registry.requests)
    assert tree(bench, pinned) == first
    assert len(registry.requests) == before
    assert TrsFetcher.never_changes(pinned)


def test_one_file_of_a_version_can_be_named(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("wf/1", "v1", FLOW)
    whole = tree(bench, ref)
    part = bench.one(Reference(f"{ref.uri}#path=tools/sort.cwl"))
    assert bench.bytes_of(part) == FLOW["tools/sort.cwl"]
    assert bench.files_of(bench.one(Reference(f"{ref.uri}#path=tools"))) == {"sort.cwl": FLOW["tools/sort.cwl"]}
    assert tree(bench, ref) == whole
    with pytest.raises(ReferenceNotFound, match="no 'none.cwl' in it"):
        bench.one(Reference(f"{ref.uri}#path=none.cwl"))


def test_paths_above_the_workflow_are_put_into_the_tree(registry: Any, bench: FetchBench) -> None:
    files = {"main.wdl": b"m", "../tasks/a.wdl": b"a", "../../structs/b.wdl": b"b", "sub/c.wdl": b"c"}
    entry, found = tree(bench, registry.publish("w", "1", files, kind="WDL"))
    assert (entry, found) == (
        "_/_/main.wdl", {"_/_/main.wdl": b"m", "_/tasks/a.wdl": b"a", "structs/b.wdl": b"b", "_/_/sub/c.wdl": b"c"}
    )  # fmt: skip
    asked = [request.path for request in registry.requests if "descriptor" in request.path]
    assert any(path.endswith("/descriptor/..%2F..%2Fstructs%2Fb.wdl") for path in asked), "its slashes are escaped"


def test_dockstores_absolute_paths_say_where_files_really_lie(registry: Any, bench: FetchBench) -> None:
    places = {"main.wdl": "/wf/wgs/main.wdl", "../../tasks/a.wdl": "/tasks/a.wdl"}
    ref = registry.publish(
        "w", "1", {"main.wdl": b"m", "../../tasks/a.wdl": b"a"}, kind="WDL",
        extra=lambda path: {"dockstore_absolute_path": places[path]},
    )  # fmt: skip
    assert tree(bench, ref) == ("wf/wgs/main.wdl", {"wf/wgs/main.wdl": b"m", "tasks/a.wdl": b"a"})


def test_an_absolute_path_of_the_workflow_is_where_the_others_are_relative_to(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("w", "1", {"/pipes/x/main.wdl": b"m", "tasks.wdl": b"t"}, kind="WDL")
    assert tree(bench, ref) == ("pipes/x/main.wdl", {"pipes/x/main.wdl": b"m", "pipes/x/tasks.wdl": b"t"})
    asked = [request.path for request in registry.requests if "descriptor" in request.path]
    assert any(path.endswith("/descriptor/%2Fpipes%2Fx%2Fmain.wdl") for path in asked)


def test_addresses_in_place_of_paths_are_fetched_from_there(registry: Any, bench: FetchBench) -> None:
    urls = [
        registry.add("/raw/c0ffee/wf/main.cwl", b"m"), registry.add("/raw/c0ffee/wf/tools/a%20b.cwl", b"t"),
        registry.add("/raw/c0ffee/other/c.cwl", b"c"),
    ]  # fmt: skip
    ref = registry.publish("w", "1", dict(zip(urls, (b"m", b"t", b"c"), strict=True)))
    assert tree(bench, ref) == ("wf/main.cwl", {"wf/main.cwl": b"m", "wf/tools/a b.cwl": b"t", "other/c.cwl": b"c"})


def test_a_registry_that_only_wraps_files_is_read_too(registry: Any, bench: FetchBench) -> None:
    files = {"main.cwl": "class: Workflow # ü\n".encode(), "a.cwl": b"a"}
    assert tree(bench, registry.publish("w", "1", files, plain=False)) == ("main.cwl", files)


def test_a_wrapper_may_have_an_address_in_place_of_the_content(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m"}, plain=False)
    path = next(path for path in registry.resources if path.endswith("/CWL/descriptor/main.cwl"))
    registry.add(path, json.dumps({"url": registry.add("/raw/main.cwl", b"m"), "checksum": []}).encode())
    assert tree(bench, ref) == ("main.cwl", {"main.cwl": b"m"})
    registry.add(path, b'{"checksum": []}')
    with pytest.raises(FetchError, match="neither content nor address"):
        bench.one(registry_version(registry, "2", {"main.cwl": b"m"}))


def registry_version(registry: Any, version: str, files: dict[str, bytes]) -> Reference:
    ref = registry.publish("w", version, files, plain=False)
    path = next(path for path in registry.resources if f"/{version}/CWL/descriptor/" in path)
    registry.resources[path].body = b'{"checksum": []}'
    return ref


def test_container_and_test_files_are_part_of_it_and_may_be_missing(registry: Any, bench: FetchBench) -> None:
    roles = {
        "main.cwl": "PRIMARY_DESCRIPTOR",
        "Dockerfile": "CONTAINERFILE",
        "t/job.json": "TEST_FILE",
        "no.json": "TEST_FILE",
    }
    ref = registry.publish(
        "w", "1", {"main.cwl": b"m", "Dockerfile": b"FROM x", "t/job.json": b"{}", "no.json": b"?"}, roles=roles
    )
    base = "/ga4gh/trs/v2/tools/w/versions/1"
    for name in ("Dockerfile", "t/job.json", "no.json"):
        del registry.resources[f"{base}/PLAIN_CWL/descriptor/{name}"]
    registry.add(f"{base}/containerfile", json.dumps([{"content": "FROM x"}]).encode())
    wrapped = [
        {"content": "{}", "url": "https://example.org/t/job.json"},
        {"content": "1", "url": "https://example.org/x"},
    ]
    registry.add(f"{base}/CWL/tests", json.dumps(wrapped).encode())
    assert tree(bench, ref)[1] == {"main.cwl": b"m", "Dockerfile": b"FROM x", "t/job.json": b"{}"}


def test_a_listed_file_that_is_not_there_is_named(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m", "a.cwl": b"a"})
    del registry.resources["/ga4gh/trs/v2/tools/w/versions/1/PLAIN_CWL/descriptor/a.cwl"]
    with pytest.raises(ReferenceNotFound, match=r"lists 'a.cwl' and does not have it"):
        bench.one(ref)
    assert bench.clean()


def test_an_interface_may_be_named_in_full(registry: Any, bench: FetchBench) -> None:
    registry.base = "/api/ga4gh/trs/v2"
    registry.publish("a/b", "1.0", {"main.cwl": b"m"})
    for text in ("tools/a%2Fb/versions/1.0", "tools/a%2Fb/versions/1.0/PLAIN_CWL"):
        assert tree(bench, Reference(f"trs://{registry.host}/api/ga4gh/trs/v2/{text}"))[0] == "main.cwl"
    bench.network["sections"]["fetcher.trs"]["servers"] = [f"registry.example.org={registry.url}/api/ga4gh/trs/v2"]
    assert tree(bench, Reference("trs://registry.example.org/a%2Fb/1.0"))[0] == "main.cwl"


# -- versions and languages


def test_without_a_version_the_newest_that_does_not_change_is_taken(registry: Any, bench: FetchBench) -> None:
    versions = {"1.9": True, "1.10": True, "v1.2": True, "2.0": False, "main": True}
    registry.versions_of("w", {name: {"is_production": fixed} for name, fixed in versions.items()})
    for name, fixed in versions.items():
        registry.publish("w", name, {"main.cwl": name.encode()}, production=fixed)
    ref = Reference(f"trs://{registry.host}/w")
    assert tree(bench, ref)[1] == {"main.cwl": b"1.10"}
    assert bench.one(ref).revision == "1.10"


def test_a_version_that_cannot_be_told_is_asked_for(registry: Any, bench: FetchBench) -> None:
    registry.versions_of("w", {"main": {}, "develop": {}})
    with pytest.raises(DefinitionError, match="it has main, develop"):
        bench.one(Reference(f"trs://{registry.host}/w"))
    registry.versions_of("none", {})
    with pytest.raises(ReferenceNotFound, match="no version"):
        bench.one(Reference(f"trs://{registry.host}/none"))


def test_a_language_is_chosen_and_can_be_asked_for(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("w", "1", {"main.nf": b"nf"}, kind="NFL")
    assert pin(bench, ref).reference.uri.partition("?")[2].startswith("type=NFL")
    with pytest.raises(ReferenceNotFound, match="no WDL in it: it has NFL"):
        bench.one(Reference(f"{ref.uri}?type=WDL"))
    item = {"url": "x", "id": "1", "descriptor_type": []}
    registry.add("/ga4gh/trs/v2/tools/w/versions/1", json.dumps(item).encode())
    with pytest.raises(DefinitionError, match="add .type= and one of CWL"):
        bench.one(ref)
    assert tree(bench, Reference(f"{ref.uri}?type=NFL"))[0] == "main.nf"


# -- pins and checksums


def test_a_branch_that_moves_is_another_tree_and_the_pinned_one_is_refused(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("w", "main", {"main.cwl": b"one"}, production=False)
    before = pin(bench, ref)
    assert before.label == "main"
    assert "?type=CWL&sha256=" in before.reference.uri
    assert tree(bench, ref)[1] == {"main.cwl": b"one"}
    registry.publish("w", "main", {"main.cwl": b"two"}, production=False)
    assert tree(bench, ref)[1] == {"main.cwl": b"two"}
    assert any("main was main" in note or "and is main" in note for note in bench.progress.notes)
    assert tree(bench, before.reference)[1] == {"main.cwl": b"one"}
    other = FetchBench(bench.store.root.parent / "other", [TrsFetcher])
    other.settings, other.network = bench.settings, bench.network
    with pytest.raises(IntegrityError, match="other files for this version"):
        other.one(before.reference)
    other.close()


@pytest.mark.parametrize("production", [False, None])
def test_without_checksums_the_bytes_themselves_are_pinned(
    registry: Any, bench: FetchBench, production: bool | None
) -> None:
    ref = registry.publish("w", "main", {"main.cwl": b"one"}, production=production, checksums="")
    first = pin(bench, ref)
    assert tree(bench, ref)[1] == {"main.cwl": b"one"}
    registry.publish("w", "main", {"main.cwl": b"two"}, production=production, checksums="")
    assert pin(bench, ref).reference != first.reference
    assert tree(bench, ref)[1] == {"main.cwl": b"two"}


@pytest.mark.parametrize("algorithm", ["sha-256", "sha256", "sha1", "md5", "sha-512"])
def test_a_files_checksum_is_held(registry: Any, bench: FetchBench, algorithm: str) -> None:
    good = registry.publish("w", "1", FLOW, checksums=algorithm)
    assert tree(bench, good)[1] == FLOW
    ref = registry.publish("w", "2", FLOW, checksums=algorithm)
    registry.resources["/ga4gh/trs/v2/tools/w/versions/2/PLAIN_CWL/descriptor/tools/sort.cwl"].body = b"other"
    with pytest.raises(IntegrityError, match=r"of tools/sort.cwl is .* where the registry states"):
        bench.one(ref)
    assert bench.store.known(ref) is None
    assert bench.clean()


def test_a_wrappers_checksum_is_held(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m"}, plain=False, checksums="")
    wrapper = {"content": "m", "checksum": [{"type": "sha1", "checksum": hashlib.sha1(b"other").hexdigest()}]}
    registry.add("/ga4gh/trs/v2/tools/w/versions/1/CWL/descriptor/main.cwl", json.dumps(wrapper).encode())
    with pytest.raises(IntegrityError, match="the sha1 of main.cwl"):
        bench.one(ref)


# -- faults


def test_refusals_are_told_apart(registry: Any, bench: FetchBench) -> None:
    for status, kind in (
        (401, AccessDenied),
        (403, AccessDenied),
        (404, ReferenceNotFound),
        (429, FetchError),
        (500, FetchError),
    ):
        ref = registry.publish(f"w{status}", "1", {"main.cwl": b"m"})
        registry.resources[f"/ga4gh/trs/v2/tools/w{status}/versions/1"].status = status
        with pytest.raises(kind, match=str(status)):
            bench.one(ref)


def test_a_busy_registry_is_asked_again(registry: Any, bench: FetchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.02)
    bench.settings = {"retries": 2}
    ref = registry.publish("w", "1", {"main.cwl": b"m"})
    registry.resources["/ga4gh/trs/v2/tools/w/versions/1"].refuse = [(429, {"Retry-After": "0"})]
    registry.resources["/ga4gh/trs/v2/tools/w/versions/1/CWL/files"].cut = [10]
    registry.resources["/ga4gh/trs/v2/tools/w/versions/1/PLAIN_CWL/descriptor/main.cwl"].cut = [0]
    assert tree(bench, ref)[1] == {"main.cwl": b"m"}


def test_a_token_is_sent_to_the_registry_and_to_no_other_host(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m", "a.cwl": b"a"})
    for resource in registry.resources.values():
        resource.authorization = f"Bearer {TOKEN}"
    host, _, port = registry.host.partition(":")
    bench.environment[f"WFX_TOKEN_{host.replace('.', '_')}_{port}"] = TOKEN
    with FaultServer() as other:
        registry.redirect("/ga4gh/trs/v2/tools/w/versions/1/PLAIN_CWL/descriptor/a.cwl", other.add("/a.cwl", b"a"))
        assert tree(bench, ref)[1] == {"main.cwl": b"m", "a.cwl": b"a"}
        assert TOKEN not in repr(other.requests)


@pytest.mark.parametrize("table", ["trs://HOST", "trs://HOST/w", "http://HOST/ga4gh"])
def test_a_token_may_be_given_for_the_reference_or_the_address(registry: Any, bench: FetchBench, table: str) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m"})
    for resource in registry.resources.values():
        resource.authorization = f"Bearer {TOKEN}"
    with pytest.raises(AccessDenied):
        bench.one(ref)
    bench.config.mkdir(exist_ok=True)
    path = bench.config / "credentials.toml"
    path.write_text(f'["{table.replace("HOST", registry.host)}"]\ntoken = "{TOKEN}"\n')
    path.chmod(0o600)
    assert tree(bench, ref)[1] == {"main.cwl": b"m"}


def test_a_page_in_place_of_a_file_is_none(registry: Any, bench: FetchBench) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"<html>log in"}, checksums="")
    path = next(path for path in registry.resources if "PLAIN_CWL" in path)
    registry.resources[path].headers["Content-Type"] = "text/html; charset=utf-8"
    with pytest.raises(FetchError, match="a page came where a file was expected"):
        bench.one(ref)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"null",
        b'{"id": ',
        b'{"id": 5}',
        b'{"id": ""}',
        b'{"id": "1", "descriptor_type": {}}',
        b'{"a":' * 999,
    ],
)
def test_a_version_that_is_none_is_an_error(registry: Any, bench: FetchBench, answer: bytes) -> None:
    registry.add("/ga4gh/trs/v2/tools/w/versions/1", answer)
    with pytest.raises(FetchError):
        bench.one(Reference(f"trs://{registry.host}/w/1"))


def test_a_page_in_place_of_an_answer_is_named(registry: Any, bench: FetchBench) -> None:
    registry.add("/ga4gh/trs/v2/tools/w/versions/1", b"<html>log in", headers={"Content-Type": "text/html"})
    with pytest.raises(FetchError, match="a page came where the registry's answer was expected"):
        bench.one(Reference(f"trs://{registry.host}/w/1"))


@pytest.mark.parametrize(
    "listed",
    [{}, ["x"], [{"file_type": "OTHER"}], [{"path": 5}], [{"path": "/"}]],
    ids=["object", "texts", "nameless", "number", "root"],
)
def test_a_list_that_is_none_is_an_error(registry: Any, bench: FetchBench, listed: Any) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m"})
    registry.add("/ga4gh/trs/v2/tools/w/versions/1/CWL/files", json.dumps(listed).encode())
    with pytest.raises(FetchError):
        bench.one(ref)


@pytest.mark.parametrize(
    "path",
    ["../" * 9 + "etc/passwd", "a\0b", "a\nb", "x" * 300, "a/" * 2500 + "b", ".", "a/..", "./"],
    ids=["up", "nul", "line", "long", "deep", "dot", "back", "slash"],
)
def test_a_path_that_leads_astray_is_refused(registry: Any, bench: FetchBench, path: str) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m"})
    listed = [{"path": "main.cwl", "file_type": "PRIMARY_DESCRIPTOR"}, {"path": path, "file_type": "OTHER"}]
    registry.add("/ga4gh/trs/v2/tools/w/versions/1/CWL/files", json.dumps(listed).encode())
    with pytest.raises(PolicyError):
        bench.one(ref)
    assert bench.clean()


def test_no_path_leads_out_of_the_tree(registry: Any, bench: FetchBench) -> None:
    files = {"main.cwl": b"m", "../../../../tmp/escaped": b"x", "/etc/escaped": b"y", "..\\..\\escaped": b"z"}
    entry, found = tree(bench, registry.publish("w", "1", files))
    assert entry == "_/_/_/_/main.cwl"
    assert set(found) == {"_/_/_/_/main.cwl", "tmp/escaped", "_/_/_/_/etc/escaped", "_/_/_/_/..\\..\\escaped"}


@pytest.mark.parametrize("paths", [["a", "./a"], ["a", "a/b"], ["x/a", "x//a"]], ids=str)
def test_two_files_in_one_place_are_refused(registry: Any, bench: FetchBench, paths: list[str]) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m"})
    listed = [{"path": "main.cwl", "file_type": "PRIMARY_DESCRIPTOR"}, *({"path": path} for path in paths)]
    registry.add("/ga4gh/trs/v2/tools/w/versions/1/CWL/files", json.dumps(listed).encode())
    with pytest.raises(FetchError, match="the same name"):
        bench.one(ref)


def test_what_the_workflow_is_has_to_be_clear(registry: Any, bench: FetchBench) -> None:
    for role, said in (("OTHER", "no primary descriptor"), ("PRIMARY_DESCRIPTOR", "more than one primary")):
        ref = registry.publish(f"w{role}", "1", {"a": b"a", "b": b"b"}, roles={"a": role, "b": role})
        with pytest.raises(DefinitionError, match=f"{said} descriptor.*it has a, b" if "one" in said else said):
            bench.one(ref)
        assert bench.bytes_of(bench.one(Reference(f"{ref.uri}#path=b"))) == b"b"


def test_a_registry_without_end_is_refused(registry: Any, bench: FetchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wfx_trs.fetcher.LARGEST_TREE", 1000)
    monkeypatch.setattr("wfx_trs.listing.MOST_FILES", 3)
    with pytest.raises(PolicyError, match="GiB of files"):
        bench.one(registry.publish("w", "1", {"main.cwl": b"m" * 600, "b": b"b" * 600}))
    with pytest.raises(PolicyError, match="more than 3 files"):
        bench.one(registry.publish("w", "2", dict.fromkeys("abcd", b"x")))


@pytest.mark.parametrize("url", ["http://169.254.169.254/x", "http://10.0.0.1/x", "file:///etc/passwd"])
def test_a_registry_may_not_lead_into_a_private_network(registry: Any, bench: FetchBench, url: str) -> None:
    ref = registry.publish("w", "1", {"main.cwl": b"m"}, plain=False)
    registry.add("/ga4gh/trs/v2/tools/w/versions/1/CWL/descriptor/main.cwl", json.dumps({"url": url}).encode())
    with pytest.raises((PolicyError, FetchError)) as caught:
        bench.one(ref)
    assert "passwd" not in str(bench.store.known(ref))
    assert caught.value.exit_code in (4, 8)


# -- references


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("trs://h.org/1/2", ("h.org", "1", "2", "", "", "")),
        (
            "trs://H.org:8/%23workflow%2Fx%2Fy/feature%2Fz?type=nfl",
            ("h.org:8", "#workflow/x/y", "feature/z", "NFL", "", ""),
        ),
        ("trs://h.org/1", ("h.org", "1", "", "", "", "")),
        ("trs://h.org/1/2#path=a%20b", ("h.org", "1", "2", "", "a b", "")),
        ("trs://h.org/ga4gh/trs/v2/tools/1/versions/2/PLAIN_CWL", ("h.org", "1", "2", "CWL", "", "/ga4gh/trs/v2")),
    ],
)
def test_a_reference_is_read_and_written_in_one_way(uri: str, parts: tuple[str, ...]) -> None:
    address = TrsAddress.parse(Reference(uri))
    assert (address.host, address.id, address.version, address.type, address.path, address.base) == parts
    assert TrsAddress.parse(address.reference()) == address


@pytest.mark.parametrize(
    "uri", ["trs:x", "trs://", "trs://h", "trs://h/", "trs://h/#workflow/x", "trs://h/a/b/c", "trs://h/a/b?x=1"]
)
def test_what_is_no_reference_is_refused(uri: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError):
        bench.one(Reference(uri))


def test_known_registries_are_found_where_they_are() -> None:
    net = Net(offline=True)
    for uri, api in (
        ("trs://dockstore.org/x/1", "https://dockstore.org/api/ga4gh/trs/v2"),
        ("trs://workflowhub.eu/1/1", "https://workflowhub.eu/ga4gh/trs/v2"),
        ("trs://localhost:5000/1/1", "http://localhost:5000/ga4gh/trs/v2"),
    ):
        assert TrsAddress.parse(Reference(uri)).api(net) == api


@pytest.mark.parametrize(
    "section", [{"servers": "x"}, {"servers": ["x"]}, {"dockstore": 5}, {"workflowhub": "x"}, {"other": 1}]
)
def test_a_wrong_setting_is_named(bench: FetchBench, section: dict[str, Any]) -> None:
    bench.network["sections"] = {"fetcher.trs": section}
    name = next(iter(section))
    uri = {"dockstore": "dockstore:github.com/a/b", "workflowhub": "workflowhub:1@1"}.get(name, "trs://localhost:1/a/1")
    with pytest.raises(DefinitionError, match=f"fetcher.trs.{name}"):
        bench.one(Reference(uri))
