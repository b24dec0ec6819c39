from __future__ import annotations

import os
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wfx.errors import (
    AccessDenied,
    DefinitionError,
    FetchError,
    OfflineError,
    PluginError,
    PolicyError,
    ReferenceNotFound,
    WfxError,
)
from wfx.fetching import Reference
from wfx.net import Net, TemporaryFailure
from wfx.testing.gitservers import (
    Executable,
    GitDaemon,
    GitHttp,
    Repository,
    Symlink,
    gone,
    make_repository,
)
from wfx_git import program, trees
from wfx_git.addresses import GitAddress
from wfx_git.fetcher import GitFetcher, advertised
from wfx_git.program import Git, connect
from wfx_git.transfer import Transfer

pytestmark = pytest.mark.real
Fetch = Callable[..., tuple[Path, str]]
ODD = "caf\udce9 \n\t\"'%#@"
FILES = {
    "README.md": b"hello\n",
    "empty": b"",
    "crlf.txt": b"a\r\nb\r\n",
    ".gitattributes": b"*.txt text eol=lf\n*.md filter=evil\n$Id$ ident\n",
    "bin/run.sh": Executable(b"#!/bin/sh\n"),
    "bin/deep/data.bin": bytes(range(256)) * 20000,
    "bin/link": Symlink(b"../README.md"),
    ODD: b"odd",
    "workflow/main.cwl": b"cwlVersion: v1.2\n",
    "workflow/other.cwl": b"other\n",
}


@pytest.fixture
def repository(served: Path) -> Repository:
    return make_repository(served / "one.git", FILES, tag="v1")


@pytest.fixture(params=["http", "http0", "git", "file"])
def base(request: pytest.FixtureRequest, served: Path) -> Iterator[str]:
    """The address of the folder of repositories by each way that needs no other machine."""
    if request.param == "file":
        yield f"git+file://{served}"
    else:
        server = (
            GitDaemon(served)
            if request.param == "git"
            else GitHttp(served, version=0 if request.param == "http0" else 2)
        )
        with server:
            yield f"git+{server.url}"


def content(folder: Path) -> dict[str, bytes | tuple[str, bytes]]:
    found: dict[str, bytes | tuple[str, bytes]] = {}
    for root, folders, files in os.walk(folder):
        for name in (*files, *(f for f in folders if Path(root, f).is_symlink())):
            path = Path(root, name)
            key = str(path.relative_to(folder))
            if path.is_symlink():
                found[key] = ("link", os.readlink(os.fsencode(path)))
            elif path.stat().st_mode & stat.S_IXUSR:
                found[key] = ("run", path.read_bytes())
            else:
                found[key] = path.read_bytes()
    return found


def expected(files: dict[str, object] = FILES) -> dict[str, bytes | tuple[str, bytes]]:  # type: ignore[assignment]
    found: dict[str, bytes | tuple[str, bytes]] = {}
    for name, file in files.items():
        if isinstance(file, Symlink):
            found[name] = ("link", file.target)
        elif isinstance(file, Executable):
            found[name] = ("run", file.content)
        else:
            assert isinstance(file, bytes)
            found[name] = file
    return found


def pin(uri: str, net: Net) -> tuple[str, str, str]:
    pinned = GitFetcher().pin(Reference(uri), net)
    return pinned.reference.uri, pinned.revision, pinned.label


def test_names_are_pinned_to_commits(repository: Repository, base: str, net: Net) -> None:
    first = repository.head
    other = repository.commit(FILES | {"more": b"1"}, "feature/x")
    repository.tag("light", first, annotated=False)
    here = f"{base}/one.git"
    assert pin(here, net) == (f"{here}@{first}", first, "")
    assert pin(f"{here}@HEAD", net)[1] == first
    assert pin(f"{here}@main#path=bin", net) == (f"{here}@{first}#path=bin", first, "main")
    assert pin(f"{here}@v1", net) == (f"{here}@{first}", first, "v1")
    assert pin(f"{here}@light", net)[1] == first
    assert pin(f"{here}@feature/x", net) == (f"{here}@{other}", other, "feature/x")
    assert pin(f"{here}@refs/tags/v1", net)[1] == first
    assert pin(f"{here}@{first.upper()}", net)[:2] == (f"{here}@{first}", first)
    address = GitAddress.parse(Reference(here))
    assert advertised(address, net) == ["feature/x", "light", "main", "v1"]


