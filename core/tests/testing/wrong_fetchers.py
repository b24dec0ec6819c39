"""Fetchers that are wrong in one way each, with the rule that has to see it. They are no tests: see `test_fetchers.py`."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

import right_fetchers as right
from wfx.errors import AccessDenied, FetchError, ReferenceNotFound
from wfx.fetching import Body, Fetcher, Pinned, Reference, Source, Span
from wfx.hookspecs import hookimpl

CASES: list[tuple[str, type[Fetcher], str]] = []


def wrong(rule: str):
    """Say which rule, and only which, a wrong fetcher breaks."""

    def enter(cls):
        if cls.keys is cls.__mro__[1].keys:
            cls.keys = (f"{cls.__name__.lower()}+{cls.keys[0].rpartition('+')[2]}",)
        CASES.append((cls.__name__, cls, rule))
        return cls

    return enter


def whole(body: Body) -> bytes:
    buffer, parts = memoryview(bytearray(65536)), []
    while count := body.stream.readinto(buffer):
        parts.append(bytes(buffer[:count]))
    return b"".join(parts)


class Wrapped:
    """A stream around another."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def readinto(self, buffer, /):
        return self.inner.readinto(buffer)

    def close(self):
        self.inner.close()


# -- streams


@wrong("test_the_bytes_come_with_their_digest")
class TextMode(right.Stream):
    def open(self, ref, net, span=None):
        class Text(Wrapped):
            def readinto(self, buffer, /):
                count = self.inner.readinto(buffer)
                buffer[:count] = bytes(buffer[:count]).replace(b"\r", b"\n")
                return count

        body = super().open(ref, net, span)
        body.stream = Text(body.stream)
        return body


@wrong("test_an_empty_file_is_a_file")
class NothingIsMissing(right.Stream):
    def open(self, ref, net, span=None):
        body = super().open(ref, net, span)
        if body.total == 0:
            raise FetchError("it is empty", where=str(ref))
        return body


@wrong("test_what_is_missing_is_not_found_and_named")
class Nameless(right.Stream):
    def open(self, ref, net, span=None):
        try:
            return super().open(ref, net, span)
        except ReferenceNotFound as error:
            raise ReferenceNotFound("not found") from error


@wrong("test_what_is_missing_is_not_found_and_named")
class MissingIsEmpty(right.Stream):
    def open(self, ref, net, span=None):
        try:
            return super().open(ref, net, span)
        except ReferenceNotFound:
            return Body(io.BytesIO(), total=0)


@wrong("test_the_cause_of_an_error_is_chained")
class Unchained(right.Stream):
    def open(self, ref, net, span=None):
        try:
            return super().open(ref, net, span)
        except ReferenceNotFound as error:
            raise ReferenceNotFound(error.what, where=error.where) from None


@wrong("test_nothing_is_left_when_it_fails")
class Litter(right.Stream):
    def open(self, ref, net, span=None):
        handle, path = tempfile.mkstemp()
        os.close(handle)
        body = super().open(ref, net, span)
        os.unlink(path)
        return body


@wrong("test_nothing_is_written_elsewhere")
class OwnCache(right.Stream):
    def open(self, ref, net, span=None):
        body = super().open(ref, net, span)
        (Path.home() / "seen").write_text(ref.uri)
        return body


@wrong("test_a_large_file_is_not_held_in_memory")
class Hoarder(right.Stream):
    def open(self, ref, net, span=None):
        body = super().open(ref, net, span)
        body.stream = Late(body.stream)
        return body


class Late(Wrapped):
    """Reads it all at once, when it is first asked; a cut or a break is still told."""

    data: io.BytesIO | None = None

    def readinto(self, buffer, /):
        if self.data is None:
            self.data = io.BytesIO(whole(Body(self.inner)))
        return self.data.readinto(buffer)


@wrong("test_it_goes_on_at_an_offset")
class Pretender(right.Stream):
    def open(self, ref, net, span=None):
        body = super().open(ref, net, None)
        if span is not None and span.validator:
            body.start = span.start if span.validator == body.validator else 0
        return body


@wrong("test_it_goes_on_at_an_offset")
class OneTooFar(right.Stream):
    def open(self, ref, net, span=None):
        body = super().open(ref, net, span)
        if body.start:
            body.stream.readinto(memoryview(bytearray(1)))
        return body


@wrong("test_bytes_that_have_changed_are_not_spliced")
class Splicer(right.Stream):
    def open(self, ref, net, span=None):
        return super().open(ref, net, Span(span.start, span.stop) if span else None)


@wrong("test_several_threads_may_open_it_at_once")
class Stateful(right.Stream):
    def open(self, ref, net, span=None):
        self.ref = ref
        time.sleep(0.001)
        return super().open(self.ref, net, span)


