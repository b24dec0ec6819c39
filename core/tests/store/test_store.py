"""The store keeps every thing once, whole or not at all."""

import hashlib
import os
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.errors import IntegrityError, MachineError, PolicyError, WfxError
from wfx.references import Reference
from wfx.store import Known, Manifest, Store, TreeEntry
from wfx.store.care import gc, usage, verify
from wfx.store.copying import place

REFERENCE = Reference("https://u:p@h/x?token=t")


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store") as store:
        yield store


def leftovers(store: Store) -> list[str]:
    return sorted(p.name for p in (store.root / "tmp").iterdir())


def spoil(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)


def write_tree(folder: Path) -> Path:
    (folder / "sub" / "deep").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a").write_bytes(b"a")
    (folder / "same").write_bytes(b"a")
    (folder / "run.sh").write_bytes(b"#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "sub" / "deep" / os.fsdecode(b"odd \n\xff-name")).write_bytes(b"odd")
    (folder / "-e\u0301\U0001f600").write_bytes(b"")
    (folder / "sub" / "link").symlink_to("deep/../../a")
    (folder / "dangling").symlink_to("nowhere")
    return folder


def listing(folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        if path.is_symlink():
            found[os.fsdecode(name)] = "-> " + os.readlink(path)
        elif path.is_dir():
            found[os.fsdecode(name)] = "folder"
        else:
            found[os.fsdecode(name)] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


# -- blobs


def test_stored_bytes_lie_under_their_digest_and_cannot_be_written(store: Store) -> None:
    digest = store.add_bytes(b"x")
    path = store.blob(digest)
    assert digest == sha(b"x")
    assert path is not None
    assert path.read_bytes() == b"x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert leftovers(store) == []


def test_what_is_stored_twice_is_kept_once(store: Store) -> None:
    assert store.add_bytes(b"x") == store.add_bytes(b"x")
    assert usage(store).blobs == 1


def test_what_was_never_stored_is_not_there(store: Store) -> None:
    assert not store.has(sha(b"x"))
    with pytest.raises(IntegrityError, match="no longer in the store"):
        store.place(sha(b"x"), store.root / "y")


def test_a_blob_of_another_size_is_set_aside_when_it_is_read(store: Store) -> None:
    digest = store.add_bytes(b"x")
    spoil(store.path_of(digest), b"xx")
    assert store.blob(digest) is None
    assert usage(store).quarantined == 1
    assert store.add_bytes(b"x") == digest
    assert store.has(digest)


def test_blobs_of_a_group_are_seen_after_it(store: Store) -> None:
    with store.group():
        digests = [store.add_bytes(bytes([n])) for n in range(20)]
    assert all(store.has(d) for d in digests)
    assert leftovers(store) == []


def test_blobs_of_a_group_that_fails_are_kept_if_they_are_whole(store: Store) -> None:
    with pytest.raises(RuntimeError), store.group():
        digest = store.add_bytes(b"x")
        raise RuntimeError
    assert store.has(digest)


def test_a_group_in_another_thread_does_not_delay_what_a_thread_stores(store: Store) -> None:
    opened, done = threading.Event(), threading.Event()

    def slow() -> None:
        with store.group():
            opened.set()
            done.wait(10)

    thread = threading.Thread(target=slow)
    thread.start()
    opened.wait(10)
    try:
        with store.group():
            digest = store.add_bytes(b"x")
        assert store.has(digest)
    finally:
        done.set()
        thread.join()


def test_threads_store_the_same_things_at_once(store: Store) -> None:
    faults: list[BaseException] = []

    def work() -> None:
        try:
            for n in range(40):
                with store.group():
                    digest = store.add_bytes(str(n).encode())
                assert store.path_of(digest).read_bytes() == str(n).encode()
                with store.group():
                    digest = store.add_bytes(f"g{n}".encode())
                assert store.path_of(digest).read_bytes() == f"g{n}".encode()
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert usage(store).blobs == 80
    assert verify(store).faults == []
    assert leftovers(store) == []


# -- what was learnt


def test_a_reference_is_known_without_its_secrets(store: Store) -> None:
    known = Known(store.add_bytes(b"x"), "file", 1, name="x", pinned=Reference("https://h/y"))
    store.remember([(REFERENCE, known)])
    assert store.known(REFERENCE) == known
    assert store.references() == [("https://h/x?token=REDACTED", known)]
    assert b"u:p" not in b"".join(p.read_bytes() for p in store.root.glob("index*"))


@pytest.mark.parametrize("uri", ["file:///x", "data:,x"])
def test_what_can_change_under_its_uri_is_not_remembered(store: Store, uri: str) -> None:
    store.remember([(Reference(uri), Known(store.add_bytes(b"x"), "file", 1))])
    assert store.references() == []


def test_a_reference_whose_bytes_are_gone_is_not_known(store: Store, tmp_path: Path) -> None:
    digest = store.add_bytes(b"x")
    tree = store.add_tree(write_tree(tmp_path / "tree"))
    store.remember([(REFERENCE, Known(digest, "file", 1)), (Reference("https://h/t"), Known(tree, "directory", 1))])
    store.path_of(digest).unlink()
    store.path_of(sha(b"odd")).unlink()
    assert store.known(REFERENCE) is None
    assert store.known(Reference("https://h/t")) is None


def test_a_fact_is_remembered(store: Store) -> None:
    store.set_fact("kind", "key\udcff", {"a": [1, "é\udcff"]})
    assert store.fact("kind", "key\udcff") == {"a": [1, "é\udcff"]}
    assert store.fact("kind", "other") is None


# -- a user's own files


def test_a_file_that_changed_after_it_was_hashed_is_hashed_again(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x"
    for data in (b"one", b"two", b"six"):
        path.write_bytes(data)
        assert store.hash_file(path) == (sha(data), 3)


def test_an_old_file_of_the_same_size_and_time_is_told_apart_by_its_change(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one")
    os.utime(path, (1, 1))
    assert store.hash_file(path)[0] == sha(b"one")
    path.write_bytes(b"two")
    os.utime(path, (1, 1))
    assert store.hash_file(path)[0] == sha(b"two")


@pytest.mark.parametrize("relative", [True, False])
def test_a_file_below_a_folder_with_an_odd_name_is_hashed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, relative: bool
) -> None:
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    path = folder / "x"
    path.write_bytes(b"x")
    monkeypatch.chdir(folder)
    monkeypatch.setattr("wfx.store.RACY_SECONDS", -1e9)
    for _ in range(2):
        assert store.hash_file(Path("x") if relative else path) == (sha(b"x"), 1)


def test_a_file_that_changes_while_it_is_stored_is_stored_as_it_was_read(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "x").write_bytes(b"before")

    def place_late(source: Path, target: Path, **options: object) -> object:
        source.write_bytes(b"after")
        return place(source, target)

    monkeypatch.setattr("wfx.store.place", place_late)
    store.add_tree(folder)
    assert verify(store).faults == []


# -- trees


def test_a_tree_comes_back_as_it_was(store: Store, tmp_path: Path) -> None:
    tree = write_tree(tmp_path / "tree")
    digest = store.add_tree(tree)
    assert store.has_tree(digest)
    store.place_tree(digest, tmp_path / "placed")
    store.copy_tree(tree, tmp_path / "copied")
    assert listing(tmp_path / "placed") == listing(tmp_path / "copied") == listing(tree)
    assert store.hash_tree(tree) == (digest, 15)
    assert store.add_tree(tmp_path / "placed") == digest


def test_a_tree_without_one_of_its_files_is_not_whole(store: Store, tmp_path: Path) -> None:
    digest = store.add_tree(write_tree(tmp_path / "tree"))
    store.path_of(sha(b"odd")).unlink()
    assert not store.has_tree(digest)
    with pytest.raises(IntegrityError):
        store.place_tree(digest, tmp_path / "placed")


def test_a_tree_may_be_named_relative_to_the_working_directory(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = write_tree(tmp_path / "tree")
    digest = store.add_tree(tree)
    for folder, name in ((tree, "."), (tmp_path, "tree"), (tree / "sub", "..")):
        monkeypatch.chdir(folder)
        assert store.hash_tree(Path(name))[0] == digest


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../outside", "sub/../../outside", "out", "..", "sub/up/../../x", "../tree2", "up2/up2"]
)
def test_a_link_out_of_the_tree_is_refused(store: Store, tmp_path: Path, target: str) -> None:
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tmp_path / "tree2").mkdir()
    (tmp_path / "outside").write_text("secret")
    (tree / "out").symlink_to("../outside")
    if target in ("sub/up/../../x", "up2/up2"):
        (tree / "out").unlink()
        (tree / "sub" / "up").symlink_to("..")
        (tree / "up2").symlink_to("..")
    (tree / "link").symlink_to(target)
    with pytest.raises(PolicyError):
        store.add_tree(tree)
    with pytest.raises(PolicyError):
        store.copy_tree(tree, tmp_path / "copy")
    assert not list((tmp_path / "copy").iterdir())


def test_a_special_file_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    os.mkfifo(tmp_path / "tree" / "pipe")
    with pytest.raises(PolicyError, match="'pipe' is no file, folder or link"):
        store.add_tree(tmp_path / "tree")


@pytest.mark.parametrize(
    "entry",
    [
        TreeEntry("../x", sha(b"x"), 1),
        TreeEntry("/x", sha(b"x"), 1),
        TreeEntry("a/../../x", sha(b"x"), 1),
        TreeEntry("", sha(b"x"), 1),
        TreeEntry("a\0b", sha(b"x"), 1),
        TreeEntry("../x", folder=True),
        TreeEntry("x", link="/etc/passwd"),
        TreeEntry("a/x", link="../../y"),
        TreeEntry("x", "../../etc/passwd", 1),
    ],
)
def test_a_manifest_that_leads_out_of_its_tree_is_refused(store: Store, tmp_path: Path, entry: TreeEntry) -> None:
    store.add_bytes(b"x")
    digest = store.add_bytes(Manifest((entry,)).encode())
    with pytest.raises(WfxError):
        store.place_tree(digest, tmp_path / "target")
    assert sorted(p.name for p in tmp_path.iterdir()) in (["store"], ["store", "target"])
    assert listing(tmp_path / "target") == {}


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"entries":1}', b"\xff", b"x" * 100, b'{"entries":[{"path":1}]}'])
def test_a_file_that_is_no_manifest_is_no_tree(store: Store, tmp_path: Path, data: bytes) -> None:
    digest = store.add_bytes(data)
    assert not store.has_tree(digest)
    with pytest.raises(IntegrityError):
        store.place_tree(digest, tmp_path / "target")


# -- into a run


def test_a_placed_copy_can_be_written_without_harm(store: Store, tmp_path: Path) -> None:
    digest = store.add_bytes(b"x")
    assert store.place(digest, tmp_path / "y") in ("copy", "reflink")
    (tmp_path / "y").write_bytes(b"changed")
    assert verify(store).faults == []


def test_a_link_costs_no_space_and_cannot_be_written(store: Store, tmp_path: Path) -> None:
    digest = store.add_bytes(b"x")
    how = store.place(digest, tmp_path / "y", link=True)
    assert how in ("link", "reflink")
    if how == "link":
        assert (tmp_path / "y").stat().st_mode & 0o222 == 0
        assert (tmp_path / "y").samefile(store.path_of(digest))


def test_what_stands_in_the_place_is_replaced_whole(store: Store, tmp_path: Path) -> None:
    (tmp_path / "y").write_bytes(b"old")
    store.place(store.add_bytes(b"x"), tmp_path / "y")
    assert (tmp_path / "y").read_bytes() == b"x"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["store", "y"]


def test_a_link_changed_by_a_run_is_found(store: Store, tmp_path: Path) -> None:
    good, bad = store.add_bytes(b"good"), store.add_bytes(b"bad")
    spoil(store.path_of(bad), b"BAD")
    os.utime(store.path_of(bad), (2e10, 2e10))
    assert store.check_linked([good, bad, sha(b"never")]) == [bad]
    assert not store.has(bad)
    assert store.has(good)


def test_a_copy_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError):  # noqa: PT011 (any will do)
        place(tmp_path, tmp_path / "y")
    assert list(tmp_path.iterdir()) == []


