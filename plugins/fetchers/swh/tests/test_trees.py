"""Trees from a real repository: what comes is what git has, whichever way it comes, or it is an error."""

from __future__ import annotations

import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from swh.model.from_disk import Directory
from wfx.errors import AccessDenied, FetchError, IntegrityError, PolicyError, ReferenceNotFound, WfxError
from wfx.fetching import Reference
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer
from wfx_swh import ContentFetcher, SwhTreeFetcher

FILES = {
    "main.cwl": b"class: Workflow\n",
    "tools/sort.cwl": b"class: CommandLineTool\n",
    "tools.txt": b"t",
    "a b/#ü": b"\xff",
}
TOKEN = "canary-8c1f00d5aa"


@pytest.fixture
def repository(archive: Any, tmp_path: Path) -> Path:
    folder = archive.make_repository(tmp_path / "repo", FILES)
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "link").symlink_to("tools/sort.cwl")
    (folder / "same.cwl").write_bytes(FILES["main.cwl"])
    archive.git(folder, "add", "-A")
    archive.git(folder, "commit", "-q", "-m", "second")
    archive.git(folder, "tag", "-a", "-m", "one", "v1")
    archive.git(folder, "tag", "-a", "-m", "of a tag", "v1-again", "v1")
    return folder


def use(bench: FetchBench, **settings: Any) -> None:
    bench.network["sections"]["fetcher.swh"] |= settings


def checkout(bench: FetchBench, ref: str, folder: Path) -> Path:
    """Fetch the tree itself, links and modes included."""
    folder.mkdir()
    net = bench.net()
    try:
        assert SwhTreeFetcher().fetch_tree(Reference(ref), net, folder) == ""
    finally:
        net.close()
    return folder


@pytest.mark.parametrize("way", ["api", "vault"])
def test_a_tree_comes_with_its_links_and_modes(
    way: str, archive: Any, bench: FetchBench, repository: Path, tmp_path: Path
) -> None:
    archive.load(repository)
    value = archive.git(repository, "rev-parse", "HEAD^{tree}").decode()
    archive.cook(value, archive.pack(repository, value), ["new", "done"])
    use(bench, trees=way)
    folder = checkout(bench, f"swh-tree:1:dir:{value}", tmp_path / "out")
    assert str(Directory.from_disk(path=os.fsencode(folder), max_content_length=None).swhid()) == f"swh:1:dir:{value}"
    assert (folder / "link").readlink() == Path("tools/sort.cwl")
    assert os.access(folder / "run.sh", os.X_OK)
    assert not os.access(folder / "main.cwl", os.X_OK)
    asked = [request.path for request in archive.requests]
    assert any("/vault/" in path for path in asked) == (way == "vault")
    assert len([path for path in asked if "/content/" in path]) == (6 if way == "api" else 0), "each content once"


def test_releases_and_snapshots_lead_to_their_tree(archive: Any, bench: FetchBench, repository: Path) -> None:
    archive.load(repository)
    head = archive.git(repository, "rev-parse", "HEAD").decode()
    snapshot = archive.snapshot({
        b"HEAD": ("alias", b"refs/heads/main"), b"refs/heads/main": ("revision", bytes.fromhex(head)),
        b"refs/heads/gone": ("dangling", b""),
    })  # fmt: skip
    for name in (
        f"rev:{head}", f"snp:{snapshot}", f"rel:{archive.git(repository, 'rev-parse', 'v1').decode()}",
        f"rel:{archive.git(repository, 'rev-parse', 'v1-again').decode()}",
    ):  # fmt: skip
        answer = bench.one(f"swh:1:{name}")
        assert bench.files_of(answer)["main.cwl"] == FILES["main.cwl"]
        assert answer.revision == f"swh:1:{name}"
        assert answer.pinned == Reference(f"swh:1:{name}")


def test_a_path_is_a_part_with_the_tree_around_it(archive: Any, bench: FetchBench, repository: Path) -> None:
    archive.load(repository)
    head = archive.git(repository, "rev-parse", "HEAD").decode()
    answer = bench.one(f"swh:1:rev:{head};origin=https://example.org/repo;path=/tools/sort.cwl")
    assert (answer.kind, answer.entry, answer.name) == ("file", "tools/sort.cwl", "sort.cwl")
    assert bench.bytes_of(answer) == FILES["tools/sort.cwl"]
    before = len(archive.requests)
    odd = bench.one(f"swh:1:rev:{head};path=/a%20b/%23%C3%BC")
    assert bench.bytes_of(odd) == FILES["a b/#ü"]
    assert (
        bench.bytes_of(bench.one(f"swh:1:rev:{head};path=/main.cwl", net=bench.net(offline=True)))
        == b"class: Workflow\n"
    )
    assert len(archive.requests) == before, "the store has the tree, which never changes"
    with pytest.raises(ReferenceNotFound, match=r"no 'none.cwl' in it"):
        bench.one(f"swh:1:rev:{head};path=/none.cwl")