@wrong("test_a_body_that_ends_too_early_is_an_error")
class Contented(right.Stream):
    def open(self, ref, net, span=None):
        class Content(Wrapped):
            def readinto(self, buffer, /):
                try:
                    return self.inner.readinto(buffer)
                except OSError:
                    return 0

        body = super().open(ref, net, span)
        body.stream, total = Content(body.stream), body.total
        body.total = None if span is None and total else body.total
        return body


@wrong("test_what_is_broken_off_ends_within_a_moment")
class Stubborn(right.Own):
    def open(self, ref, net, span=None):
        class Waiting(Wrapped):
            def close(self):
                pass

        body = super().open(ref, net, span)
        body.stream = Waiting(body.stream)
        return body


@wrong("test_credentials_are_asked_of_the_gate")
class Anonymous(right.Own):
    def request(self, url, ref, net, span, extra):
        class Deaf:
            def connect(self, origin):
                class Access:
                    credential = None

                net.connect(origin)
                return Access

        return super().request(url, ref, Deaf(), span, extra)


@wrong("test_a_refusal_is_no_content")
class LoginPage(right.Stream):
    def open(self, ref, net, span=None):
        try:
            return super().open(ref, net, span)
        except AccessDenied:
            page = b"please log in"
            return Body(io.BytesIO(page), total=len(page))


@wrong("test_credentials_go_to_no_other_origin")
class Trusting(right.Own):
    def along(self, headers):
        return {name: value for name, value in headers.items() if name == "Authorization"}


@wrong("test_secrets_are_in_no_message_log_or_repr")
class Talkative(right.Stream):
    def open(self, ref, net, span=None):
        credential = net.credentials.find("http://" + ref.uri.partition("://")[2].partition("/")[0])
        logging.getLogger("talkative").debug("password %s", credential and credential.password)
        return super().open(ref, net, span)


@wrong("test_secrets_are_in_no_message_log_or_repr")
class Explicit(right.Stream):
    def open(self, ref, net, span=None):
        credential = net.credentials.find("http://" + ref.uri.partition("://")[2].partition("/")[0])
        try:
            return super().open(ref, net, span)
        except AccessDenied as error:
            if credential is None:
                raise
            raise AccessDenied(f"{credential.password} is wrong", where=str(ref)) from error


@wrong("test_secrets_are_in_no_message_log_or_repr")
class Transparent(right.Stream):
    def open(self, ref, net, span=None):
        credential = net.credentials.find("http://" + ref.uri.partition("://")[2].partition("/")[0])
        self.login = credential.headers() if credential else {}
        return super().open(ref, net, span)


@wrong("test_offline_opens_no_socket")
class Headstrong(right.Own):
    def request(self, url, ref, net, span, extra):
        class Lenient:
            def connect(self, origin):
                net.offline = False
                return net.connect(origin)

        return super().request(url, ref, Lenient(), span, extra)


class Unnamed(right.Stream):
    keys = ("plain+http", "forgotten+http")


CASES.append(("Unnamed", Unnamed, "test_its_keys_are_the_entry_points"))


# -- trees


@wrong("test_the_bytes_come_with_their_digest")
class Flattened(right.Tree):
    def fetch_tree(self, ref, net, into):
        for name in json.loads(net.http(right.url_of(ref) + "/listing").read()):
            self.write(net.http(f"{right.url_of(ref)}/{quote(name)}"), into / Path(name).name)
        return ""


@wrong("test_an_empty_file_is_a_file")
class NoEmptyOnes(right.Tree):
    def fetch_tree(self, ref, net, into):
        super().fetch_tree(ref, net, into)
        for path in into.iterdir():
            if path.is_file() and not path.stat().st_size:
                path.unlink()
        return ""


@wrong("test_what_is_missing_is_not_found_and_named")
class EmptyTree(right.Tree):
    def pin(self, ref, net):
        try:
            return super().pin(ref, net)
        except ReferenceNotFound:
            return Pinned(Reference(ref.uri + "@none"), "none")

    def fetch_tree(self, ref, net, into):
        return "" if ref.uri.endswith("@none") else super().fetch_tree(ref, net, into)


@wrong("test_the_cause_of_an_error_is_chained")
class UnchainedTree(right.Tree):
    def pin(self, ref, net):
        try:
            return super().pin(ref, net)
        except ReferenceNotFound as error:
            raise ReferenceNotFound(error.what, where=error.where) from None


@wrong("test_nothing_is_left_when_it_fails")
class LitterTree(right.Tree):
    def write(self, body, path):
        handle, name = tempfile.mkstemp()
        os.close(handle)
        super().write(body, path)
        os.unlink(name)


@wrong("test_nothing_is_written_elsewhere")
class Neighbour(right.Tree):
    def fetch_tree(self, ref, net, into):
        (into.parent / "neighbour").write_bytes(b"")
        try:
            return super().fetch_tree(ref, net, into)
        finally:
            if "bench" in into.parts:
                (into.parent / "neighbour").unlink()