# -- care


def test_a_changed_blob_is_found_and_set_aside_with_its_reason(store: Store) -> None:
    digest, other = store.add_bytes(b"right"), store.add_bytes(b"other")
    spoil(store.path_of(digest), b"wrong")
    report = verify(store)
    assert report.checked == 2
    assert [fault.split(":")[0] for fault in report.faults] == [digest]
    assert not store.has(digest)
    assert store.has(other)
    [kept] = [p for p in (store.root / "quarantine").iterdir() if p.suffix != ".reason"]
    assert kept.read_bytes() == b"wrong"
    assert "its bytes have changed" in kept.with_name(kept.name + ".reason").read_text()
    assert verify(store).faults == []


def test_an_incremental_check_leaves_out_what_was_verified(store: Store) -> None:
    store.add_bytes(b"x")
    assert verify(store, incremental=True).skipped == 1
    assert verify(store, incremental=True, older_than=0).checked == 1


def test_what_the_index_does_not_know_is_listed_and_what_is_gone_forgotten(store: Store) -> None:
    gone = store.add_bytes(b"gone")
    store.path_of(gone).unlink()
    new = store.path_of(sha(b"new"))
    new.parent.mkdir(exist_ok=True)
    new.write_bytes(b"new")
    report = verify(store)
    assert (report.listed, report.forgotten, report.faults) == (1, 1, [])
    assert usage(store).blobs == 1


