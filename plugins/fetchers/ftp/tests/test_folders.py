"""Folders: whole, by wildcards, in every form of a listing, and from servers that lie."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from wfx.errors import FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.testing.benches import FetchBench

FILES = {
    "README": b"read\n",
    "data/1/reads 1.fq": b"1\n",
    "data/2/reads#2.fq": b"2\n",
    "data/2/other": b"",
    "ü/x": b"x",
}


def fill(place: Any) -> None:
    for path, data in FILES.items():
        place.write(f"runs/{path}", data)


def without(*commands: str) -> Callable[[Any], type[Any]]:
    """Return a kind of server that knows less."""
    from pyftpdlib.handlers import FTPHandler

    known = {name: value for name, value in FTPHandler.proto_cmds.items() if name not in commands}
    return type("Old", (FTPHandler,), {"proto_cmds": known})


@pytest.mark.parametrize("old", [False, True], ids=["MLSD", "LIST"])
def test_a_folder_comes_with_all_below_it(serve: Callable[..., Any], bench: FetchBench, old: bool) -> None:
    place = serve(without("MLSD", "MLST")) if old else serve()
    fill(place)
    answer = bench.one(f"{place.url}/runs/")
    assert bench.files_of(answer) == FILES
    assert bool(place.asked_for("LIST")) == old


def test_wildcards_choose_files(place: Any, bench: FetchBench) -> None:
    fill(place)
    assert bench.files_of(bench.one(f"{place.url}/runs/data/*/reads*.fq")) == {
        "1/reads 1.fq": b"1\n",
        "2/reads#2.fq": b"2\n",
    }
    assert set(bench.files_of(bench.one(f"{place.url}/runs/data/[2]/"))) == {"2/reads#2.fq", "2/other"}
    with pytest.raises(ReferenceNotFound, match="check the wildcards"):
        bench.one(f"{place.url}/runs/*.bam")


def test_a_folder_that_is_not_there_is_not_found(place: Any, bench: FetchBench) -> None:
    with pytest.raises(ReferenceNotFound):
        bench.one(f"{place.url}/none/")


def test_listing_and_files_come_over_the_same_log_in(place: Any, bench: FetchBench) -> None:
    fill(place)
    bench.one(f"{place.url}/runs/", jobs=1)
    assert place.logins == 1


def test_a_file_of_another_size_than_listed_is_an_error(place: Any, bench: FetchBench) -> None:
    fill(place)
    line = b"type=file;size=7; README\r\n"
    place.handler.ftp_MLSD = lambda self, path: self.push_dtp_data(line, cmd="MLSD")
    with pytest.raises(IntegrityError, match="5 bytes where 7 are stated"):
        bench.one(f"{place.url}/runs/")


LINES = {
    "unix": b"-rw-r--r--   1 ftp      ftp             3 Jan 01 12:00 a b.txt\r\n"
    b"-rwxr-xr-x+  1 ftp             3 Jan 01  2020 group.txt\r\ntotal 3\r\n"
    b"drwxr-xr-x   2 ftp      ftp          4096 Jan 01 12:00 .\r\n",
    "windows": b"01-02-20  03:15PM                    3 a b.txt\r\n01-02-2020  03:15                    3 group.txt\r\n",
}


@pytest.mark.parametrize("form", LINES)
def test_listings_for_people_are_understood(serve: Callable[..., Any], bench: FetchBench, form: str) -> None:
    place = serve(without("MLSD", "MLST"))
    place.handler.ftp_LIST = lambda self, path: self.push_dtp_data(LINES[form], cmd="LIST")
    for name in ("a b.txt", "group.txt"):
        place.write(f"d/{name}", b"abc")
    assert bench.files_of(bench.one(f"{place.url}/d/")) == {"a b.txt": b"abc", "group.txt": b"abc"}


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (b"../../x", "slash"),
        (b"/etc/passwd", "slash"),
        (b"..", "leads elsewhere"),
        (b"a\x1b[2J", "control character"),
        (b"a\x00b", "control character"),
        (b"n" * 300, "longer than 255 bytes"),
    ],
    ids=["up", "absolute", "dots", "escape", "nul", "long"],
)
def test_names_that_lead_elsewhere_are_refused(place: Any, bench: FetchBench, name: bytes, problem: str) -> None:
    (place.folder / "d").mkdir()
    line = b"type=file;size=1; " + name + b"\r\n"
    place.handler.ftp_MLSD = lambda self, path: self.push_dtp_data(line, cmd="MLSD")
    with pytest.raises(PolicyError, match=problem):
        bench.one(f"{place.url}/d/")


def test_folders_without_end_are_an_error(place: Any, bench: FetchBench) -> None:
    place.handler.ftp_CWD = lambda self, path: self.respond("250 Whatever you say.")
    place.handler.ftp_MLSD = lambda self, path: self.push_dtp_data(b"type=dir; again\r\n", cmd="MLSD")
    with pytest.raises(FetchError, match="deeper than 64"):
        bench.one(f"{place.url}/d/")
    lines = b"".join(b"type=file; %d\r\n" % number for number in range(5))
    place.handler.ftp_MLSD = lambda self, path: self.push_dtp_data(lines, cmd="MLSD")
    bench.network = {"sections": {"fetcher.ftp": {"max_files": 4}}}
    with pytest.raises(FetchError, match=r"more than 4 files there; .*raise max_files"):
        bench.one(f"{place.url}/many/")


def test_links_are_followed_but_not_in_a_circle(
    serve: Callable[..., Any], bench: FetchBench, caplog: pytest.LogCaptureFixture
) -> None:
    place = serve(without("MLSD", "MLST"))
    # A server that says where a log-in really is, as most do.
    place.handler.ftp_PWD = lambda self, line: self.respond(
        f'257 "/{os.path.relpath(os.path.realpath(self.fs.ftp2fs(self.fs.cwd)), place.folder)}" is it.'
    )
    place.write("d/real/a.txt", b"a\n")
    for name, target in {"file": "real/a.txt", "folder": "real", "nowhere": "none"}.items():
        (place.folder / "d" / name).symlink_to(target)
    assert bench.files_of(bench.one(f"{place.url}/d/")) == {
        "real/a.txt": b"a\n",
        "file": b"a\n",
        "folder/a.txt": b"a\n",
    }
    assert "the link nowhere leads nowhere" in caplog.text
    (place.folder / "d" / "real" / "up").symlink_to("..")
    with pytest.raises(PolicyError, match="leads back"):
        bench.one(f"{place.url}/d/")