@wrong("test_a_large_file_is_not_held_in_memory")
class HoarderTree(right.Tree):
    def write(self, body, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole(body))
        body.stream.close()


@wrong("test_a_body_that_ends_too_early_is_an_error")
class ContentedTree(right.Tree):
    def write(self, body, path):
        with contextlib.suppress(OSError):
            super().write(body, path)


@wrong("test_what_is_broken_off_ends_within_a_moment")
class StubbornTree(right.Tree):
    def write(self, body, path):
        began = time.monotonic()
        try:
            super().write(body, path)
        except OSError:
            # It tries again by itself; a body that was merely cut costs it nothing here.
            if time.monotonic() - began > 0.05:
                time.sleep(5)
            raise


@wrong("test_credentials_are_asked_of_the_gate")
class AnonymousTree(right.Tree):
    def fetch_tree(self, ref, net, into):
        for name in json.loads(net.http(right.url_of(ref) + "/listing", headers={"Authorization": "none"}).read()):
            self.write(net.http(f"{right.url_of(ref)}/{quote(name)}"), into / name)
        return ""


@wrong("test_a_refusal_is_no_content")
class LoginTree(right.Tree):
    def pin(self, ref, net):
        try:
            return super().pin(ref, net)
        except AccessDenied:
            return Pinned(Reference(ref.uri + "@login"), "login")

    def fetch_tree(self, ref, net, into):
        if ref.uri.endswith("@login"):
            (into / "index.html").write_text("please log in")
            return ""
        return super().fetch_tree(ref, net, into)


@wrong("test_secrets_are_in_no_message_log_or_repr")
class TalkativeTree(right.Tree):
    def pin(self, ref, net):
        credential = net.credentials.find("http://" + ref.uri.partition("://")[2].partition("/")[0])
        pinned = super().pin(ref, net)
        return Pinned(pinned.reference, pinned.revision, credential.password if credential else "")


@wrong("test_offline_opens_no_socket")
class HeadstrongTree(right.Tree):
    def fetch_tree(self, ref, net, into):
        net.offline = False
        return super().fetch_tree(ref, net, into)


@wrong("test_a_pin_means_the_same_again")
class Drifting(right.Tree):
    count = 0

    def pin(self, ref, net):
        pinned = super().pin(ref, net)
        Drifting.count += 1
        return Pinned(pinned.reference, f"{pinned.revision}-{Drifting.count}")


class UnnamedTree(right.Tree):
    keys = ("unnamed-tree+http",)


CASES.append(("UnnamedTree", UnnamedTree, "test_its_keys_are_the_entry_points"))


# -- resolvers


@wrong("test_what_is_missing_is_not_found_and_named")
class Vague(right.Resolver):
    def resolve(self, ref, net):
        try:
            return super().resolve(ref, net)
        except ReferenceNotFound as error:
            raise FetchError(str(error)) from error


@wrong("test_better_references_are_absolute_and_elsewhere")
class Downhill(right.Resolver):
    def resolve(self, ref, net):
        [source] = super().resolve(ref, net)
        return [Source(source.reference, source.expected, (Reference("file:///etc/hostname"),), name=source.name)]


@wrong("test_credentials_go_to_no_other_origin")
class Generous(right.Resolver):
    def resolve(self, ref, net):
        credential = net.credentials.find("http://" + ref.uri.partition("://")[2].partition("/")[0])
        [source] = super().resolve(ref, net)
        if credential is not None:
            try:
                right.Own().request(source.reference.uri, ref, net, None, {})
                location = net.http(source.reference.uri).url
                whole(net.http(location, headers=credential.headers()))
            except (FetchError, AttributeError):
                pass
        return [source]


@wrong("test_offline_opens_no_socket")
class HeadstrongResolver(right.Resolver):
    def resolve(self, ref, net):
        net.offline = False
        return super().resolve(ref, net)


# -- local


@wrong("test_the_users_own_file_is_left_as_it_is")
class Toucher(right.Local):
    keys = ("toucher",)

    def locate(self, ref):
        path = super().locate(ref)
        os.utime(path, ns=(1, path.stat().st_mtime_ns + 10**9))
        return path


@hookimpl
def wfx_fetchers():
    return [cls for name, cls, _ in CASES if not name.startswith("Unnamed")]


def contracts():
    for cls in right.RIGHT:
        rules = right.RULES[_shape(cls)]
        yield f"Right{cls.__name__}", cls, rules
    for name, cls, _ in CASES:
        yield f"Wrong{name}", cls, right.RULES[_shape(cls)]


def _shape(cls):
    return next(n for base, n in ((right.LocalFetcher, "local"), (right.TreeFetcher, "tree"),
                                  (right.StreamFetcher, "stream"), (right.ResolverFetcher, "resolver"))
                if issubclass(cls, base))  # fmt: skip


for _name, _cls, _rules in contracts():
    globals()[_name] = type(_name, (_rules,), {"fetcher": _cls, "__module__": __name__})
