"""`ftps`: TLS that is asked for (RFC 4217), TLS from the first byte, and what is wrong with either."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from wfx.errors import FetchError
from wfx.testing.benches import FetchBench
from wfx.testing.certificates import Authority

DATA = bytes(range(256)) * 4096


def trust(bench: FetchBench, authority: Authority, **section: Any) -> None:
    bench.network = {"ca_bundle": str(authority.bundle), "sections": {"fetcher.ftp": section}}


def test_log_in_and_data_are_encrypted(serve_tls: Callable[..., Any], bench: FetchBench, authority: Authority) -> None:
    place = serve_tls()
    trust(bench, authority)
    place.write("d/a.bin", DATA)
    assert bench.files_of(bench.one(f"{place.url}/d/")) == {"a.bin": DATA}
    assert place.commands[0] == "AUTH TLS"
    assert place.asked_for("PROT") == ["PROT P"]


def test_a_file_that_was_cut_is_gone_on_with(
    serve_tls: Callable[..., Any], bench: FetchBench, authority: Authority
) -> None:
    place = serve_tls()
    trust(bench, authority)
    ref, place.cuts = place.write("a.bin", DATA), [len(DATA) // 2]
    assert bench.bytes_of(bench.one(ref, retries=2)) == DATA
    assert len(place.asked_for("REST")) == 1


def test_a_server_may_speak_tls_from_the_first_byte(
    serve_tls: Callable[..., Any], bench: FetchBench, authority: Authority
) -> None:
    from pyftpdlib.handlers import TLS_FTPHandler

    class Implicit(TLS_FTPHandler):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.secure_connection(self.ssl_context)

    place = serve_tls(Implicit)
    trust(bench, authority, implicit=[f"127.0.0.1:{place.port}"])
    assert bench.bytes_of(bench.one(place.write("a.bin", DATA))) == DATA
    assert not place.asked_for("AUTH")


def test_a_server_without_tls_is_not_spoken_with_in_clear(place: Any, bench: FetchBench) -> None:
    ref = place.write("a.txt", b"a\n")
    with pytest.raises(FetchError, match="offers no encryption: 5.*write ftp:// where"):
        bench.one(ref.uri.replace("ftp:", "ftps:"))
    assert not place.asked_for("USER")


def test_a_certificate_that_nobody_vouches_for_is_refused(serve_tls: Callable[..., Any], bench: FetchBench) -> None:
    place = serve_tls()
    ref = place.write("a.txt", b"a\n")
    with pytest.raises(FetchError, match=r"certificate is not trusted.*set net\.ca_bundle"):
        bench.one(ref)
    assert not place.asked_for("USER")


def test_the_port_990_means_tls_from_the_first_byte() -> None:
    from wfx.fetching import Reference
    from wfx_ftp.addresses import Address, Settings

    def implicit(uri: str, *hosts: str) -> bool:
        return Address.parse(Reference(uri)).is_implicit(Settings(hosts))

    assert implicit("ftps://h:990/a")
    assert implicit("ftps://h/a", "h")
    assert not implicit("ftps://h/a")
    assert not implicit("ftp://h:990/a")

    def port(uri: str, *hosts: str) -> int:
        return Address.parse(Reference(uri)).port_for(Settings(hosts))

    assert [port("ftps://h/a"), port("ftps://h/a", "h"), port("ftp://h/a", "h"), port("ftps://h:7/a", "h")] == [
        21,
        990,
        21,
        7,
    ]