def test_a_snapshot_without_a_head_says_which_branches_it_has(
    archive: Any, bench: FetchBench, repository: Path
) -> None:
    archive.load(repository)
    head = bytes.fromhex(archive.git(repository, "rev-parse", "HEAD").decode())
    two = archive.snapshot({b"refs/heads/a": ("revision", head), b"refs/heads/b": ("revision", head)})
    with pytest.raises(FetchError, match="refs/heads/a, refs/heads/b"):
        bench.one(f"swh:1:snp:{two}")
    one = archive.snapshot({b"refs/heads/a": ("revision", head)})
    assert "main.cwl" in bench.files_of(bench.one(f"swh:1:snp:{one}"))


def test_a_name_that_is_no_utf8_is_taken_from_the_raw_form(archive: Any, bench: FetchBench, tmp_path: Path) -> None:
    folder = archive.make_repository(tmp_path / "repo", {"x": b"x"})
    (folder / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"latin")
    archive.git(folder, "add", "-A")
    archive.git(folder, "commit", "-q", "-m", "latin")
    archive.load(folder)
    value = archive.git(folder, "rev-parse", "HEAD^{tree}").decode()
    assert bench.files_of(bench.one(f"swh:1:dir:{value}")) == {"x": b"x", os.fsdecode(b"caf\xe9.txt"): b"latin"}
    assert archive.asked(f"/api/1/raw/swh:1:dir:{value}/")


# -- what is not what it says it is


@pytest.mark.parametrize("kind", ["content", "directory", "revision"])
def test_what_has_another_hash_is_refused(kind: str, archive: Any, bench: FetchBench, repository: Path) -> None:
    archive.load(repository)
    head, value = (archive.git(repository, "rev-parse", each).decode() for each in ("HEAD", "HEAD^{tree}"))
    blob = archive.git(repository, "rev-parse", "HEAD:main.cwl").decode()
    if kind == "content":
        archive.resources[f"/api/1/content/sha1_git:{blob}/raw/"].body = b"class: Workfl0w\n"
    elif kind == "revision":
        archive.resources[f"/api/1/raw/swh:1:rev:{head}/"].flip = True
    else:
        rows = json.loads(archive.resources[f"/api/1/directory/{value}/"].body)
        archive.resources[f"/api/1/directory/{value}/"].body = json.dumps(rows[1:]).encode()
        archive.resources[f"/api/1/raw/swh:1:dir:{value}/"].flip = True
    with pytest.raises(IntegrityError, match="the archive gave") as caught:
        bench.one(f"swh:1:rev:{head}")
    assert caught.value.exit_code == 5
    assert bench.store.known(Reference(f"swh:1:rev:{head}")) is None
    assert bench.clean()


def test_a_listing_that_lies_is_corrected_by_the_raw_form(archive: Any, bench: FetchBench) -> None:
    value = archive.tree({"a": b"a", "b": b"b"})
    rows = json.loads(archive.resources[f"/api/1/directory/{value}/"].body)
    archive.resources[f"/api/1/directory/{value}/"].body = json.dumps(rows[1:]).encode()
    assert bench.files_of(bench.one(f"swh:1:dir:{value}")) == {"a": b"a", "b": b"b"}


@pytest.mark.parametrize(
    ("change", "why"),
    [("other", "'main.cwl' is another one"), ("missing", "'main.cwl' is not in it"), ("more", "'more' is none"),
     ("placeholder", "does not have the bytes of 'tools/sort.cwl'")],
    ids=["other", "missing", "more", "placeholder"],
)  # fmt: skip
def test_a_bundle_of_another_tree_is_refused_by_name(
    change: str, why: str, archive: Any, bench: FetchBench, repository: Path
) -> None:
    archive.load(repository)
    value = archive.git(repository, "rev-parse", "HEAD^{tree}").decode()
    if change == "other":
        (repository / "main.cwl").write_bytes(b"class: Workfl0w\n")
    elif change == "missing":
        (repository / "main.cwl").unlink()
    elif change == "more":
        (repository / "more").write_bytes(b"")
    else:
        (repository / "tools/sort.cwl").write_bytes(b"This content is missing from the Software Heritage archive (x)")
    archive.cook(value, archive.pack(repository, value), ["done"])
    use(bench, trees="vault")
    with pytest.raises(IntegrityError, match=why):
        bench.one(f"swh:1:dir:{value}")
    assert bench.clean()


