from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from wfx.errors import AccessDenied, FetchError, IntegrityError, OfflineError
from wfx.net import Net
from wfx.testing.gitservers import GitDaemon, GitHttp, Large, Repository, make_repository
from wfx_git.lfs import Pointer

pytestmark = pytest.mark.real
Fetch = Callable[..., tuple[Path, str]]
BIG = Large(bytes(range(256)) * 20000)
SMALL = Large(b"small")


@pytest.fixture
def repository(served: Path) -> Repository:
    return make_repository(
        served / "one.git", {"data/big.bin": BIG, "copy.bin": BIG, "data/small.bin": SMALL, "x": b"x"}
    )


def lfs() -> dict[str, bytes]:
    return {BIG.oid: BIG.content, SMALL.oid: SMALL.content}


@pytest.mark.usefixtures("repository")
def test_large_files_take_the_place_of_their_pointers(served: Path, fetch: Fetch) -> None:
    with GitHttp(served, lfs=lfs()) as server:
        into, _ = fetch(f"git+{server.url}/one.git")
        assert (into / "data/big.bin").read_bytes() == (into / "copy.bin").read_bytes() == BIG.content
        assert (into / "data/small.bin").read_bytes() == b"small"
        downloads = [r for r in server.requests if r.target.startswith("/lfs/")]
        assert len(downloads) == 2
        into, _ = fetch(f"git+{server.url}/one.git#path=data/small.bin&only=1")
        assert [p.name for p in into.rglob("*") if p.is_file()] == ["small.bin"]
        assert (into / "data/small.bin").read_bytes() == b"small"
        assert len([r for r in server.requests if r.target.startswith("/lfs/")]) == 3


@pytest.mark.usefixtures("repository")
def test_credentials_go_along(served: Path, fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    with GitHttp(served, lfs=lfs(), user="ann", password="tops3cret") as server:
        into, _ = fetch(f"git+http://ann:tops3cret@127.0.0.1:{server.port}/one.git")
        assert (into / "copy.bin").read_bytes() == BIG.content
        monkeypatch.setenv(f"WFX_USER_127_0_0_1_{server.port}", "ann")
        monkeypatch.setenv(f"WFX_PASSWORD_127_0_0_1_{server.port}", "tops3cret")
        into, _ = fetch(f"git+{server.url}/one.git")
        assert (into / "copy.bin").read_bytes() == BIG.content


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"tiny", "4 bytes instead of 5120000"),
        (BIG.content[::-1], "SHA-256 differs"),
        (BIG.content + b"x", "instead of"),
    ],
)
def test_other_bytes_are_refused(served: Path, fetch: Fetch, content: bytes, text: str) -> None:
    with GitHttp(served, lfs=lfs() | {BIG.oid: content}) as server, pytest.raises(IntegrityError, match=text) as caught:
        fetch(f"git+{server.url}/one.git")
    assert "big.bin" in str(caught.value) or "copy.bin" in str(caught.value)


@pytest.mark.usefixtures("repository")
def test_a_file_that_nobody_uploaded_is_an_error_with_its_name(served: Path, fetch: Fetch) -> None:
    with GitHttp(served, lfs={BIG.oid: BIG.content}) as server:
        with pytest.raises(
            FetchError, match=r"data/small.bin.*does not exist.*\(404\)|data/small.bin.*Object does not"
        ):
            fetch(f"git+{server.url}/one.git")
        into, _ = fetch(f"git+{server.url}/one.git#path=copy.bin&only=1")
        assert (into / "copy.bin").read_bytes() == BIG.content


@pytest.mark.usefixtures("repository")
def test_a_server_without_lfs_is_an_error(served: Path, fetch: Fetch) -> None:
    with GitHttp(served) as server, pytest.raises(FetchError, match=r"in git LFS: the server does not have it"):
        fetch(f"git+{server.url}/one.git")
    with (
        GitDaemon(served) as daemon,
        pytest.raises(FetchError, match=r"cannot be fetched over git; name .* git\+https"),
    ):
        fetch(f"git+{daemon.url}/one.git")


@pytest.mark.usefixtures("repository")
def test_a_refusal_stays_one(served: Path, fetch: Fetch) -> None:
    with GitHttp(served, lfs=lfs()) as server:

        def refuse(request: object) -> None:
            if "/info/lfs/" in getattr(request, "target", ""):
                server.user = "ann"

        server.on_request = refuse
        with pytest.raises(AccessDenied, match="in git LFS"):
            fetch(f"git+{server.url}/one.git")


def test_a_local_repository_has_them_itself(repository: Repository, fetch: Fetch, offline: Net) -> None:
    with pytest.raises(FetchError, match="git lfs fetch --all"):
        fetch(f"git+file://{repository.path}", offline)
    for large in (BIG, SMALL):
        place = repository.path / "lfs" / "objects" / large.oid[:2] / large.oid[2:4] / large.oid
        place.parent.mkdir(parents=True)
        place.write_bytes(large.content)
    into, _ = fetch(f"git+file://{repository.path}", offline)
    assert (into / "data/big.bin").read_bytes() == BIG.content
    place.write_bytes(b"other")
    with pytest.raises(IntegrityError):
        fetch(f"git+file://{repository.path}", offline)


def test_a_pointer_that_no_attribute_declares_is_a_file_of_its_own(
    served: Path, fetch: Fetch, caplog: pytest.LogCaptureFixture
) -> None:
    make_repository(served / "one.git", {"docs/pointer.txt": BIG.pointer, ".gitattributes": b"*.bin filter=lfs\n"})
    with GitHttp(served) as server:
        into, _ = fetch(f"git+{server.url}/one.git")
    assert (into / "docs/pointer.txt").read_bytes() == BIG.pointer
    assert "docs/pointer.txt looks like" in caplog.text


def test_lfsconfig_names_a_place_on_the_same_host_only(served: Path, fetch: Fetch) -> None:
    with GitHttp(served, lfs=lfs()) as server, GitHttp(served) as elsewhere:
        files = {"big.bin": BIG, ".lfsconfig": f"[lfs]\n\turl = {server.url}/x/info/lfs\n".encode()}
        repository = make_repository(served / "one.git", files)
        into, _ = fetch(f"git+{server.url}/one.git#path=big.bin&only=1")
        assert (into / "big.bin").read_bytes() == BIG.content
        assert any(r.target == "/x/info/lfs/objects/batch" for r in server.requests)
        repository.commit(files | {".lfsconfig": f"[lfs]\n\turl = {elsewhere.url}/x\n".encode()})
        into, _ = fetch(f"git+{server.url}/one.git")
        assert (into / "big.bin").read_bytes() == BIG.content
        assert elsewhere.requests == []


def test_lfs_of_a_remote_is_not_asked_offline(served: Path, offline: Net, fetch: Fetch) -> None:
    with pytest.raises(OfflineError):
        fetch(f"git+http://127.0.0.1:1/one.git@{'a' * 40}", offline)


def test_pointers_are_told_from_other_files() -> None:
    found = Pointer.read(b"p", BIG.pointer)
    assert found == Pointer(b"p", BIG.oid, len(BIG.content))
    extended = BIG.pointer.replace(b"\noid", b"\next-0-foo sha256:" + b"0" * 64 + b"\noid")
    assert Pointer.read(b"p", extended) == found
    for other in (b"", b"version https://git-lfs.github.com/spec/v1\n", BIG.pointer + b"\0", b" " + BIG.pointer,
                  BIG.pointer.replace(b"sha256", b"sha512"), BIG.pointer.replace(b"size ", b"size -")):  # fmt: skip
        assert Pointer.read(b"p", other) is None
