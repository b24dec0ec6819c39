"""Rules on who is asked, with whose credentials, and who gets to see them."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any

import pytest

from wfx.errors import AccessDenied, OfflineError, WfxError
from wfx.fetching import (
    TreeFetcher,
)
from wfx.testing.benches import FetchBench
from wfx.testing.contracts import (
    SECRET,
    USER,
    WRONG,
    applies,
    forms_of,
    texts_of,
)
from wfx.testing.fetchers.author import PLAIN, AuthorsSide, with_userinfo
from wfx.testing.servers import FaultServer


class AccessRules(AuthorsSide):
    """Credentials are the gate's to give and go to one origin alone; offline nobody is asked."""

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