FOREIGN = [
    "blobs/.DS_Store",
    "blobs/ab/notes.txt",
    "blobs/README",
    "blobs/zz/x",
    "blobs/ab/" + "A" * 62,
    "other",
    "tmp/d/x",
]


def test_foreign_files_are_left_alone(store: Store) -> None:
    digest = store.add_bytes(b"x")
    for name in FOREIGN:
        path = store.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (1, 1))
    (store.root / "blobs" / digest[:2] / "folder").mkdir()
    assert verify(store).checked == 1
    report = gc(store, [], older_than=-10)
    assert (report.blobs, report.kept) == (1, 0)
    assert all((store.root / name).read_text() == "mine" for name in FOREIGN)
    with Store(store.root) as again:
        assert usage(again).quarantined == 0


def test_garbage_is_what_no_run_needs(store: Store, tmp_path: Path) -> None:
    tree = store.add_tree(write_tree(tmp_path / "tree"))
    needed, garbage = store.add_bytes(b"needed"), store.add_bytes(b"garbage")
    lookalike = store.add_bytes(b'{"entries":{"a":1}}')
    store.remember([(REFERENCE, Known(garbage, "file", 7)), (Reference("https://h/n"), Known(needed, "file", 6))])
    before = usage(store).blobs
    assert gc(store, [tree, needed, lookalike], older_than=-10, dry_run=True).blobs == 1
    assert store.has(garbage)
    assert gc(store, [tree, needed, lookalike, "not a digest"], older_than=-10).blobs == 1
    assert not store.has(garbage)
    assert store.has_tree(tree)
    assert [reference for reference, _ in store.references()] == ["https://h/n"]
    assert usage(store).blobs == before - 1
    assert verify(store).forgotten == 0


