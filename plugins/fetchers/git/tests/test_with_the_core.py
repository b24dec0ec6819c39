"""What the core and the fetcher do together: what has moved, what is shown, what is tried again, what is kept from git."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wfx.errors import AccessDenied, PolicyError, ReferenceNotFound
from wfx.fetching import Net, Reference, ResolverFetcher, Source
from wfx.net import NetSettings
from wfx.net.credentials import Credentials
from wfx.testing.benches import FetchBench
from wfx.testing.gitservers import GitDaemon, GitHttp, Repository, Request, Submodule, make_repository
from wfx_git.fetcher import GitFetcher
from wfx_git.hosts import GitHubShorthand

pytestmark = pytest.mark.real

LARGE = os.urandom(2**20)


class Leading(ResolverFetcher):
    keys = ("leading",)

    def resolve(self, ref: Reference, net: Net) -> list[Source]:
        return [Source(Reference(ref.uri.removeprefix("leading:")))]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FetchBench]:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.02)
    made = FetchBench(tmp_path / "bench", [GitFetcher, GitHubShorthand, Leading])
    yield made
    made.close()


@pytest.fixture
def repository(served: Path) -> Repository:
    return make_repository(served / "one.git", {"a": b"1", "large": LARGE}, tag="v1")


def test_a_tag_that_has_moved_is_reported(bench: FetchBench, repository: Repository, served: Path) -> None:
    with GitHttp(served) as server:
        uri = f"git+{server.url}/one.git@v1#path=a"
        first = bench.one(uri)
        assert bench.bytes_of(first) == b"1"
        assert not any("was" in note for note in bench.progress.notes)
        repository.commit({"a": b"2"})
        repository.tag("v1")
        second = bench.one(uri)
        assert bench.bytes_of(second) == b"2"
    [note] = bench.progress.notes
    assert f"v1 was {first.revision[:12]}, and is {second.revision[:12]} now" in note
    assert first.pinned != second.pinned


def test_a_pinned_commit_is_the_same_when_history_was_rewritten(
    bench: FetchBench, repository: Repository, served: Path
) -> None:
    with GitHttp(served) as server:
        answer = bench.one(f"git+{server.url}/one.git@main")
        assert answer.pinned is not None
        repository.git("tag", "-d", "v1")
        repository.commit({"a": b"rewritten"}, parent="")
        repository.git("reflog", "expire", "--expire=now", "--all")
        repository.git("gc", "-q", "--prune=now")
        # What the plan has pinned is still what the store has; a new store is told that it is gone.
        assert bench.files_of(bench.one(answer.pinned)) == {"a": b"1", "large": LARGE}
        assert bench.files_of(bench.one(f"git+{server.url}/one.git@main")) == {"a": b"rewritten"}
        assert any("main was" in note for note in bench.progress.notes)
        new = FetchBench(bench.config.parent / "new", [GitFetcher])
        with pytest.raises(
            ReferenceNotFound, match=r"not in the repository \(any more\)|does not have it \(any more\)"
        ):
            new.one(answer.pinned)
        new.close()


def test_what_comes_is_shown_and_written_down(bench: FetchBench, repository: Repository, served: Path) -> None:
    with GitDaemon(served) as daemon:
        net = bench.net()
        bench.one(f"git+{daemon.url}/one.git@v1", net=net)
    assert bench.progress.bytes >= len(LARGE)
    [contact] = net.contacts()
    assert (contact.origin, contact.bytes) == (daemon.url, bench.progress.bytes)


def test_a_server_that_is_busy_for_a_while_is_asked_again(
    bench: FetchBench, repository: Repository, served: Path
) -> None:
    with GitHttp(served, status=503) as server:

        def recover(request: Request) -> None:
            server.status = 503 if len(server.requests) < 3 else None

        server.on_request = recover
        assert bench.files_of(bench.one(f"git+{server.url}/one.git@v1"))["a"] == b"1"


def test_a_cut_pack_is_fetched_again(bench: FetchBench, repository: Repository, served: Path) -> None:
    with GitHttp(served, cut=3000) as server:
        posts: list[Request] = []

        def mend(request: Request) -> None:
            if request.method == "POST":
                posts.append(request)
                # Protocol 2: one for the refs, one for the pack, which is cut.
                server.cut = 3000 if len(posts) < 3 else None

        server.on_request = mend
        assert bench.files_of(bench.one(f"git+{server.url}/one.git@v1"))["large"] == LARGE
    assert any("again in" in note for note in bench.progress.notes)
    assert bench.clean()


def test_a_stalled_pack_is_ended_when_another_fetch_fails(
    bench: FetchBench, repository: Repository, served: Path
) -> None:
    with GitHttp(served, stall=60.0) as server:
        begun = threading.Event()
        server.on_request = lambda request: begun.set() if request.method == "POST" else None

        class Failing(ResolverFetcher):
            keys = ("failing",)

            def resolve(self, ref: Reference, net: Net) -> list[Source]:
                assert begun.wait(20)
                raise ReferenceNotFound("the true reason")

        from wfx.hookspecs import hookimpl

        class Plugin:
            @hookimpl
            def wfx_fetchers(self) -> list[type]:
                return [Failing]

        bench.plugins.register(Plugin())
        began = time.monotonic()
        with pytest.raises(ReferenceNotFound, match="the true reason"):
            bench.fetch(f"git+{server.url}/one.git@v1", "failing:x")
        assert time.monotonic() - began < 10
    assert bench.clean()


# -- what a document from elsewhere may not


@pytest.mark.parametrize("way", ["document", "resolver"])
def test_nobody_elsewhere_names_a_repository_of_this_machine(
    bench: FetchBench, repository: Repository, way: str
) -> None:
    uri = f"git+file://{repository.path}#path=a"
    with pytest.raises(PolicyError) as caught:
        if way == "document":
            bench.one(uri, net=bench.net().on_behalf_of(Reference("https://public.example.org/wf.cwl")))
        else:
            bench.one(f"leading:{uri}")
    assert caught.value.exit_code == 8
    assert bench.bytes_of(bench.one(uri)) == b"1"


def test_git_connects_to_the_addresses_that_were_judged(
    bench: FetchBench, repository: Repository, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name means loopback to the gate and nothing to git: that it arrives shows whose word counts."""
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    bench.private = ("git.example.org",)
    with GitHttp(served) as server:
        gate = bench.net().on_behalf_of(Reference("https://public.example.org/wf.cwl"))
        answer = bench.one(f"git+http://git.example.org:{server.port}/one.git@v1#path=a", net=gate)
    assert bench.bytes_of(answer) == b"1"


