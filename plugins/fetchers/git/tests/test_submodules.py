from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from wfx.errors import FetchError, OfflineError, PolicyError, ReferenceNotFound
from wfx.fetching import Reference
from wfx.net import Net
from wfx.testing.gitservers import File, GitHttp, Submodule, Symlink, make_repository
from wfx_git.addresses import GitAddress
from wfx_git.submodules import address

pytestmark = pytest.mark.real
Fetch = Callable[..., tuple[Path, str]]


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir() or p.is_symlink())


def nested(served: Path, **more: File) -> str:
    """Make outer → middle → inner; return the commit of the outer one."""
    inner = make_repository(served / "lib" / "inner.git", {"inner.txt": b"inner", "folder/x": b"x"})
    middle = make_repository(
        served / "lib" / "middle.git", {"middle.txt": b"m", "in": Submodule("./../inner.git", inner.head)}
    )
    inner.commit({"newer": b"not this one"})
    outer = make_repository(
        served / "outer.git", {"o.txt": b"o", "deps/mid": Submodule("../lib/middle.git", middle.head), **more}
    )
    return outer.head


def test_submodules_are_fetched_at_their_commits(served: Path, fetch: Fetch) -> None:
    nested(served, link=Symlink(b"deps/mid/in"))
    everything = [".gitmodules", "deps/mid/.gitmodules", "deps/mid/in/folder/x", "deps/mid/in/inner.txt",
                  "deps/mid/middle.txt", "link", "o.txt"]  # fmt: skip
    into, _ = fetch(f"git+file://{served}/outer.git")
    assert names(into) == everything
    with GitHttp(served) as server:
        into, entry = fetch(f"git+{server.url}/outer.git#path=deps/mid/in/inner.txt")
        assert (names(into), entry) == (everything, "deps/mid/in/inner.txt")
        into, _ = fetch(f"git+{server.url}/outer.git#path=deps/mid/in/folder&only=1")
        assert names(into) == ["deps/mid/in/folder/x"]
        into, _ = fetch(f"git+{server.url}/outer.git#path=o.txt&only=1")
        assert names(into) == ["o.txt"]
        with pytest.raises(ReferenceNotFound):
            fetch(f"git+{server.url}/outer.git#path=deps/mid/in/nothing&only=1")


def test_absolute_addresses_and_credentials_of_the_same_host(served: Path, fetch: Fetch) -> None:
    with GitHttp(served, user="ann", password="tops3cret") as server:
        inner = make_repository(served / "inner.git", {"x": b"x"})
        make_repository(served / "outer.git", {"sub": Submodule(f"{server.url}/inner.git", inner.head)})
        into, _ = fetch(f"git+http://ann:tops3cret@127.0.0.1:{server.port}/outer.git")
        assert names(into) == [".gitmodules", "sub/x"]


def test_credentials_do_not_go_along_to_another_place(served: Path, fetch: Fetch) -> None:
    with GitHttp(served) as other, GitHttp(served, user="ann", password="tops3cret") as server:
        inner = make_repository(served / "inner.git", {"x": b"x"})
        make_repository(served / "outer.git", {"sub": Submodule(f"{other.url}/inner.git", inner.head)})
        into, _ = fetch(f"git+http://ann:tops3cret@127.0.0.1:{server.port}/outer.git")
        assert names(into) == [".gitmodules", "sub/x"]
        assert other.requests
        assert all(request.authorization is None for request in other.requests)


def test_a_submodule_leads_into_no_private_network(served: Path, fetch: Fetch) -> None:
    with GitHttp(served) as server:
        inner = make_repository(served / "inner.git", {"x": b"x"})
        url = f"http://localhost:{server.port}/inner.git"
        make_repository(served / "outer.git", {"sub": Submodule(url, inner.head)})
        with pytest.raises(PolicyError, match=r"the submodule sub.*private network"):
            fetch(f"git+{server.url}/outer.git")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (None, FetchError),
        ("../missing.git", ReferenceNotFound),
        ("../../../../x.git", PolicyError),
        ("../a/../../x.git", PolicyError),
        ("/etc", PolicyError),
        ("file:///etc", PolicyError),
        ("ext::sh -c 'touch /tmp/x'", PolicyError),
        ("fd::17/foo", PolicyError),
        ("-oProxyCommand=touch /tmp/x", PolicyError),
        ("ssh://-oProxyCommand=touch/x", PolicyError),
        ("-oProxyCommand=touch:x", PolicyError),
        ("ssh://-l@host/x", PolicyError),
        ("ftp://example.org/x", PolicyError),
        ("relative", PolicyError),
    ],
)
def test_what_cannot_be_fetched_is_an_error_with_its_name(
    served: Path, fetch: Fetch, url: str | None, kind: type[Exception]
) -> None:
    make_repository(served / "outer.git", {"deps/sub": Submodule(url, "1" * 40), "x": b"x"})
    with GitHttp(served) as server, pytest.raises((kind, PolicyError)) as caught:
        # A value that git itself refuses while it receives the objects is refused all the same.
        fetch(f"git+{server.url}/outer.git")
    assert isinstance(caught.value, kind)
    assert "deps/sub" in str(caught.value) or "malformed or hostile" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_commit_that_is_gone_is_an_error(served: Path, fetch: Fetch) -> None:
    make_repository(served / "inner.git", {"x": b"x"})
    make_repository(served / "outer.git", {"sub": Submodule("../inner.git", "1" * 40)})
    with GitHttp(served) as server, pytest.raises(ReferenceNotFound, match="the submodule sub"):
        fetch(f"git+{server.url}/outer.git")


