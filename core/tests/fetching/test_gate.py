"""The gate: redirects, private networks, credentials, proxies."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, OfflineError, PolicyError, ReferenceNotFound
from wfx.fetching import Span
from wfx.net import Net
from wfx.net.addresses import is_public
from wfx.net.credentials import Credentials
from wfx.redaction import redact, redact_uri
from wfx.references import Reference
from wfx.testing.servers import FaultServer

TOKEN = "canary-9f3b2c71"


def test_a_redirect_is_followed_and_the_last_place_recorded(bench, server: FaultServer) -> None:
    target = server.add("/b", b"bytes")
    assert bench.bytes_of(bench.one(server.redirect("/a", target))) == b"bytes"
    assert bench.bytes_of(bench.one(server.redirect("/relative", "b"))) == b"bytes"


def test_a_loop_ends_after_ten(bench, server: FaultServer) -> None:
    url = server.redirect("/a", server.url + "/a")
    with pytest.raises(FetchError, match="more than 10 redirects"):
        bench.one(url)
    assert len(server.asked("/a")) == 11


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "data:,x"])
def test_a_redirect_to_another_scheme_is_refused(bench, server: FaultServer, target: str) -> None:
    with pytest.raises(PolicyError) as caught:
        bench.one(server.redirect("/a", target))
    assert caught.value.exit_code == 8


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::1]", "10.0.0.1", "192.168.1.1", "0.0.0.0", "[::ffff:10.0.0.1]"]
)
def test_a_redirect_into_another_private_network_is_refused(bench, server: FaultServer, host: str) -> None:
    with pytest.raises(PolicyError, match="private network"):
        bench.one(server.redirect("/a", f"http://{host}:9/latest/meta-data"), retries=0)


def test_a_document_from_a_public_place_leads_into_no_private_network(bench, server: FaultServer) -> None:
    url = server.add("/a", b"internal")
    gate = bench.net().on_behalf_of(Reference("https://public.example.org/wf.cwl"))
    with pytest.raises(PolicyError):
        bench.one(url, net=gate)
    with pytest.raises(PolicyError):
        gate.connect(server.url)
    assert server.requests == []
    bench.private = ("127.0.0.1",)
    allowed = bench.net().on_behalf_of(Reference("https://public.example.org/wf.cwl"))
    assert bench.bytes_of(bench.one(url, net=allowed)) == b"internal"


def test_a_document_from_a_private_place_may_name_its_own_host(bench, server: FaultServer) -> None:
    url = server.add("/a", b"x")
    gate = bench.net().on_behalf_of(Reference(server.url + "/wf.cwl"))
    assert bench.bytes_of(bench.one(url, net=gate)) == b"x"


@pytest.mark.parametrize(
    ("address", "public"),
    [("8.8.8.8", True), ("127.0.0.1", False), ("169.254.169.254", False), ("::1", False), ("fe80::1%eth0", False),
     ("::ffff:127.0.0.1", False), ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("100.64.0.1", False),
     ("224.0.0.1", False), ("2606:4700::1111", True)],
)  # fmt: skip
def test_public_addresses_are_told_from_private_ones(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_token_goes_to_its_origin_alone(bench, server: FaultServer) -> None:
    with FaultServer() as other:
        target = other.add("/b", b"bytes")
        bench.environment[f"WFX_TOKEN_127_0_0_1_{server.port}"] = TOKEN
        bench.one(server.redirect("/a", target))
        assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in str(other.requests)


def test_a_header_of_an_origins_own_is_not_sent_on_a_redirect(bench, server: FaultServer) -> None:
    with FaultServer() as other:
        bench.config.mkdir()
        file = bench.config / "credentials.toml"
        file.write_text(f'["{server.url}"]\nheader = "X-Api-Key"\nvalue = "{TOKEN}"\n')
        file.chmod(0o600)
        bench.one(server.redirect("/a", other.add("/b", b"bytes")))
        assert server.requests[0].headers["x-api-key"] == TOKEN
        assert TOKEN not in str(other.requests)


def test_a_password_in_a_reference_is_used_and_kept_out_of_everything(bench, server: FaultServer) -> None:
    server.add("/a", b"bytes", authorization="Basic dXNlcjpjYW5hcnktOWYzYjJjNzE=")
    url = f"http://user:{TOKEN}@127.0.0.1:{server.port}/a"
    answer = bench.one(url)
    assert bench.bytes_of(answer) == b"bytes"
    for path in bench.store.root.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
    with pytest.raises(AccessDenied) as caught:
        bench.one(url.replace(TOKEN, TOKEN + "x"))
    assert TOKEN not in str(caught.value)
    assert TOKEN not in repr(answer)


def test_a_presigned_url_is_kept_without_its_signature(bench, server: FaultServer) -> None:
    url = server.add(f"/a?X-Amz-Signature={TOKEN}", b"bytes")
    bench.one(url)
    assert TOKEN not in redact_uri(url)
    assert all(TOKEN not in reference for reference, _ in bench.store.references())


def test_netrc_is_read_for_this_machine_and_refused_when_others_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "netrc"
    file.write_text(f"machine 127.0.0.1 login me password {TOKEN}\n")
    file.chmod(0o644)
    with pytest.raises(PolicyError, match="chmod 600") as caught:
        Credentials(None, {"NETRC": str(file)}).find("http://127.0.0.1:8000")
    assert caught.value.exit_code == 8
    file.chmod(0o600)
    found = Credentials(None, {"NETRC": str(file)}).find("http://127.0.0.1:8000")
    assert found is not None
    assert found.password == TOKEN
    assert TOKEN not in repr(found)
    assert redact(f"password {TOKEN}") == "password REDACTED"


def test_credentials_are_not_sent_in_the_clear_to_another_machine(tmp_path: Path) -> None:
    environment = {"WFX_TOKEN_EXAMPLE_ORG": TOKEN}
    assert Credentials(None, environment).find("https://example.org") is not None
    assert Credentials(None, environment).find("http://example.org") is None
    assert Credentials(None, environment).find("https://example.org:8443") is None
    assert Credentials(None, environment).find("https://other.example.org") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [("token = 1", "is expected"), ('["https://a.org"]\ntokn = "x"', "'tokn' is not known"), ("[", "not valid TOML"),
     ('["https://a.org"]\ntoken_env = "NOT_THERE"', "NOT_THERE"), ('["a.org"]\ntoken = "x"', "https://HOST")],
)  # fmt: skip
def test_a_broken_file_of_credentials_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "credentials.toml"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(DefinitionError, match=message):
        Credentials(tmp_path, {}).find("https://a.org")


def test_a_proxy_is_used_and_its_exceptions_are_kept(
    bench, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("http://data.example.org/a", b"through the proxy")
    monkeypatch.setenv("http_proxy", f"http://me:{TOKEN}@127.0.0.1:{server.port}")
    assert bench.bytes_of(bench.one("http://data.example.org/a")) == b"through the proxy"
    assert server.requests[0].headers["proxy-authorization"].startswith("Basic ")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert bench.bytes_of(bench.one(server.add("/a", b"direct"))) == b"direct"


def test_a_connection_that_the_server_closed_is_replaced(bench, server: FaultServer) -> None:
    gate = bench.net()
    url = server.add("/a", b"x", cut=[])
    assert gate.http(url).read() == b"x"
    for connection in list(server._open):
        connection.shutdown(2)
    assert gate.http(url).read() == b"x"


def test_contacts_are_written_down_without_secrets(bench, server: FaultServer) -> None:
    gate = bench.net()
    gate.http(server.add("/a", b"12345").replace("127", "u:pppppppp@127")).read()
    [contact] = gate.contacts()
    assert (contact.origin, contact.requests, contact.bytes) == (server.url, 1, 5)


def test_a_gate_is_safe_for_many_threads(bench, server: FaultServer) -> None:
    urls = [server.add(f"/{n}", b"x" * n) for n in range(50)]
    gate, sizes = bench.net(), []
    threads = [threading.Thread(target=lambda u=u: sizes.append(len(gate.http(u).read()))) for u in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sizes) == list(range(50))


def test_offline_is_a_hard_switch() -> None:
    gate = Net(offline=True)
    with pytest.raises(OfflineError):
        gate.http("http://127.0.0.1:1/")
    with pytest.raises(OfflineError):
        gate.connect("ssh://host")
    with pytest.raises(OfflineError):
        gate.on_behalf_of(Reference("http://a/")).http("http://127.0.0.1:1/")


@pytest.mark.parametrize("url", ["http://", "http:///x", "http://a:99999999/", "http://[::1/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(FetchError):
        Net().http(url)


def test_an_address_that_changes_after_it_was_judged_is_not_followed(
    bench, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name is public when it is looked at, and this machine's a moment later."""
    import socket

    asked, tried = [], []
    real = socket.getaddrinfo

    def change(host: str, *arguments: object, **options: object) -> object:
        if host != "rebound.example":
            return real(host, *arguments, **options)
        asked.append(host)
        address = "192.0.2.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, server.port))]

    def connect(self: socket.socket, address: tuple[str, int]) -> None:
        tried.append(address[0])
        raise OSError("no way there")

    monkeypatch.setattr("wfx.net.addresses.is_public", lambda address: not str(address).startswith("127."))
    url = server.redirect("/a", f"http://rebound.example:{server.port}/b")
    first = socket.socket.connect
    monkeypatch.setattr(socket, "getaddrinfo", change)
    monkeypatch.setattr(
        socket.socket, "connect",
        lambda self, address: first(self, address) if address[0] == "127.0.0.1" and not asked else connect(self, address),
    )  # fmt: skip
    with pytest.raises(FetchError):
        bench.one(url, retries=0)
    assert tried
    assert "127.0.0.1" not in tried