def test_what_came_lately_is_kept(store: Store) -> None:
    digest = store.add_bytes(b"x")
    assert gc(store, []).kept == 1
    assert store.has(digest)


def test_garbage_is_not_collected_while_the_store_is_in_use(store: Store) -> None:
    with (
        Store(store.root) as other,
        other.locked("store-in-use", exclusive=False),
        pytest.raises(MachineError, match="in use"),
    ):
        gc(store, [], older_than=0)


def test_old_partial_files_are_removed(store: Store) -> None:
    for folder in ("partial", "tmp"):
        for name, time in (("old", 1), ("new", None)):
            (store.root / folder / name).write_text("x")
            os.utime(store.root / folder / name, (time, time) if time else None)
    assert gc(store, []).partials == 2
    assert (store.root / "partial" / "new").exists()


# -- the index


def fill(root: Path) -> list[str]:
    with Store(root) as store:
        with store.group():
            digests = [store.add_bytes(b"%d" % n) for n in range(60)]
        store.remember((Reference(f"https://h/{n}"), Known(d, "file", 1)) for n, d in enumerate(digests))
        store.set_fact("k", "x", "y" * 5000)
        return digests


def damages() -> dict[str, object]:
    def cut(part: float) -> object:
        return lambda data: data[: int(len(data) * part)]

    return {
        "gone": lambda data: None,
        "empty": lambda data: b"",
        "garbage": lambda data: os.urandom(len(data)),
        "a text": lambda data: b"not a database\n" * 9,
        "cut at half": cut(0.5),
        "cut after a page": lambda data: data[:4096],
        "cut in the header": lambda data: data[:50],
        "cut by a byte": lambda data: data[:-1],
        "zeros in the middle": lambda data: data[:4096] + bytes(len(data) - 4096),
        "garbage after the first page": lambda data: data[:4096] + b"\xa5" * (len(data) - 4096),
        "header of another": lambda data: b"\0" * 100 + data[100:],
    }


