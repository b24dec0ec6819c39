"""Folders: whole, by wildcards, with links, and from servers that lie."""

from __future__ import annotations

import os
import stat
from typing import Any

import asyncssh
import pytest
from wfx.errors import FetchError, PolicyError, ReferenceNotFound

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


def test_a_folder_comes_with_all_below_it(place: Any, bench: Any) -> None:
    fill(place)
    assert bench.files_of(bench.one(f"{place.url}/runs/")) == FILES
    assert bench.files_of(bench.one(f"{place.url}/~/runs/data/1/")) == {"reads 1.fq": b"1\n"}
    assert len(place.logins) == 2


def test_wildcards_choose_files(place: Any, bench: Any) -> None:
    fill(place)
    assert bench.files_of(bench.one(f"{place.url}/runs/data/*/reads*.fq")) == {
        "1/reads 1.fq": b"1\n",
        "2/reads#2.fq": b"2\n",
    }
    with pytest.raises(ReferenceNotFound, match="check the wildcards"):
        bench.one(f"{place.url}/runs/*.bam")


def test_a_folder_that_is_not_there_is_not_found(place: Any, bench: Any) -> None:
    with pytest.raises(ReferenceNotFound):
        bench.one(f"{place.url}/none/")


def test_links_are_followed_but_not_in_a_circle(place: Any, bench: Any, caplog: pytest.LogCaptureFixture) -> None:
    place.write("d/real/a.txt", b"a\n")
    for name, target in {"file": "real/a.txt", "folder": "real", "nowhere": "none"}.items():
        (place.folder / "d" / name).symlink_to(target)
    os.mkfifo(place.folder / "d" / "pipe")
    assert bench.files_of(bench.one(f"{place.url}/d/")) == {
        "real/a.txt": b"a\n",
        "file": b"a\n",
        "folder/a.txt": b"a\n",
    }
    assert "the link nowhere leads nowhere" in caplog.text
    assert "pipe is neither file nor folder" in caplog.text
    (place.folder / "d" / "real" / "up").symlink_to("..")
    with pytest.raises(PolicyError, match="leads back"):
        bench.one(f"{place.url}/d/")


def named(name: bytes, mode: int = stat.S_IFREG | 0o644) -> asyncssh.SFTPName:
    return asyncssh.SFTPName(name, attrs=asyncssh.SFTPAttrs(permissions=mode, size=1))


@pytest.mark.parametrize(
    ("name", "problem"),
    [(b"../../x", "slash"), (b"/etc/passwd", "slash"), (b"", "leads elsewhere"), (b"a\nb", "control character"),
     (b"a\x1b[2J", "control character"), (b"n" * 300, "longer than 255 bytes")],
    ids=["up", "absolute", "empty", "newline", "escape", "long"],
)  # fmt: skip
def test_names_that_lead_elsewhere_are_refused(place: Any, bench: Any, name: bytes, problem: str) -> None:
    place.names = [named(name)]
    (place.folder / "d").mkdir()
    with pytest.raises(PolicyError, match=problem):
        bench.one(f"{place.url}/d/")


def test_folders_without_end_are_an_error(place: Any, bench: Any) -> None:
    (place.folder / "d").mkdir()
    (place.folder / "d" / "again").symlink_to(".")
    place.names = [named(b"again", stat.S_IFDIR | 0o755)]
    with pytest.raises(FetchError, match=r"deeper than 64|no such file|refuses it"):
        bench.one(f"{place.url}/d/")
    place.names = [named(b"%d" % number, stat.S_IFIFO if number % 2 else stat.S_IFREG) for number in range(500)]
    bench.network["sections"]["fetcher.sftp"]["max_files"] = 400
    with pytest.raises(FetchError, match=r"more than 400 files there; .*raise max_files"):
        bench.one(f"{place.url}/d/")