def test_what_is_asked_for_anew_is_asked_for_in_the_same_way(bench, server: FaultServer) -> None:
    """After 416 the whole comes; headers of the caller's, `anonymous` and a log-in in the address stay as they were."""
    url = server.add("/a", b"short")
    bench.environment[f"WFX_TOKEN_127_0_0_1_{server.port}"] = TOKEN
    gate = bench.net()
    moved = server.redirect("/moved", url)
    body = gate.http(moved, Span(100), headers={"X-Signature": "s", "Accept": "text/plain"}, anonymous=True)
    assert (body.start, body.read()) == (0, b"short")
    assert len(server.requests) == 4
    for request in server.requests:
        assert request.headers["x-signature"] == "s"
        assert request.headers["accept"] == "text/plain"
        assert "authorization" not in request.headers
    server.requests.clear()
    assert gate.http(url.replace("127", "ann:longpassword@127"), Span(100)).read() == b"short"
    assert [request.headers["authorization"][:6] for request in server.requests] == ["Basic ", "Basic "]


def test_what_was_sent_goes_to_no_other_host(bench, server: FaultServer) -> None:
    with FaultServer() as other:
        for status in (307, 308):
            url = server.redirect(f"/{status}", other.add("/there", b"thanks"), status)
            with pytest.raises(PolicyError, match="leads what was sent to another host"):
                bench.net().http(url, method="POST", data=b'{"passports": ["secret"]}')
        assert bench.net().http(server.redirect("/303", other.url + "/there", 303), method="POST", data=b"x").read()
        assert [(request.method, request.body) for request in other.requests] == [("GET", b"")]