def test_a_tag_wins_over_a_branch_of_its_name(repository: Repository, base: str, net: Net) -> None:
    first = repository.head
    repository.commit(FILES | {"more": b"1"}, "v1")
    assert pin(f"{base}/one.git@v1", net)[1] == first


def test_a_pinned_reference_needs_no_network(offline: Net) -> None:
    uri = f"git+https://example.org/r.git@{'a' * 40}#path=x&only=1"
    assert pin(uri, offline) == (uri, "a" * 40, "")


def test_the_tree_is_written_as_it_is(repository: Repository, base: str, fetch: Fetch) -> None:
    into, entry = fetch(f"{base}/one.git@v1#path=workflow/main.cwl")
    assert entry == "workflow/main.cwl"
    assert content(into) == expected()


def test_only_a_part_is_written_at_its_place(repository: Repository, base: str, fetch: Fetch) -> None:
    into, entry = fetch(f"{base}/one.git@v1#path=workflow&only=1")
    assert (entry, sorted(content(into))) == ("workflow", ["workflow/main.cwl", "workflow/other.cwl"])
    into, entry = fetch(f"{base}/one.git@v1#path=bin/run.sh&only=1")
    assert (entry, content(into)) == ("bin/run.sh", {"bin/run.sh": ("run", b"#!/bin/sh\n")})


def test_a_server_without_filters_gives_a_part_too(repository: Repository, base: str, fetch: Fetch) -> None:
    repository.git("config", "uploadpack.allowFilter", "false")
    into, _ = fetch(f"{base}/one.git@v1#path=workflow&only=1")
    assert sorted(content(into)) == ["workflow/main.cwl", "workflow/other.cwl"]


@pytest.mark.parametrize("filters", ["true", "false"])
def test_an_old_commit_comes_where_only_tips_are_given(
    repository: Repository, base: str, fetch: Fetch, filters: str
) -> None:
    first = repository.head
    repository.git("tag", "-d", "v1")
    repository.commit({"new": b"new"})
    repository.git("config", "uploadpack.allowAnySHA1InWant", "false")
    repository.git("config", "uploadpack.allowFilter", filters)
    into, _ = fetch(f"{base}/one.git@{first}")
    assert content(into) == expected()
    into, _ = fetch(f"{base}/one.git@{first}#path=workflow&only=1")
    assert sorted(content(into)) == ["workflow/main.cwl", "workflow/other.cwl"]


def test_little_comes_for_a_part(repository: Repository, served: Path, net: Net, fetch: Fetch) -> None:
    fetched: list[int] = []
    with GitHttp(served) as server:
        fetch(f"git+{server.url}/one.git@{repository.head}#path=workflow&only=1")
        fetched.append(len([r for r in server.requests if r.target.endswith("git-upload-pack")]))
    # Protocol 2: commit and trees, then blobs; none each for a blob.
    assert fetched[0] <= 4


def test_no_other_file_comes_for_a_part(repository: Repository, served: Path, net: Net, tmp_path: Path) -> None:
    with GitHttp(served) as server:
        remote = connect(GitAddress.parse(Reference(f"git+{server.url}/one.git")), net)
        transfer = Transfer.begin(tmp_path / "part", remote, repository.head, blobless=True)
        files = {entry.path: entry.id for entry in trees.entries(transfer.git, repository.head)}
        assert not transfer._present() & set(files.values())
        transfer.complete([files[b"workflow/main.cwl"]])
        assert transfer._present() & set(files.values()) == {files[b"workflow/main.cwl"]}


