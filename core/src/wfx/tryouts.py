"""Try a place out: which credential applies to a reference, and whether the place accepts it. Nothing is stored."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wfx.errors import AccessDenied, FetchError, ReferenceNotFound, WfxError
from wfx.fetching import LocalFetcher, ResolverFetcher, StreamFetcher, TreeFetcher
from wfx.net import AuthenticationNeeded, Net, TemporaryFailure
from wfx.net.credentials import Credential, Credentials
from wfx.redaction import redact, redact_uri
from wfx.references import Reference

if TYPE_CHECKING:
    from wfx.plugins import PluginManager
    from wfx.session import Session

MAX_HOPS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What a place says to one who asks."""

    outcome: str
    """`ok`, `unauthorised` (401), `forbidden` (403), `missing` (404), `busy` (429, 5xx), `failed`."""
    said: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Tryout:
    """What came of it."""

    reference: str
    used: Mapping[str, str]
    """Address → where the credential was found that was sent there; empty: none applies."""
    answer: Answer
    anonymous: Answer | None
    """What the place says without any; None where none applies, or nothing was asked of a place."""
    verdict: str
    good: bool


class _Watched(Credentials):
    """Remembers which credentials were asked for and found."""

    def __init__(self, config_dir: Path, environment: Mapping[str, str]) -> None:
        super().__init__(config_dir, environment)
        self.used: dict[str, str] = {}

    def find(self, reference: str, user: str = "") -> Credential | None:
        found = super().find(reference, user)
        if found is not None:
            self.used[redact_uri(reference)] = found.given_in
        return found


def try_out(reference: Reference, session: Session) -> Tryout:
    """Ask for a reference with the credentials that apply, and without any; read a byte at most.

    Raises OfflineError, and whatever reading a credential raises.
    """
    watched = _Watched(session.directories.config, os.environ)
    net = Net(offline=session.offline, settings=session.net.settings, credentials=watched)
    bare = Net(offline=session.offline, settings=session.net.settings, credentials=Credentials(None, {}))
    stripped = reference.without_credentials()
    try:
        watched.find(stripped.uri)
        if stripped != reference:
            watched.used[str(reference)] = "the reference itself"
        answer = _ask(reference, net, session.plugins)
        anonymous = _ask(stripped, bare, session.plugins) if watched.used else None
    finally:
        net.close()
        bare.close()
    return Tryout(str(reference), watched.used, answer, anonymous, *_judge(answer, anonymous))


def _ask(reference: Reference, net: Net, plugins: PluginManager) -> Answer:
    try:
        _follow(reference, net, plugins, 0)
    except AuthenticationNeeded as error:
        return Answer("unauthorised", _said(error), 401)
    except AccessDenied as error:
        return Answer("forbidden", _said(error), error.status)
    except ReferenceNotFound as error:
        return Answer("missing", _said(error), error.status)
    except TemporaryFailure as error:
        wait = f"; it asks to wait {error.retry_after:g} s" if error.retry_after else ""
        return Answer("busy" if error.status else "failed", _said(error) + wait, error.status)
    except (FetchError, OSError) as error:
        return Answer("failed", _said(error), getattr(error, "status", None))
    return Answer("ok")


def _said(error: Exception) -> str:
    if isinstance(error, WfxError):
        return redact(error.what + (f": {error.why}" if error.why else ""))
    return redact(str(error))


def _follow(reference: Reference, net: Net, plugins: PluginManager, hops: int) -> None:
    """Go as far as to the first byte of what a reference means."""
    if hops > MAX_HOPS:
        raise FetchError(f"it leads to another reference more than {MAX_HOPS} times", where=str(reference))
    for cls in plugins.fetchers(reference):
        fetcher = cls()
        if isinstance(fetcher, LocalFetcher):
            fetcher.locate(reference)
        elif isinstance(fetcher, TreeFetcher):
            fetcher.pin(reference, net)
        elif isinstance(fetcher, StreamFetcher):
            if fetcher.files(reference, net) is not None:
                return
            stream = fetcher.open(reference, net).stream
            try:
                stream.readinto(memoryview(bytearray(1)))
            finally:
                stream.close()
        elif isinstance(fetcher, ResolverFetcher):
            if fetcher.pin(reference, net) is not None:
                return
            found = fetcher.resolve(reference, net)
            if not found:
                raise ReferenceNotFound("nothing is there", where=str(reference))
            if found[0].reference == reference:
                continue  # not its own: the next less specific one
            if found[0].content is None:
                _follow(found[0].reference, net, plugins, hops + 1)
        return


def _judge(answer: Answer, anonymous: Answer | None) -> tuple[str, bool]:
    """Say in words what the two answers mean together, and whether all is well."""
    code = f" ({answer.status})" if answer.status else ""
    if anonymous is None:
        return {
            "ok": ("no credential applies, and none is needed", True),
            "unauthorised": (f"no credential applies, and the place asks for one{code}", False),
            "forbidden": (f"no credential applies, and the place refuses who gives none{code}", False),
            "missing": (f"no credential applies, and nothing is there{code}; it may be hidden from strangers", False),
        }.get(answer.outcome, _neither(answer, code))
    if answer.outcome == "ok":
        open_too = "; anonymous works as well" if anonymous.outcome == "ok" else ""
        return f"the credential is accepted{open_too}", True
    if anonymous.outcome == "ok":
        return f"anonymous works, your credential does not{code}: replace it, or take it out", False
    return {
        "unauthorised": (f"the place does not accept the credential{code}: it is wrong, or has expired", False),
        "forbidden": (f"the credential may not read this{code}: the place asks for other rights", False),
        "missing": (f"nothing is there{code}, or the credential may not see it", False),
    }.get(answer.outcome, _neither(answer, code))


def _neither(answer: Answer, code: str) -> tuple[str, bool]:
    if answer.outcome == "busy":
        return f"the place is busy{code}, which says nothing of credentials: {answer.said}", False
    return f"the place could not be asked{code}: {answer.said}", False