def test_what_is_not_ready_is_asked_for_again_when_the_server_says(bench, server: FaultServer) -> None:
    url = server.add("/a", b"thawed", refuse=[(202, {"Retry-After": "0"}), (202, {"Retry-After": "0"})])
    assert bench.bytes_of(bench.one(url)) == b"thawed"
    assert len(server.asked("/a")) == 3
    assert any("202" in note for note in bench.progress.notes)


def test_the_end_of_other_bytes_is_not_put_behind_the_beginning_of_these(bench, server: FaultServer) -> None:
    """A server that knows no If-Range answers with 206 and another ETag."""
    url = server.add("/a", b"0123456789", etag='"new"')
    server.resources["/a"].on_request = lambda request, resource: request.headers.pop("if-range", None)
    net = bench.net()
    body = net.http(url, Span(4, None, '"old"'))
    assert (body.start, body.read(), body.validator) == (0, b"0123456789", '"new"')
    body = net.http(url, Span(4, None, '"new"'))
    assert (body.start, body.read()) == (4, b"456789")


def test_answers_that_a_caller_reads_himself_are_returned(bench, server: FaultServer) -> None:
    url = server.add("/a", b"<Code>Gone</Code>", status=404)
    moved = server.redirect("/b", f"{server.url}/a")
    net = bench.net()
    body = net.http(url, also=(404,))
    assert (body.status, body.read()) == (404, b"<Code>Gone</Code>")
    body = net.http(moved, also=(302,))
    assert (body.status, body.headers["location"]) == (302, f"{server.url}/a")
    with pytest.raises(ReferenceNotFound):
        net.http(moved, also=(403,))