def test_submodules_that_go_on_and_on_end(served: Path, fetch: Fetch) -> None:
    commit = make_repository(served / "r0.git", {"x": b"x"}).head
    for number in range(1, 8):
        one = make_repository(served / f"r{number}.git", {"sub": Submodule(f"../r{number - 1}.git", commit)})
        commit = one.head
    into, _ = fetch(f"git+file://{served}/r5.git")
    assert "sub/sub/sub/sub/sub/x" in names(into)
    with pytest.raises(FetchError, match="nested too deeply"):
        fetch(f"git+file://{served}/r6.git")


def test_settings_in_gitmodules_have_no_effect(served: Path, fetch: Fetch, tmp_path: Path) -> None:
    inner = make_repository(served / "inner.git", {"x": b"x"})
    bomb = tmp_path / "ran"
    included = tmp_path / "included"
    included.write_text('[submodule "sub"]\n\turl = ../other.git\n')
    modules = (
        f"[include]\n\tpath = {included}\n[core]\n\tfsmonitor = touch {bomb}\n\tsshCommand = touch {bomb}\n"
        f'[submodule "sub"]\n\tpath = sub\n\turl = ../inner.git\n\tupdate = checkout\n\tbranch = .\n'
    ).encode()
    make_repository(served / "outer.git", {".gitmodules": modules, "sub": Submodule(None, inner.head)})
    with GitHttp(served) as server:
        into, _ = fetch(f"git+{server.url}/outer.git")
    assert names(into) == [".gitmodules", "sub/x"]
    assert not bomb.exists()


def test_gitmodules_that_is_a_link_is_refused(served: Path, fetch: Fetch) -> None:
    make_repository(served / "outer.git", {".gitmodules": Symlink(b"/etc/passwd"), "sub": Submodule(None, "1" * 40)})
    with pytest.raises(PolicyError):
        fetch(f"git+file://{served}/outer.git")


def test_offline_a_remote_submodule_of_a_local_repository_is_named(served: Path, fetch: Fetch, offline: Net) -> None:
    make_repository(served / "outer.git", {"sub": Submodule("https://example.org/x.git", "1" * 40)})
    with pytest.raises(OfflineError, match="the submodule sub"):
        fetch(f"git+file://{served}/outer.git", offline)


@pytest.mark.parametrize(
    ("parent", "url", "expected"),
    [
        ("git+https://h/o/a.git", "../b.git", "https://h/o/b.git"),
        ("git+https://h/o/a.git", "./b", "https://h/o/a.git/b"),
        ("git+https://h/o/a", "../../p/b", "https://h/p/b"),
        ("git+ssh://git@h:22/o/a", "../b", "ssh://git@h:22/o/b"),
        ("git+https://h/o/a", "git@h:o/b.git", "https://h/o/b.git"),
        ("git+https://h/o/a", "ssh://git@h/o/b.git", "https://h/o/b.git"),
        ("git+https://h/o/a", "git@other:o/b.git", "ssh://git@other/o/b.git"),
        ("git+ssh://git@h/o/a", "git@h:o/b.git", "ssh://git@h/o/b.git"),
        ("git+https://h/o/a", "https://h/x/b@c#d?e", "https://h/x/b%40c%23d%3Fe"),
        ("git+file:///srv/a", "/srv/b", "file:///srv/b"),
        ("git+https://h/o/a", "HTTPS://H2/b/", "https://h2/b"),
    ],
)
def test_addresses_are_resolved_as_git_does(parent: str, url: str, expected: str) -> None:
    assert address(GitAddress.parse(Reference(parent)), "sub", url).url == expected


def test_credentials_of_a_reference_stay_with_their_host() -> None:
    parent = GitAddress.parse(Reference("git+https://ann:secret@h/o/a.git"))
    assert address(parent, "sub", "../b.git").password == "secret"
    assert address(parent, "sub", "https://h/x/b.git").password == "secret"
    assert address(parent, "sub", "git@h:x/b.git").password == "secret"
    assert address(parent, "sub", "https://h2/x/b.git").password is None
    assert address(parent, "sub", "http://h/x/b.git").password is None