@pytest.mark.parametrize("way", ["api", "vault"])
def test_a_link_out_of_the_tree_is_refused(way: str, archive: Any, bench: FetchBench, repository: Path) -> None:
    (repository / "out").symlink_to("../../etc/passwd")
    archive.git(repository, "add", "-A")
    archive.load(make := repository)
    value = archive.git(make, "write-tree").decode()
    archive.load(make)
    archive.cook(value, archive.pack(make, value), ["done"])
    use(bench, trees=way)
    with pytest.raises(PolicyError):
        bench.one(f"swh:1:dir:{value}")


def test_a_name_that_leads_elsewhere_is_refused(archive: Any, bench: FetchBench) -> None:
    blob = archive.store("blob", b"x")
    value = archive.store("tree", b"100644 ..\0" + bytes.fromhex(blob))
    archive._list(value)
    with pytest.raises(PolicyError):
        bench.one(f"swh:1:dir:{value}")


def test_bytes_that_the_archive_does_not_have_are_named_at_once(archive: Any, bench: FetchBench) -> None:
    value = archive.tree({"a/b.txt": b"gone", "c": b"c"})
    [path] = [path for path, each in archive.resources.items() if each.body == b"gone"]
    rows_path = next(p for p, r in archive.resources.items() if "/directory/" in p and b"b.txt" in r.body)
    rows = json.loads(archive.resources[rows_path].body)
    rows[0]["status"] = "absent"
    archive.resources[rows_path].body = json.dumps(rows).encode()
    with pytest.raises(ReferenceNotFound, match=r"'a/b.txt'.*is absent"):
        bench.one(f"swh:1:dir:{value}")
    assert not archive.asked(path)


# -- the vault


def test_a_large_tree_is_taken_from_the_vault_and_a_small_one_is_not(
    archive: Any, bench: FetchBench, tmp_path: Path
) -> None:
    files = {f"{number}.txt": b"%d" % number for number in range(60)}
    value = archive.tree(files)
    (tmp_path / "many").mkdir()
    for name, data in files.items():
        (tmp_path / "many" / name).write_bytes(data)
    archive.cook(value, archive.pack(tmp_path / "many", value), ["pending", "done"], "Processing…")
    assert bench.files_of(bench.one(f"swh:1:dir:{value}")) == files
    assert [request.method for request in archive.asked(f"/api/1/vault/flat/swh:1:dir:{value}/")] == ["POST", "GET"]
    assert bench.files_of(bench.one(f"swh:1:dir:{archive.tree({'a': b'a'})}")) == {"a": b"a"}


def test_a_bundle_that_failed_or_takes_too_long_says_so(archive: Any, bench: FetchBench) -> None:
    value = archive.tree({"a": b"a"})
    use(bench, trees="vault")
    archive.cook(value, b"", ["failed"], "Internal Server Error. This incident will be reported.")
    with pytest.raises(FetchError, match=r"could not make a bundle.*Internal Server Error.*trees = \"api\""):
        bench.one(f"swh:1:dir:{value}")
    archive.cook(value, b"", ["pending"])
    use(bench, wait=0.4)
    with pytest.raises(FetchError, match="not ready after 0 s"):
        bench.one(f"swh:1:dir:{value}")


def test_a_token_goes_to_the_archive_and_not_to_where_bundles_are(
    archive: Any, bench: FetchBench, tmp_path: Path
) -> None:
    value = archive.tree({"a": b"a"})
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a").write_bytes(b"a")
    archive.cook(value, b"", ["done"])
    use(bench, trees="vault")
    bench.environment[f"WFX_TOKEN_127_0_0_1_{archive.port}"] = TOKEN
    bench.private = ("127.0.0.1",)
    with FaultServer() as cloud:
        target = cloud.add("/bundle", archive.pack(tmp_path / "one", value))
        path = f"/api/1/vault/flat/swh:1:dir:{value}/"
        order = archive.resources[path].on_request

        def then_elsewhere(request: Any, resource: Any) -> None:
            order(request, resource)
            archive.redirect(f"{path}raw/", target)

        archive.resources[path].on_request = then_elsewhere
        assert bench.files_of(bench.one(f"swh:1:dir:{value}")) == {"a": b"a"}
        assert [request.headers.get("authorization") for request in cloud.requests] == [None]
    assert {request.headers.get("authorization") for request in archive.requests} == {f"Bearer {TOKEN}"}


# -- limits


@pytest.mark.parametrize("header", ["Retry-After", "X-RateLimit-Reset"])
def test_when_it_was_asked_too_often_it_is_asked_again(header: str, archive: Any, bench: FetchBench) -> None:
    value = archive.tree({"a": b"a", "b": b"b"})
    when = "0" if header == "Retry-After" else str(int(time.time()))
    for path, resource in archive.resources.items():
        if "/directory/" in path or (path.endswith("/raw/") and header == "Retry-After"):
            resource.refuse = [(429, {header: when, "X-RateLimit-Limit": "120", "X-RateLimit-Remaining": "0"})]
    assert bench.files_of(bench.one(f"swh:1:dir:{value}")) == {"a": b"a", "b": b"b"}


