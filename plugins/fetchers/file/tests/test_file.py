from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.errors import DefinitionError, FetchError, IntegrityError, MachineError, PolicyError, ReferenceNotFound
from wfx.fetching import Expected, Reference, Source
from wfx.testing import FetcherContract
from wfx.testing.benches import FetchBench
from wfx_file import FileFetcher


class TestFileFetcher(FetcherContract):
    fetcher = FileFetcher
    network = False

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        folder = tmp_path / "place"
        folder.mkdir()
        return folder

    def put(self, place: Path, data: bytes) -> Reference:
        path = place / f"file {len(list(place.iterdir()))} #1.bin"
        path.write_bytes(data)
        return Reference.of_path(path)

    def missing(self, place: Path) -> Reference:
        return Reference.of_path(place / "nothing.txt")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[FetchBench]:
    made = FetchBench(tmp_path / "bench", [FileFetcher])
    yield made
    made.close()


def locate(text: str | Path, base: Path | None = None) -> Path:
    return FileFetcher().locate(Reference.parse(str(text), base))


@pytest.mark.parametrize(
    "name",
    [
        "a b.txt",
        "a\nb",
        "-rf",
        "100%.txt",
        "a#b?c&d",
        "ü",
        "u\u0308",
        "caf\udce9",
        "x" * 255,
        "日本語",
        "a:b",
        "~",
        "'\"`$(id)",
    ],
)
def test_odd_names_are_found(tmp_path: Path, bench: FetchBench, name: str) -> None:
    (tmp_path / name).write_bytes(b"bytes")
    reference = Reference.of_path(tmp_path / name)
    answer = bench.one(reference)
    assert (bench.bytes_of(answer), answer.name) == (b"bytes", name)
    assert locate(f"./{name}", tmp_path) == tmp_path / name


def test_all_forms_of_a_file_uri_and_bare_paths_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a b"
    path.write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    escaped = str(path).replace(" ", "%20")
    for text in (path, "a b", "./a b", f"file:{escaped}", f"file://{escaped}", f"file://localhost{escaped}",
                 f"FILE://{escaped}", f"file://{tmp_path}/./x/../a%20b"):  # fmt: skip
        if "x/.." in str(text):
            (tmp_path / "x").mkdir()
        assert locate(text).resolve() == path
    assert locate(f"file://{escaped}#part") == path


@pytest.mark.parametrize("text", ["file://elsewhere/etc/passwd", "file:///a%00b", "a\0b"])
def test_what_is_no_path_of_this_machine_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError):
        locate(text)


def test_a_folder_is_a_folder(tmp_path: Path, bench: FetchBench) -> None:
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "sub" / "a").write_bytes(b"a")
    (folder / "link").symlink_to("sub/a")
    answer = bench.one(str(Reference.of_path(folder).uri))
    assert (answer.kind, answer.local, answer.size) == ("directory", folder, 1)
    (folder / "sub" / "a").write_bytes(b"b")
    assert bench.one(Reference.of_path(folder)).sha256 != answer.sha256


def test_links_are_followed_and_said_when_they_lead_to_nothing(tmp_path: Path, bench: FetchBench) -> None:
    (tmp_path / "real").write_bytes(b"real")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    assert bench.bytes_of(bench.one(Reference.of_path(tmp_path / "link"))) == b"real"
    with pytest.raises(ReferenceNotFound, match="leads to nothing: it points to 'gone'"):
        locate(tmp_path / "dangling")
    with pytest.raises(MachineError, match="loop"):
        locate(tmp_path / "loop")


def test_a_link_in_a_folder_may_not_leave_it(tmp_path: Path, bench: FetchBench) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "out").symlink_to("/etc/hostname")
    with pytest.raises(PolicyError, match="out"):
        bench.one(Reference.of_path(folder))


def test_a_missing_file_is_named_with_what_was_meant(tmp_path: Path) -> None:
    (tmp_path / "reads_1.fastq").write_bytes(b"")
    with pytest.raises(ReferenceNotFound, match=r"reads_l\.fastq.*did you mean 'reads_1\.fastq'"):
        locate(tmp_path / "reads_l.fastq")
    with pytest.raises(ReferenceNotFound):
        locate(tmp_path / "reads_1.fastq" / "below")
    with pytest.raises(ReferenceNotFound):
        locate(tmp_path / "no" / "folder")


def test_pipes_devices_and_sockets_are_refused_at_once(
    tmp_path: Path, bench: FetchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "pipe")
    listener = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(tmp_path)  # a socket's address is at most 108 bytes long
    listener.bind("socket")
    for path, kind in (
        (tmp_path / "pipe", "a pipe"),
        (Path("/dev/zero"), "a device"),
        (tmp_path / "socket", "a socket"),
    ):
        with pytest.raises(FetchError, match=f"it is {kind}, not a file") as caught:
            bench.one(Reference.of_path(path))
        assert caught.value.exit_code == 4
    listener.close()
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / "pipe")
    with pytest.raises(PolicyError, match="pipe"):
        bench.one(Reference.of_path(folder))


def test_what_may_not_be_read_is_said(tmp_path: Path) -> None:
    for name, kind in (("file", Path.touch), ("folder", Path.mkdir)):
        path = tmp_path / name
        kind(path)
        path.chmod(0)
    # To root every mode is as good as another: look as somebody else.
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        for name in ("file", "folder"):
            with pytest.raises(MachineError, match="check the permissions") as caught:
                locate(tmp_path / name)
            assert caught.value.exit_code == 9
    finally:
        os.seteuid(before)
        (tmp_path / "folder").chmod(0o700)


def test_a_file_that_changes_is_seen_as_changed(tmp_path: Path, bench: FetchBench) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    first = bench.one(Reference.of_path(path))
    path.write_bytes(b"two")
    second = bench.one(Reference.of_path(path))
    assert first.sha256 != second.sha256
    assert bench.bytes_of(second) == b"two"
    with pytest.raises(IntegrityError):
        bench.one(Source(Reference.of_path(path), Expected(sha256=first.sha256)))
    assert bench.store.known(Reference.of_path(path)) is None