@pytest.mark.parametrize("how", damages())
def test_a_damaged_index_is_made_anew_from_the_blobs(tmp_path: Path, how: str) -> None:
    root = tmp_path / "store"
    digests = fill(root)
    path = root / "index.sqlite"
    damaged = damages()[how](path.read_bytes())  # type: ignore[operator]
    path.unlink()
    if damaged is not None:
        path.write_bytes(damaged)
    with Store(root) as store:
        assert all(store.has(d) for d in digests)
        assert usage(store).blobs == 60
        assert store.known(Reference("https://h/1")) in (None, Known(digests[1], "file", 1))
        store.remember([(REFERENCE, Known(digests[0], "file", 1))])
        store.set_fact("k", "x", 1)
        assert verify(store).faults == []
    with Store(root) as store:
        assert store.known(REFERENCE) is not None


def test_an_index_of_a_later_version_is_refused(tmp_path: Path) -> None:
    import sqlite3

    with Store(tmp_path) as store:
        store.add_bytes(b"x")
    with sqlite3.connect(tmp_path / "index.sqlite") as connection:
        connection.execute("pragma user_version=99")
    connection.close()
    with pytest.raises(MachineError, match=r"is of version 99.*use a newer wfx"):
        Store(tmp_path)


# -- a machine in the way


def test_a_store_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(MachineError, match="cannot be used") as caught:
        Store(tmp_path / "file" / "store")
    assert caught.value.exit_code == 9


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """Give a folder, and be somebody who cannot write everywhere."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = os.geteuid() == 0
        if root:
            os.chown(folder, 65534, 65534)
            os.seteuid(65534)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            for path in [folder, *folder.rglob("*")]:
                if path.is_dir() and not path.is_symlink():
                    path.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_refused(unprivileged: Path) -> None:
    unprivileged.chmod(0o555)
    with pytest.raises(MachineError, match=r"cannot be used.*WFX_HOME"):
        Store(unprivileged / "store")


def test_a_store_that_cannot_be_written_any_more_is_refused(unprivileged: Path) -> None:
    with Store(unprivileged / "store") as store:
        digest = store.add_bytes(b"x")
    for path in sorted((unprivileged / "store").rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    (unprivileged / "store").chmod(0o555)
    with pytest.raises(MachineError) as caught, Store(unprivileged / "store") as store:
        assert store.has(digest)
        store.add_bytes(b"y")
    assert caught.value.exit_code == 9


def test_what_does_not_fit_on_the_disk_is_refused_before(store: Store) -> None:
    store.check_space(1)
    with pytest.raises(MachineError, match=r"GB are to be fetched.*wfx cache gc"):
        store.check_space(10**18)