def test_a_long_wait_is_an_error_that_speaks_of_a_token(archive: Any, bench: FetchBench) -> None:
    value = archive.store("blob", b"x")
    archive.resources[f"/api/1/content/sha1_git:{value}/raw/"].refuse = [
        (429, {"Retry-After": "2900", "X-RateLimit-Limit": "120"})
    ]
    with pytest.raises(FetchError, match=r"asked too often.*2900 s \(its limit is 120\); give a token"):
        bench.one(f"swh:1:cnt:{value}")


def test_a_masked_object_is_a_refusal(archive: Any, bench: FetchBench) -> None:
    path = f"/api/1/content/sha1_git:{'1' * 40}/raw/"
    archive.add(path, b'{"exception": "MaskedObjectException", "reason": "masked"}', status=403)
    with pytest.raises(AccessDenied):
        bench.one(f"swh:1:cnt:{'1' * 40}")


# -- submodules


@pytest.fixture
def outer(archive: Any, tmp_path: Path) -> Path:
    inner = archive.make_repository(tmp_path / "inner", {"lib.cwl": b"lib"})
    folder = archive.make_repository(tmp_path / "outer", {"main.cwl": b"main", "z": b"z"})
    archive.git(folder, "submodule", "add", "-q", str(inner), "deps/lib")
    archive.git(folder, "commit", "-q", "-m", "submodule")
    return folder


@pytest.mark.parametrize("way", ["api", "vault"])
def test_submodules_come_from_the_archive(way: str, archive: Any, bench: FetchBench, outer: Path) -> None:
    inner = outer.parent / "inner"
    for folder in (outer, inner):
        archive.load(folder)
        value = archive.git(folder, "rev-parse", "HEAD^{tree}").decode()
        archive.cook(value, archive.pack(folder, value), ["done"])
    if way == "vault":
        # The vault makes an empty folder of a submodule.
        (outer / "deps/lib/lib.cwl").unlink()
        value = archive.git(outer, "rev-parse", "HEAD^{tree}").decode()
        archive.cook(value, archive.pack(outer, value), ["done"])
    use(bench, trees=way)
    found = bench.files_of(bench.one(f"swh:1:rev:{archive.git(outer, 'rev-parse', 'HEAD').decode()}"))
    assert found["deps/lib/lib.cwl"] == b"lib"
    assert found["main.cwl"] == b"main"


def test_a_submodule_that_is_not_archived_is_named_or_left_empty(
    archive: Any, bench: FetchBench, outer: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archive.load(outer)
    ref = f"swh:1:rev:{archive.git(outer, 'rev-parse', 'HEAD').decode()}"
    with pytest.raises(ReferenceNotFound, match=r"submodule 'deps/lib'.*submodules = false"):
        bench.one(ref)
    use(bench, submodules=False)
    assert set(bench.files_of(bench.one(ref))) == {".gitmodules", "main.cwl", "z"}
    assert "the submodule deps/lib is left empty" in caplog.text


@pytest.mark.parametrize(
    "section",
    [{"servers": "x"}, {"server": "ftp://x"}, {"trees": "git"}, {"submodules": "no"}, {"wait": True}],
    ids=str,
)
def test_a_wrong_setting_is_told(section: dict[str, Any], archive: Any, bench: FetchBench) -> None:
    use(bench, **section)
    with pytest.raises(WfxError, match=r"fetcher\.swh\."):
        bench.one(f"swh:1:dir:{archive.tree({'a': b'a'})}")


def test_a_wait_is_broken_off_at_once(archive: Any, bench: FetchBench) -> None:
    value = archive.store("blob", b"x")
    asked = threading.Event()
    archive.resources[f"/api/1/content/sha1_git:{value}/raw/"].refuse = [(429, {"Retry-After": "600"})]
    archive.resources[f"/api/1/content/sha1_git:{value}/raw/"].on_request = lambda request, resource: asked.set()
    net, problems = bench.net(), []

    def work() -> None:
        try:
            ContentFetcher().open(Reference(f"swh-content:1:cnt:{value}"), net)
        except WfxError as error:
            problems.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert asked.wait(20)
    for _ in range(200):
        net.cancel()
        thread.join(0.05)
        if not thread.is_alive():
            break
    assert problems, "it still waits"


def test_a_file_whose_length_is_not_told_with_it_is_asked_for_it(archive: Any, bench: FetchBench) -> None:
    value = archive.store("blob", b"some bytes")
    archive.resources[f"/api/1/content/sha1_git:{value}/raw/"].chunked = True
    assert bench.bytes_of(bench.one(f"swh:1:cnt:{value}")) == b"some bytes"
    assert archive.asked(f"/api/1/content/sha1_git:{value}/")
