"""The contract of fetchers: what a plugin's author inherits to see that wfx can rely on his fetcher.

::

    class TestIpfs(FetcherContract):
        fetcher = IpfsFetcher

        @pytest.fixture(autouse=True)
        def gateway(self, place, monkeypatch):
            monkeypatch.setattr("wfx_ipfs.GATEWAY", place.url + "/ipfs/")

        def put(self, place, data):
            name = f"Qm{len(place.resources)}"
            place.add(f"/ipfs/{name}", data)
            return Reference(f"ipfs://{name}")

        def missing(self, place):
            return Reference("ipfs://QmNone")
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import sys
import tempfile
import threading
import time
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from wfx.errors import AccessDenied, OfflineError, ReferenceNotFound, WfxError
from wfx.fetching import (
    Body,
    Fetched,
    Fetcher,
    LocalFetcher,
    Net,
    Pinned,
    Reference,
    ResolverFetcher,
    Span,
    StreamFetcher,
    TreeFetcher,
)
from wfx.testing.benches import FetchBench, PlainHttp
from wfx.testing.contracts import (
    SECRET,
    USER,
    WRONG,
    applies,
    check_keys,
    files_below,
    forms_of,
    hide_what_does_not_apply,
    texts_of,
)
from wfx.testing.machines import private_machine
from wfx.testing.servers import FaultServer, Request, Resource

# Everything that a transfer in text mode or a decoding on the way would change.
ODD = bytes(range(256)) * 40 + b"one\r\ntwo\r\n\n\x1a"
PLAIN = b"".join(b"%07d " % number for number in range(5000))
OTHER = b"".join(b"%07d " % number for number in range(5000, 10_000))
TREE: Mapping[str, bytes] = {"README": ODD, "empty": b"", "data/deep/a b.txt": PLAIN, "data/#1?%20.txt": b"odd name\n"}
LARGE = 16 * 2**20
MOMENT = 1.5
"""Seconds within which whatever is broken off has to be over."""
FAULTS = frozenset({"cut", "stall", "change", "guard", "redirect"})

SHAPES = ((LocalFetcher, "local"), (TreeFetcher, "tree"), (StreamFetcher, "stream"), (ResolverFetcher, "resolver"))


class FetcherContract:
    """What wfx relies on in a fetcher; a subclass gives the class and says how things are put where it reads.

    The rules, of which a fetcher gets those of its shape, each a test of its own:

    - the bytes come as they are, with their digest; an empty file is a file; a large one is not held in memory
      (stream, tree);
    - what is missing is a ReferenceNotFound that names the reference; an error has its cause chained to it; after a
      failure nothing is left behind, and never is anything written but into the folder that was given (tree);
    - it goes on at an offset, and says truly where it begins; bytes that have changed since are not spliced; several
      threads may open at once (stream);
    - a body that ends too early is an error; a transfer that is broken off ends within a moment (stream, tree);
    - credentials are those of the gate for the place's origin, and go to no other; a refusal is AccessDenied and no
      content; secrets are in no message, log or representation;
    - offline no socket is opened;
    - a pin means the same thing again (tree); the user's own file is left as it is (local); better references are
      absolute and lead to no file of this machine (resolver);
    - the keys are the names of the package's entry points.

    `place` is a `FaultServer`, over which a subclass may put a fixture of its own: a folder, another server. Then
    `faults` says which of `cut`, `stall`, `change`, `guard` and `redirect` are overridden as well; a rule that needs
    another is not run.
    """

    fetcher: ClassVar[type[Fetcher]]
    network: ClassVar[bool] = True
    """Whether it needs the network: not for what lies on this machine, or in the reference itself."""
    in_memory: ClassVar[bool] = False
    """Whether the bytes stand in the reference itself: small by their nature, and never missing."""
    userinfo: ClassVar[bool] = False
    """Whether a reference may have `user:password@` before its host."""
    faults: ClassVar[frozenset[str]] = FAULTS
    others: ClassVar[Sequence[type[Fetcher]]] = ()
    """Fetchers that a resolver leads to; that of web addresses is there already."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "fetcher" not in cls.__dict__:
            return
        able = set(cls.faults if cls.network else ())
        if cls.network:
            able.add("network")
        if not cls.in_memory:
            able |= {"large", "missing"}
        if not cls.fetcher.immutable:
            able.add("mutable")
        hide_what_does_not_apply(cls, cls.shape(), able)

    @classmethod
    def shape(cls) -> str:
        """Return `stream`, `tree`, `resolver` or `local`."""
        return next(name for base, name in SHAPES if issubclass(cls.fetcher, base))

    # -- what the author gives

    def put(self, place: Any, data: bytes) -> Reference:
        """Put bytes where the fetcher reads, each time under another name; return their reference. Not for trees."""
        raise NotImplementedError

    def put_tree(self, place: Any, files: Mapping[str, bytes]) -> Reference:
        """Put files where a tree fetcher reads, each time under another name; return the reference of the folder."""
        raise NotImplementedError

    def missing(self, place: Any) -> Reference:
        """Return a reference of something that is not there."""
        raise NotImplementedError

    @pytest.fixture
    def place(self) -> Iterator[Any]:
        """Where the fetcher reads."""
        with FaultServer() as server:
            yield server

    def cut(self, place: Any, data: bytes) -> None:
        """From now on end every transfer of these bytes in the middle, as a broken connection would."""
        for resource in self._resources(place, data):
            resource.cut = [len(data) // 2] * 99

    def stall(self, place: Any, data: bytes) -> threading.Event:
        """From now on stop for half a minute in the middle of these bytes; return what is set once they are asked for."""
        asked = threading.Event()

        def note(request: Request, resource: Resource) -> None:
            asked.set()

        for resource in self._resources(place, data):
            resource.stall, resource.on_request = [30.0] * 99, note
        return asked

    def change(self, place: Any, data: bytes, other: bytes) -> None:
        """Put other bytes in place of these, under the same reference."""
        for resource in self._resources(place, data):
            resource.body, resource.etag = other, '"2"' if resource.etag else None

    def guard(self, place: Any, user: str, password: str) -> None:
        """From now on ask for these credentials."""
        for resource in place.resources.values():
            resource.authorization = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"

    def redirect(self, place: Any, other: FaultServer) -> None:
        """Move everything to another server that asks for no credentials, and lead there."""
        place.move(other)

    def _resources(self, place: Any, data: bytes) -> list[Resource]:
        found = [resource for resource in place.resources.values() if resource.body == data]
        assert found, (
            "nothing with these bytes lies in the place; override `cut`, `stall` and `change` where they differ"
        )
        return found

    # -- the bench

    @pytest.fixture(autouse=True)
    def machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Keep the user's settings out; return the folder of HOME, TMPDIR and working directory, empty at first."""
        return private_machine(tmp_path / "machine", monkeypatch)

    @pytest.fixture
    def bench(self, tmp_path: Path, machine: Path) -> Iterator[FetchBench]:
        """Return a bench with the fetcher."""
        plain = () if {"http", "https"} & set(self.fetcher.keys) else (PlainHttp,)
        bench = FetchBench(tmp_path / "bench", [*plain, *self.others, self.fetcher])
        bench.settings = {"retries": 0}
        yield bench
        bench.close()

    def _put(self, place: Any, data: bytes) -> Reference:
        return self.put_tree(place, {"data.bin": data}) if self.shape() == "tree" else self.put(place, data)

    def _content(self, bench: FetchBench, answer: Fetched) -> bytes:
        return bench.files_of(answer)["data.bin"] if answer.kind == "directory" else bench.bytes_of(answer)

    def _ask(self, fetcher: Fetcher, ref: Reference, net: Net, folder: Path) -> object:
        """Call the fetcher itself, and read what it gives to the end."""
        if isinstance(fetcher, TreeFetcher):
            pinned = fetcher.pin(ref, net)
            into = Path(tempfile.mkdtemp(dir=folder)) / "tree"
            into.mkdir()
            return pinned, fetcher.fetch_tree(pinned.reference, net, into)
        if isinstance(fetcher, StreamFetcher):
            body = fetcher.open(ref, net)
            read(body)
            return body
        if isinstance(fetcher, ResolverFetcher):
            return list(fetcher.resolve(ref, net))
        assert isinstance(fetcher, LocalFetcher)
        return fetcher.locate(ref)

    # -- the rules

    def test_the_bytes_come_with_their_digest(self, place: Any, bench: FetchBench) -> None:
        """Bring what is there, byte for byte; a tree with all its files, however they are named."""
        if self.shape() == "tree":
            answer = bench.one(self.put_tree(place, TREE))
            assert {path: data for path, data in bench.files_of(answer).items() if data} == {
                path: data for path, data in TREE.items() if data
            }
        else:
            assert bench.bytes_of(bench.one(self.put(place, ODD))) == ODD

    def test_an_empty_file_is_a_file(self, place: Any, bench: FetchBench) -> None:
        """Bring no bytes as no bytes."""
        if self.shape() == "tree":
            assert bench.files_of(bench.one(self.put_tree(place, {"empty": b"", "x": b"x"}))) == {
                "empty": b"",
                "x": b"x",
            }
        else:
            assert bench.bytes_of(bench.one(self.put(place, b""))) == b""

    @applies("stream", "tree", "local", "resolver", needs=["missing"])
    def test_what_is_missing_is_not_found_and_named(self, place: Any, bench: FetchBench) -> None:
        """Raise ReferenceNotFound, in whose message a person finds the reference again."""
        ref = self.missing(place)
        with pytest.raises(ReferenceNotFound) as caught:
            bench.one(ref)
        message = str(caught.value)
        assert (ref.name and ref.name in message) or str(ref) in message
        assert "\n" not in message

    @applies("stream", "tree", "local", "resolver", needs=["missing"])
    def test_the_cause_of_an_error_is_chained(self, place: Any, bench: FetchBench) -> None:
        """Raise `from` what lies behind the error, so that `--debug` shows it."""
        try:
            bench.one(self.missing(place))
        except WfxError as error:
            if error.__context__ is not None:
                assert error.__cause__ is not None, f"write: raise {type(error).__name__}(…) from error"

    def test_nothing_is_left_when_it_fails(self, place: Any, bench: FetchBench, machine: Path) -> None:
        """Leave no half-written or temporary file behind; what success leaves too is another rule's matter."""
        with contextlib.suppress(WfxError):
            bench.one(self._put(place, OTHER))
        usual = set(files_below(machine))
        if self.network and "cut" in self.faults and self.shape() != "resolver":
            ref = self._put(place, PLAIN)
            self.cut(place, PLAIN)
            with contextlib.suppress(WfxError):
                bench.one(ref)
        if not self.in_memory:
            with contextlib.suppress(WfxError):
                bench.one(self.missing(place))
        assert set(files_below(machine)) == usual
        assert bench.clean()

    @applies("stream", "tree", "local", "resolver")
    def test_nothing_is_written_elsewhere(self, place: Any, bench: FetchBench, machine: Path, tmp_path: Path) -> None:
        """Write nothing at all, a tree nowhere but into the folder that was given."""
        ref = self._put(place, PLAIN)
        folder = tmp_path / "elsewhere"
        folder.mkdir()
        before = set(files_below(machine))
        net = bench.net()
        self._ask(self.fetcher(), ref, net, folder)
        net.close()
        assert set(files_below(machine)) == before
        assert {path.name for one in folder.iterdir() for path in one.iterdir()} <= {"tree"}

    @applies("stream", "tree", needs=["large"])
    def test_a_large_file_is_not_held_in_memory(self, place: Any, bench: FetchBench, tmp_path: Path) -> None:
        """Pass the bytes on as they come; half of a file of 16 MiB in memory is too much."""
        data = bytes(LARGE)
        ref = self._put(place, data)
        net, fetcher = bench.net(), self.fetcher()
        pinned = fetcher.pin(ref, net).reference if isinstance(fetcher, TreeFetcher) else ref
        tracing = tracemalloc.is_tracing()
        if not tracing:
            tracemalloc.start()
        try:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            if isinstance(fetcher, TreeFetcher):
                into = tmp_path / "large" / "tree"
                into.mkdir(parents=True)
                fetcher.fetch_tree(pinned, net, into)
            elif isinstance(fetcher, StreamFetcher):
                assert drain(fetcher.open(ref, net)) == LARGE
            _, peak = tracemalloc.get_traced_memory()
        finally:
            if not tracing:
                tracemalloc.stop()
            net.close()
        assert peak - before < LARGE // 2

    @applies("stream")
    def test_it_goes_on_at_an_offset(self, place: Any, bench: FetchBench) -> None:
        """Begin where `span` says or at the start, and say which of the two."""
        ref, net, fetcher = self.put(place, PLAIN), bench.net(), self._stream()
        whole = fetcher.open(ref, net)
        drain(whole)
        for start, stop in ((10_000, None), (10_000, 10_500), (len(PLAIN) - 1, None)):
            body = fetcher.open(ref, net, Span(start, stop, whole.validator))
            data = read(body)
            wanted = PLAIN[body.start : stop]
            assert body.start in (0, start)
            assert body.start == start or not whole.accepts_ranges, "it says that it accepts ranges, and began anew"
            assert data.startswith(wanted), f"these are not the bytes from {body.start} on"
            assert PLAIN[body.start :].startswith(data)
            assert body.total in (None, len(PLAIN)), "`total` is of the whole, not of the part"
            assert body.validator == whole.validator or body.start == 0, "the same bytes have another validator"
        net.close()

    @applies("stream", needs=["network", "change", "mutable"])
    def test_bytes_that_have_changed_are_not_spliced(self, place: Any, bench: FetchBench) -> None:
        """Begin anew where the place has other bytes than those that `span.validator` is of."""
        ref, net, fetcher = self.put(place, PLAIN), bench.net(), self._stream()
        whole = fetcher.open(ref, net)
        drain(whole)
        self.change(place, PLAIN, OTHER)
        if whole.validator is not None:
            with contextlib.suppress(WfxError):
                body = fetcher.open(ref, net, Span(10_000, None, whole.validator))
                data = read(body)
                assert body.start == 0, "the end of other bytes came for what was the beginning of these"
                assert data == OTHER
                assert body.validator != whole.validator
        net.close()

    @applies("stream")
    def test_several_threads_may_open_it_at_once(self, place: Any, bench: FetchBench) -> None:
        """Keep nothing of one call on the instance that another call would see."""
        parts = [b"%03d " % number * 2000 for number in range(6)]
        refs = [self.put(place, part) for part in parts]
        fetcher, net, problems = self._stream(), bench.net(), []
        ready = threading.Barrier(len(refs))

        def work(ref: Reference, part: bytes) -> None:
            try:
                for _ in range(3):
                    ready.wait(20)
                    if read(fetcher.open(ref, net)) != part:
                        problems.append(f"{ref}: the bytes of another")
            except (WfxError, OSError, threading.BrokenBarrierError) as error:
                ready.abort()
                problems.append(f"{ref}: {error!r}")

        threads = [threading.Thread(target=work, args=pair) for pair in zip(refs, parts, strict=True)]
        interval = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
            net.close()
        assert problems == []

    @applies("stream", "tree", needs=["network", "cut"])
    def test_a_body_that_ends_too_early_is_an_error(self, place: Any, bench: FetchBench) -> None:
        """Raise, or let the read raise OSError, where fewer bytes come than there are; never take them for the whole."""
        ref = self._put(place, PLAIN)
        self.cut(place, PLAIN)
        with pytest.raises(WfxError) as caught:
            bench.one(ref)
        assert caught.value.exit_code in (4, 5)
        assert bench.store.known(ref) is None

    @applies("stream", "tree", needs=["network", "stall"])
    def test_what_is_broken_off_ends_within_a_moment(self, place: Any, bench: FetchBench, tmp_path: Path) -> None:
        """Stop waiting when the gate is cancelled and the stream closed from another thread (`Net.ending_with`)."""
        ref, net, fetcher = self._put(place, PLAIN), bench.net(), self.fetcher()
        pinned = fetcher.pin(ref, net).reference if isinstance(fetcher, TreeFetcher) else ref
        asked, bodies = self.stall(place, PLAIN), []
        into = tmp_path / "stalled" / "tree"
        into.mkdir(parents=True)

        def work() -> None:
            with contextlib.suppress(WfxError, OSError):
                if isinstance(fetcher, TreeFetcher):
                    fetcher.fetch_tree(pinned, net, into)
                elif isinstance(fetcher, StreamFetcher):
                    body = fetcher.open(ref, net)
                    bodies.append(body)
                    drain(body)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        assert asked.wait(20), "nobody asked for it"
        time.sleep(0.05)
        began = time.monotonic()
        while thread.is_alive() and time.monotonic() - began < MOMENT:
            net.cancel()
            for body in bodies:
                closing = threading.Thread(target=_close, args=(body,), daemon=True)
                closing.start()
            thread.join(0.1)
        assert not thread.is_alive(), f"it still waits {MOMENT:g} s later"

    @applies("stream", "tree", "resolver", needs=["network", "guard"])
    def test_credentials_are_asked_of_the_gate(self, place: Any, bench: FetchBench) -> None:
        """Send what `Net.http` adds by itself, or `Net.connect` hands out for the origin."""
        ref = self._put(place, PLAIN)
        self.guard(place, USER, SECRET)
        bench.login(place.url, USER, SECRET)
        assert len(self._content(bench, bench.one(ref))) == len(PLAIN)

    @applies("stream", "tree", "resolver", needs=["network", "guard"])
    def test_a_refusal_is_no_content(self, place: Any, bench: FetchBench) -> None:
        """Raise AccessDenied where the place asks for credentials, and never take what it says for the bytes."""
        ref = self._put(place, PLAIN)
        self.guard(place, USER, SECRET)
        with pytest.raises(AccessDenied):
            bench.one(ref)

    @applies("stream", "tree", "resolver", needs=["network", "guard", "redirect"])
    def test_credentials_go_to_no_other_origin(self, place: Any, bench: FetchBench) -> None:
        """Never send along what one origin was given: not on a redirect, and not to where an answer leads."""
        ref = self._put(place, PLAIN)
        self.guard(place, USER, SECRET)
        bench.login(place.url, USER, SECRET)
        with FaultServer() as other:
            self.redirect(place, other)
            with contextlib.suppress(WfxError):
                bench.one(ref)
            sent = repr(other.requests)
        assert not any(form in sent for form in forms_of(SECRET))

    @applies("stream", "tree", "resolver", needs=["network", "guard"])
    def test_secrets_are_in_no_message_log_or_repr(
        self, place: Any, bench: FetchBench, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Give no secret away: when all goes well, when it is refused, and in whatever a debugger would print."""
        caplog.set_level(1)
        ref = self._put(place, PLAIN)
        self.guard(place, USER, SECRET)
        said: list[str] = []
        refs = [ref, *([with_userinfo(ref, USER, WRONG)] if self.userinfo else [])]
        for number, password in enumerate((SECRET, WRONG)):
            bench.environment.clear()
            bench.login(place.url, USER, password)
            net, fetcher = bench.net(), self.fetcher()
            for one in refs:
                folder = tmp_path / f"said{number}"
                folder.mkdir(exist_ok=True)
                try:
                    result = self._ask(fetcher, one, net, folder)
                except (WfxError, OSError) as error:
                    said += texts_of(error)
                else:
                    said += [repr(result), str(result)]
                said += [repr(fetcher), repr(vars(fetcher)) if hasattr(fetcher, "__dict__") else ""]
            net.close()
        said += [record.getMessage() for record in caplog.records]
        text = "\n".join(said)
        for secret in (SECRET, WRONG):
            assert not any(form in text for form in forms_of(secret)), "a secret is shown"

    @applies("stream", "tree", "resolver", "local")
    def test_offline_opens_no_socket(
        self, place: Any, bench: FetchBench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Raise OfflineError with `Net.offline` and touch no network; without need of one, work all the same."""
        ref, opened = self._put(place, PLAIN), []
        fetcher = self.fetcher()
        if isinstance(fetcher, TreeFetcher) and self.network:
            net = bench.net()
            ref = fetcher.pin(ref, net).reference
            net.close()
        before = len(getattr(place, "requests", ()))

        def refuse(*arguments: object, **options: object) -> None:
            opened.append(arguments)
            raise OSError("a test lets nobody out")

        with monkeypatch.context() as patch:
            for name in ("socket.connect", "socket.connect_ex", "socket.sendto"):
                patch.setattr(f"socket.{name}", refuse)
            patch.setattr(socket, "getaddrinfo", refuse)
            gate = bench.net(offline=True)
            if self.network and self.shape() != "resolver":
                with pytest.raises(OfflineError):
                    self._ask(fetcher, ref, gate, tmp_path)
            else:
                # A resolver may know by the address alone what it stands for.
                with contextlib.suppress(OfflineError):
                    self._ask(fetcher, ref, gate, tmp_path)
                    assert not self.network or opened == []
        assert opened == []
        assert len(getattr(place, "requests", ())) == before, "the place was asked"

    @applies("tree")
    def test_a_pin_means_the_same_again(self, place: Any, bench: FetchBench) -> None:
        """Pin a pinned reference to itself, with the same revision."""
        fetcher, net = self.fetcher(), bench.net()
        assert isinstance(fetcher, TreeFetcher)
        pinned = fetcher.pin(self._put(place, PLAIN), net)
        again = fetcher.pin(pinned.reference, net)
        net.close()
        assert (again.reference, again.revision) == (pinned.reference, pinned.revision)
        assert isinstance(pinned, Pinned)
        assert pinned.revision

    @applies("resolver")
    def test_better_references_are_absolute_and_elsewhere(self, place: Any, bench: FetchBench) -> None:
        """Lead to absolute references of other things, and never to a file of this machine."""
        ref, net, fetcher = self.put(place, PLAIN), bench.net(), self.fetcher()
        assert isinstance(fetcher, ResolverFetcher)
        found = list(fetcher.resolve(ref, net))
        net.close()
        assert found, "where nothing is there, raise ReferenceNotFound"
        for source in found:
            for each in (source.reference, *source.alternates):
                assert Reference.parse(each.uri) == each
                assert not each.on_this_machine
                assert each != ref
        json.dumps([source.name for source in found])

    @applies("local")
    def test_the_users_own_file_is_left_as_it_is(self, place: Any, bench: FetchBench) -> None:
        """Change neither bytes nor mode nor times of what is the user's."""
        ref = self.put(place, PLAIN)
        fetcher = self.fetcher()
        assert isinstance(fetcher, LocalFetcher)
        path = fetcher.locate(ref)
        before = files_below(path.parent)
        bench.one(ref)
        assert files_below(path.parent) == before

    def test_its_keys_are_the_entry_points(self) -> None:
        """Name in pyproject.toml what the classes have as `keys`, no more and no less."""
        check_keys(self.fetcher, "fetcher")

    def _stream(self) -> StreamFetcher:
        fetcher = self.fetcher()
        assert isinstance(fetcher, StreamFetcher)
        return fetcher


def read(body: Body) -> bytes:
    """Read a body to its end, and close it."""
    buffer, parts = memoryview(bytearray(65536)), []
    try:
        while count := body.stream.readinto(buffer):
            parts.append(bytes(buffer[:count]))
    finally:
        body.stream.close()
    return b"".join(parts)


def drain(body: Body) -> int:
    """Read a body to its end without keeping it, and close it; return how much there was."""
    buffer, size = memoryview(bytearray(65536)), 0
    try:
        while count := body.stream.readinto(buffer):
            size += count
    finally:
        body.stream.close()
    return size


def with_userinfo(ref: Reference, user: str, password: str) -> Reference:
    """Return the reference with credentials before its host."""
    scheme, _, rest = ref.without_credentials().uri.partition("://")
    return Reference(f"{scheme}://{user}:{password}@{rest}")


def _close(body: Body) -> None:
    with contextlib.suppress(OSError, ValueError):
        body.stream.close()