def test_a_submodule_by_another_way_to_this_machine_is_refused(
    bench: FetchBench, repository: Repository, served: Path
) -> None:
    for url in (f"file://{repository.path}", str(repository.path), "ext::sh -c id", "git+file:///x"):
        make_repository(served / "outer.git", {"sub": Submodule(url, repository.head)})
        with GitHttp(served) as server, pytest.raises(PolicyError):
            bench.one(f"git+{server.url}/outer.git")
        for path in sorted((served / "outer.git").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (served / "outer.git").rmdir()


# -- what is kept from git


def test_git_reads_no_netrc(repository: Repository, served: Path, machine: Path) -> None:
    """The gate reads it, looks at its mode and to whom it goes; curl would not."""
    netrc = machine / "home" / ".netrc"
    netrc.write_text("machine 127.0.0.1 login ann password tops3cret\n")
    netrc.chmod(0o600)
    gate = Net(credentials=Credentials(None, {}))
    with GitHttp(served, user="ann", password="tops3cret") as server:
        with pytest.raises(AccessDenied):
            GitFetcher().pin(Reference(f"git+{server.url}/one.git@v1"), gate)
        assert all(request.authorization is None for request in server.requests)
        asked = Net(credentials=Credentials(None, {"HOME": str(machine / "home")}))
        assert GitFetcher().pin(Reference(f"git+{server.url}/one.git@v1"), asked).revision == repository.head


def test_no_secret_of_the_user_is_in_gits_environment(
    bench: FetchBench, repository: Repository, served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WFX_TOKEN_EXAMPLE_ORG", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "GIT_PASSWORD"):
        monkeypatch.setenv(name, "canary-3nvironment")
    seen: set[bytes] = set()
    with GitHttp(served) as server:
        server.on_request = lambda _: seen.update(environments("git-remote-http"))
        bench.one(f"git+{server.url}/one.git@v1")
    assert seen
    assert not any(b"canary-3nvironment" in each for each in seen)


def environments(program: str) -> Iterator[bytes]:
    """Yield the environments of the processes of ours with this name."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if program.encode() in (folder / "cmdline").read_bytes():
                yield (folder / "environ").read_bytes()
        except OSError:
            continue


@pytest.mark.parametrize(
    ("said", "message"),
    [("Host key verification failed.", "does not know the host's key.*ssh HOST"),
     ("git@example.org: Permission denied (publickey).", "no key that the host accepts.*ssh-add")],
)  # fmt: skip
def test_what_ssh_says_is_put_into_words(
    net: Net, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, message: str
) -> None:
    script = tmp_path / "ssh"
    script.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 255\n")
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    with pytest.raises(AccessDenied, match=message):
        GitFetcher().pin(Reference("git+ssh://git@example.org/r@v1"), net)


@pytest.mark.parametrize("path", ["a'b", "a b", "$(touch x)", ";id", "-x", "`id`", "a\\b"])
def test_a_path_over_ssh_is_one_word(
    served: Path, bench: FetchBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    from urllib.parse import quote

    make_repository(served / path, {"a": b"1"})
    script = tmp_path / "ssh"
    script.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    script.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", str(script))
    answer = bench.one(f"git+ssh://git@example.org{quote(str(served))}/{quote(path)}")
    assert bench.files_of(answer) == {"a": b"1"}
    assert not (served / "x").exists()


def test_the_gates_settings_are_the_bundles(repository: Repository, served: Path, tmp_path: Path) -> None:
    from wfx_git.addresses import GitAddress
    from wfx_git.program import connect

    gate = Net(settings=NetSettings(ca_bundle=str(tmp_path / "ca.pem")), credentials=Credentials(None, {}))
    remote = connect(GitAddress.parse(Reference("git+https://127.0.0.1/r")), gate)
    assert (remote.ca_bundle, remote.resolved) == (str(tmp_path / "ca.pem"), "")


def test_a_repository_named_in_short_is_pinned_to_its_commit(bench: FetchBench, served: Path) -> None:
    repository = make_repository(served / "lab/flow.git", {"main.nf": b"workflow {}"}, tag="v1")
    with GitHttp(served) as server:
        bench.network["sections"] = {"fetcher.git": {"github": server.url}}
        answer = bench.one("gh:lab/flow@v1#path=main.nf")
    assert bench.bytes_of(answer) == b"workflow {}"
    assert (answer.reference.uri, answer.revision, answer.label) == (
        "gh:lab/flow@v1#path=main.nf",
        repository.head,
        "v1",
    )
    assert answer.pinned == Reference(f"git+{server.url}/lab/flow.git@{repository.head}#path=main.nf")