def test_the_dumb_protocol_is_enough(repository: Repository, served: Path, fetch: Fetch) -> None:
    first = repository.head
    repository.commit({"new": b"new"})
    repository.git("gc", "-q")
    repository.git("update-server-info")
    with GitHttp(served, smart=False) as server:
        into, _ = fetch(f"git+{server.url}/one.git@v1")
        assert content(into) == expected()
        into, _ = fetch(f"git+{server.url}/one.git@{first}#path=workflow&only=1")
        assert sorted(content(into)) == ["workflow/main.cwl", "workflow/other.cwl"]


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ssh that runs the command here; the file returned gets its arguments."""
    said = tmp_path / "ssh.arguments"
    script = tmp_path / "ssh"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {said}\nfor last; do :; done\nexec sh -c "$last"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    return said


def test_ssh_is_used_with_user_and_port(repository: Repository, ssh: Path, fetch: Fetch) -> None:
    into, _ = fetch(f"git+ssh://git@example.org:2222{repository.path}@v1")
    assert content(into) == expected()
    words = ssh.read_text().splitlines()
    assert {"git@example.org", "2222"} <= set(words)
    assert f"git-upload-pack '{repository.path}'" in words


def test_a_peer_that_says_nothing_is_given_up(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LOOK_EVERY", 0.1)
    monkeypatch.setattr(program, "PATIENCE", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TemporaryFailure, match="nothing came for"):
        pin(f"git+git://127.0.0.1:{silent.getsockname()[1]}/one.git@v1", net)


def test_without_git_or_with_an_old_one_the_remedy_is_said(
    net: Net, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PluginError, match="apt install git"):
        pin("git+https://example.org/r@v1", net)
    (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.17.1\n")
    (tmp_path / "git").chmod(0o755)
    with pytest.raises(PluginError, match=r"too old; install git 2\.31"):
        pin("git+https://example.org/r@v1", net)


def test_the_odd_commit_of_a_rewritten_branch(repository: Repository, base: str, fetch: Fetch, net: Net) -> None:
    first = repository.head
    second = repository.commit({"changed": b"1"}, parent="")
    assert pin(f"{base}/one.git@main", net)[1] == second
    repository.git("tag", "-d", "v1")
    repository.git("reflog", "expire", "--expire=now", "--all")
    repository.git("gc", "-q", "--prune=now")
    with pytest.raises(ReferenceNotFound) as caught:
        fetch(f"{base}/one.git@{first}")
    assert first in str(caught.value)
    assert "any more" in str(caught.value)


def test_an_unknown_name_is_answered_with_near_ones(repository: Repository, base: str, net: Net) -> None:
    repository.tag("v1.0.1")
    with pytest.raises(ReferenceNotFound, match=r"no tag or branch 'v1\.0\.2'.*did you mean v1\.0\.1"):
        pin(f"{base}/one.git@v1.0.2", net)
    with pytest.raises(ReferenceNotFound, match=f"shortened.*@{repository.head}"):
        pin(f"{base}/one.git@{repository.head[:9]}", net)
    with pytest.raises(ReferenceNotFound, match="write all 40 digits"):
        pin(f"{base}/one.git@0000000", net)
    with pytest.raises(ReferenceNotFound, match="no refs/pull/1/head"):
        pin(f"{base}/one.git@refs/pull/1/head", net)


def test_an_unknown_path_is_answered_with_near_ones(repository: Repository, base: str, fetch: Fetch) -> None:
    for only in ("", "&only=1"):
        with pytest.raises(ReferenceNotFound, match=r"no 'workflow/maine\.cwl'.*workflow/main\.cwl"):
            fetch(f"{base}/one.git@v1#path=workflow/maine.cwl{only}")
        with pytest.raises(ReferenceNotFound, match=r"bin/run\.sh"):
            fetch(f"{base}/one.git@v1#path=run.sh{only}")


def test_an_empty_repository_has_nothing_to_pin(served: Path, base: str, net: Net) -> None:
    repository = make_repository(served / "empty.git", {}, branch="gone")
    repository.git("symbolic-ref", "HEAD", "refs/heads/nowhere")
    with pytest.raises(ReferenceNotFound, match="no default branch"):
        pin(f"{base}/empty.git", net)


def test_no_such_repository(repository: Repository, base: str, net: Net) -> None:
    with pytest.raises(ReferenceNotFound, match="no such repository"):
        pin(f"{base}/two.git", net)


def test_offline_only_a_local_repository_is_read(repository: Repository, offline: Net, fetch: Fetch) -> None:
    into, _ = fetch(f"git+file://{repository.path}@v1", offline)
    assert content(into) == expected()
    with pytest.raises(OfflineError):
        fetch(f"git+https://example.org/r.git@{'a' * 40}", offline)
    with pytest.raises(OfflineError):
        pin("git+ssh://git@example.org/r.git@v1", offline)


def test_sha256_repositories(served: Path, fetch: Fetch) -> None:
    folder = served / "new.git"
    subprocess.run(["git", "init", "-q", "--bare", "--object-format=sha256", "-b", "main", folder], check=True)
    repository = Repository(folder)
    commit = repository.commit({"a": b"1"})
    assert len(commit) == 64
    into, _ = fetch(f"git+file://{folder}")
    assert content(into) == {"a": b"1"}


# -- credentials


@pytest.fixture
def guarded(repository: Repository, served: Path) -> Iterator[GitHttp]:
    with GitHttp(served, user="ann", password="tops3cret") as server:
        yield server


def test_credentials_of_the_host_are_used_and_seen_nowhere(
    guarded: GitHttp, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv(f"WFX_USER_127_0_0_1_{guarded.port}", "ann")
    monkeypatch.setenv(f"WFX_PASSWORD_127_0_0_1_{guarded.port}", "tops3cret")
    lines: set[bytes] = set()
    guarded.on_request = lambda _: lines.update(_command_lines())
    into, _ = fetch(f"git+{guarded.url}/one.git@v1")
    assert content(into) == expected()
    assert any(b"fetch" in line for line in lines)
    assert not any(b"tops3cret" in line or b"Authorization" in line for line in lines)
    assert "tops3cret" not in caplog.text


def test_credentials_of_the_reference_are_used(guarded: GitHttp, fetch: Fetch) -> None:
    into, _ = fetch(f"git+http://ann:tops3cret@127.0.0.1:{guarded.port}/one.git@v1")
    assert content(into) == expected()


def test_no_credentials_and_wrong_ones_are_told_apart(guarded: GitHttp, net: Net) -> None:
    with pytest.raises(AccessDenied, match="asks for credentials"):
        pin(f"git+{guarded.url}/one.git@v1", net)
    with pytest.raises(AccessDenied, match="refuses the credentials") as caught:
        pin(f"git+http://ann:wr0ngword@127.0.0.1:{guarded.port}/one.git@v1", net)
    assert "wr0ngword" not in str(caught.value)
    with pytest.raises(AccessDenied, match="refuses the credentials"):
        pin(f"git+http://sometoken@127.0.0.1:{guarded.port}/one.git@v1", net)


def test_settings_of_the_user_give_no_credentials(guarded: GitHttp, net: Net, tmp_path: Path, machine: Path) -> None:
    helper = tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\ntouch {tmp_path}/asked\necho username=ann\necho password=tops3cret\n")
    helper.chmod(0o755)
    (machine / "home" / ".gitconfig").write_text(
        f'[credential]\n\thelper = {helper}\n[core]\n\taskPass = {helper}\n[url "http://127.0.0.1:1/"]\n\tinsteadOf = http://\n'
    )
    with pytest.raises(AccessDenied):
        pin(f"git+{guarded.url}/one.git@v1", net)
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (401, AccessDenied, "401"),
        (403, AccessDenied, "403"),
        (404, ReferenceNotFound, "no such repository"),
        (429, TemporaryFailure, "too many requests"),
        (500, TemporaryFailure, "connection"),
        (503, TemporaryFailure, "connection"),
        (302, FetchError, "has moved"),
    ],
)
def test_answers_are_told_apart(served: Path, net: Net, status: int, kind: type[WfxError], text: str) -> None:
    with GitHttp(served, status=status, location="http://127.0.0.1:1/x/info/refs" if status == 302 else "") as server:
        with pytest.raises(kind, match=text) as caught:
            pin(f"git+{server.url}/one.git@v1", net)
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)


def test_a_cut_connection_is_an_error(repository: Repository, served: Path, fetch: Fetch) -> None:
    with GitHttp(served, cut=3000) as server, pytest.raises(TemporaryFailure):
        fetch(f"git+{server.url}/one.git@v1")


def test_a_server_that_is_gone(repository: Repository, served: Path, net: Net) -> None:
    with gone(served) as url, pytest.raises(TemporaryFailure, match="connection"):
        pin(f"git+{url}/one.git@v1", net)
    with GitDaemon(served) as daemon:
        pass
    with pytest.raises(TemporaryFailure, match="connection"):
        pin(f"git+{daemon.url}/one.git@v1", net)


# -- hostile repositories


def test_nothing_of_a_repository_is_run(repository: Repository, fetch: Fetch, tmp_path: Path) -> None:
    bomb = tmp_path / "ran"
    for name in ("post-checkout", "post-index-change", "pre-auto-gc", "reference-transaction"):
        hook = repository.path / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\ntouch {bomb}\n")
        hook.chmod(0o755)
    repository.git("config", "core.fsmonitor", f"touch {bomb}")
    repository.git("config", "uploadpack.packObjectsHook", f"touch {bomb}; exec")
    repository.git("config", "filter.evil.smudge", f"touch {bomb}")
    into, _ = fetch(f"git+file://{repository.path}@v1")
    assert content(into) == expected()
    assert not bomb.exists()


@pytest.mark.parametrize("name", [".git/config", ".GIT/config", "a/../../b", "a/./b", "sub/.git", "git~1/x"])
def test_a_name_that_leads_elsewhere_is_refused(served: Path, base: str, fetch: Fetch, name: str) -> None:
    repository = make_repository(served / "evil.git", {name: b"x"})
    with pytest.raises(PolicyError):
        fetch(f"{base}/evil.git@{repository.head}")
    with pytest.raises(PolicyError):
        fetch(f"{base}/evil.git@{repository.head}#path={name.split('/')[0]}&only=1")


def test_the_writer_refuses_such_names_by_itself() -> None:
    for name in (b".git", b"a/.Git/x", b"..", b"a/../b", b"/a", b"a//b", b"."):
        with pytest.raises(PolicyError):
            trees._check(name, "c")
    trees._check(b".gitignore", "c")
    trees._check(b"a/...", "c")


def test_a_link_out_of_the_tree_is_never_followed(served: Path, fetch: Fetch, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    repository = make_repository(served / "evil.git", {"link": Symlink(os.fsencode(outside)), "zz/x": b"x"})
    into, _ = fetch(f"git+file://{repository.path}")
    assert os.readlink(into / "link") == str(outside)
    assert list(outside.iterdir()) == []


def test_a_file_and_a_link_of_one_name_are_refused(tmp_path: Path) -> None:
    """What git's own check lets no server send: the writer does not depend on it."""
    repository = make_repository(tmp_path / "r.git", {})
    git = Git(tmp_path / "ours")
    git.init()
    outside = tmp_path / "outside"
    outside.mkdir()
    target = git.run(["hash-object", "-w", "--stdin"], stdin=os.fsencode(outside)).decode().strip()
    text = git.run(["hash-object", "-w", "--stdin"], stdin=b"text").decode().strip()
    into = tmp_path / "into"
    into.mkdir()
    list(trees.write(git, [trees.Entry(0o100644, text, b"a/b")], into))
    with pytest.raises(PolicyError, match="two entries"):
        trees.link(git, [trees.Entry(0o120000, target, b"a")], into)
    with pytest.raises(PolicyError, match="two entries"):
        list(trees.write(git, [trees.Entry(0o100644, text, b"a/b")], into))
    with pytest.raises(PolicyError, match="two entries"):
        list(trees.write(git, [trees.Entry(0o100644, text, b"a/b/c")], into))
    assert list(outside.iterdir()) == []
    assert repository.head


@pytest.mark.parametrize("target", [b"", b"a\0b", b"x" * 5000])
def test_a_link_that_cannot_be_one_is_refused(served: Path, fetch: Fetch, target: bytes) -> None:
    repository = make_repository(served / "evil.git", {"link": Symlink(target)})
    with pytest.raises(PolicyError):
        fetch(f"git+file://{repository.path}")


def test_the_environment_of_the_user_does_not_reach_git(
    repository: Repository, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("GIT_TRACE_CURL", str(tmp_path / "trace"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.fsmonitor=touch {tmp_path}/trace'")
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "nowhere"))
    into, _ = fetch(f"git+file://{repository.path}@v1")
    assert content(into) == expected()
    assert not (tmp_path / "trace").exists()


def test_a_reference_that_is_none_is_refused_before_anything_runs(net: Net) -> None:
    with pytest.raises(DefinitionError):
        pin("git+https://example.org/r@--upload-pack=touch", net)


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue
