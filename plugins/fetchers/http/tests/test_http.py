"""What the web asks of a client: certificates, proxies, log-ins, redirects, names. Faults are in the core's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, PolicyError
from wfx.fetching import Reference
from wfx.net import NetSettings, TemporaryFailure
from wfx.net.addresses import allowed_addresses
from wfx.testing.benches import FetchBench
from wfx.testing.certificates import Authority
from wfx.testing.proxies import Proxy
from wfx.testing.servers import FaultServer

TOKEN = "canary-77c0ffee"


# -- certificates


def test_an_unknown_authority_is_refused_and_the_remedy_said(bench: FetchBench, secure: FaultServer) -> None:
    url = secure.add("/a", b"bytes")
    with pytest.raises(FetchError, match=r"certificate is not trusted.*net\.ca_bundle") as caught:
        bench.one(url)
    assert not isinstance(caught.value, TemporaryFailure)
    assert secure.requests == []


@pytest.mark.parametrize("way", ["setting", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_an_authority_of_ones_own_is_taken(
    bench: FetchBench, secure: FaultServer, authority: Authority, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = secure.add("/a", b"bytes")
    if way == "setting":
        bench.network["ca_bundle"] = str(authority.bundle)
    else:
        monkeypatch.setenv(way, str(authority.bundle))
    assert bench.bytes_of(bench.one(url)) == b"bytes"


def test_a_certificate_for_another_name_is_refused(
    bench: FetchBench, secure: FaultServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    bench.network["ca_bundle"] = str(authority.bundle)
    secure.add("/a", b"bytes")
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    assert bench.one(f"https://data.example.org:{secure.port}/a").size == 5
    with pytest.raises(FetchError, match="certificate is not trusted"):
        bench.one(f"https://evil.example.org:{secure.port}/a")


def test_a_bundle_that_is_none_is_named(bench: FetchBench, secure: FaultServer, tmp_path: Path) -> None:
    bench.network["ca_bundle"] = str(tmp_path / "none.pem")
    with pytest.raises(FetchError, match=r"none\.pem"):
        bench.one(secure.url + "/a")


def test_plain_http_on_a_port_of_https_is_told(bench: FetchBench, server: FaultServer) -> None:
    with pytest.raises(FetchError) as caught:
        bench.one(server.url.replace("http:", "https:") + "/a")
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


# -- proxies


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"])
def test_a_proxy_carries_plain_requests(
    bench: FetchBench, server: FaultServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("/a?b=c", b"bytes")
    with Proxy(hosts={"data.example.org": ("127.0.0.1", server.port)}) as proxy:
        monkeypatch.setenv(name, proxy.url)
        assert bench.bytes_of(bench.one("http://data.example.org/a?b=c")) == b"bytes"
    [request] = proxy.requests
    assert (request.method, request.path) == ("GET", "http://data.example.org/a?b=c")
    assert server.requests[0].headers["host"] == "data.example.org"


def test_https_goes_through_a_tunnel_in_which_the_proxy_sees_nothing(
    bench: FetchBench, secure: FaultServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.network["ca_bundle"] = str(authority.bundle)
    bench.environment["WFX_TOKEN_DATA_EXAMPLE_ORG"] = TOKEN
    secure.add("/secret/a", b"bytes", authorization=f"Bearer {TOKEN}")
    with Proxy(user="me", password="pr0xypassword", hosts={"data.example.org": ("127.0.0.1", secure.port)}) as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert bench.bytes_of(bench.one("https://data.example.org/secret/a")) == b"bytes"
    [request] = proxy.requests
    assert (request.method, request.path) == ("CONNECT", "data.example.org:443")
    assert "secret" not in repr(request)
    assert TOKEN not in repr(request)
    assert "proxy-authorization" not in secure.requests[0].headers


def test_a_log_in_of_the_proxy_stays_with_it(
    bench: FetchBench, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("/a", b"bytes")
    with Proxy(user="me", password="pr0xypassword", hosts={"data.example.org": ("127.0.0.1", server.port)}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert bench.bytes_of(bench.one("http://data.example.org/a")) == b"bytes"
        assert "pr0xy" not in repr(server.requests)
        assert "proxy-authorization" not in server.requests[0].headers
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(AccessDenied, match="407"):
            bench.one("http://data.example.org/b")
        monkeypatch.setenv("http_proxy", f"http://me:wr0ngpassword@127.0.0.1:{proxy.port}")
        with pytest.raises(AccessDenied) as caught:
            bench.one("http://data.example.org/c")
        assert "wr0ng" not in str(caught.value)


def test_a_proxy_that_refuses_the_tunnel_is_told(
    bench: FetchBench, secure: FaultServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.network["ca_bundle"] = str(authority.bundle)
    with Proxy(user="me", password="pr0xypassword") as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(FetchError, match="407") as caught:
            bench.one(secure.url + "/a")
    assert caught.value.exit_code == 4


def test_a_proxy_that_is_gone_is_named_without_its_password(bench: FetchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://me:pr0xypassword@127.0.0.1:1")
    with pytest.raises(FetchError, match="proxy") as caught:
        bench.one("http://data.example.org/a")
    assert "pr0xypassword" not in str(caught.value)


@pytest.mark.parametrize("url", ["socks5://127.0.0.1:1080", "https://127.0.0.1:1080"])
def test_a_proxy_of_another_protocol_is_refused(bench: FetchBench, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", url)
    with pytest.raises(FetchError, match="speaks no plain HTTP; set http_proxy"):
        bench.one("http://data.example.org/a")


@pytest.mark.parametrize("exceptions", ["127.0.0.1", "localhost,127.0.0.1", "*", "other.org, 127.0.0.1"])
def test_no_proxy_is_kept(
    bench: FetchBench, server: FaultServer, exceptions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", exceptions)
        assert bench.bytes_of(bench.one(server.add("/a", b"direct"))) == b"direct"
    assert proxy.requests == []


def test_behind_a_proxy_a_document_still_leads_into_no_private_network(
    bench: FetchBench, server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Proxy(hosts={"public.example.org": ("127.0.0.1", server.port)}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        gate = bench.net().on_behalf_of(Reference("http://public.example.org/wf.cwl"))
        for host in ("10.0.0.1", "169.254.169.254", "[::1]", "intranet", "db.internal"):
            with pytest.raises(PolicyError, match="private network"):
                bench.one(f"http://{host}/x", net=gate)
        server.redirect("/wf.cwl", "http://192.168.0.1/x")
        with pytest.raises(PolicyError, match="private network"):
            bench.one("http://public.example.org/wf.cwl", net=gate)
    assert [request.path for request in proxy.requests] == ["http://public.example.org/wf.cwl"]


# -- log-ins, each as a user has it on his machine


def login_file(path: Path, text: str, mode: int = 0o600) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


def test_netrc_is_used_and_must_be_the_users_own(bench: FetchBench, server: FaultServer, machine: Path) -> None:
    bench.environment["HOME"] = str(machine / "home")
    url = server.add("/a", b"bytes", authorization="Basic bWU6Y2FuYXJ5LTc3YzBmZmVl")
    netrc = machine / "home" / ".netrc"
    login_file(netrc, f"machine 127.0.0.1\nlogin me\npassword {TOKEN}\n", 0o640)
    with pytest.raises(PolicyError, match=r"\.netrc.*mode is 640.*chmod 600") as caught:
        bench.one(url)
    assert caught.value.exit_code == 8
    assert server.requests == []
    netrc.chmod(0o600)
    assert bench.bytes_of(bench.one(url)) == b"bytes"
    netrc.chmod(0o400)
    assert bench.one(url).size == 5


@pytest.mark.parametrize(
    "text",
    [
        'token = "{token}"', 'token_env = "MY_TOKEN"', 'token_file = "{file}"', 'header = "Authorization"\nvalue = "Bearer {token}"',
    ],
)  # fmt: skip
def test_credentials_toml_is_used_and_must_be_the_users_own(
    bench: FetchBench, server: FaultServer, tmp_path: Path, text: str
) -> None:
    url = server.add("/a", b"bytes", authorization=f"Bearer {TOKEN}")
    login_file(tmp_path / "token", TOKEN + "\n")
    bench.environment["MY_TOKEN"] = TOKEN
    file = bench.config / "credentials.toml"
    login_file(file, f'["{server.url}"]\n' + text.format(token=TOKEN, file=tmp_path / "token"))
    assert bench.bytes_of(bench.one(url)) == b"bytes"
    file.chmod(0o644)
    with pytest.raises(PolicyError, match=r"credentials\.toml"):
        bench.one(server.url + "/b")
    if "token_file" in text:
        file.chmod(0o600)
        (tmp_path / "token").chmod(0o604)
        with pytest.raises(PolicyError, match="token"):
            bench.one(server.url + "/c")


def test_the_environment_goes_before_the_file_and_the_file_before_netrc(
    bench: FetchBench, server: FaultServer, machine: Path
) -> None:
    bench.environment["HOME"] = str(machine / "home")
    login_file(machine / "home" / ".netrc", "machine 127.0.0.1 login me password from-netrc\n")
    server.add("/a", b"bytes")
    sent = []
    for prepare in (
        lambda: None,
        lambda: login_file(bench.config / "credentials.toml", f'["{server.url}"]\ntoken = "from-file"\n'),
        lambda: bench.environment.update({f"WFX_TOKEN_127_0_0_1_{server.port}": "from-environment"}),
    ):
        prepare()
        bench.net().http(server.url + "/a").read()
        sent.append(server.requests[-1].headers["authorization"])
    assert sent == ["Basic bWU6ZnJvbS1uZXRyYw==", "Bearer from-file", "Bearer from-environment"]


def test_a_broken_netrc_is_named(bench: FetchBench, server: FaultServer, machine: Path) -> None:
    bench.environment["NETRC"] = str(machine / "home" / "mine")
    login_file(machine / "home" / "mine", "nonsense 127.0.0.1\n")
    with pytest.raises(DefinitionError, match="mine.*not a valid netrc"):
        bench.one(server.url + "/a")


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_is_followed(bench: FetchBench, server: FaultServer, status: int) -> None:
    target = server.add("/there/b", b"bytes")
    answer = bench.one(server.redirect("/a", target, status))
    assert bench.bytes_of(answer) == b"bytes"


@pytest.mark.parametrize("target", ["b", "/there/b", "//127.0.0.1:{port}/there/b", "../there/./b", "/there/b#part"])
def test_a_relative_redirect_is_resolved(bench: FetchBench, server: FaultServer, target: str) -> None:
    server.add("/there/b", b"bytes")
    url = server.redirect("/there/a", target.format(port=server.port))
    assert bench.bytes_of(bench.one(url)) == b"bytes"


def test_https_never_leads_to_http(
    bench: FetchBench, secure: FaultServer, server: FaultServer, authority: Authority
) -> None:
    bench.network["ca_bundle"] = str(authority.bundle)
    with pytest.raises(PolicyError, match="from https to http") as caught:
        bench.one(secure.redirect("/a", server.add("/b", b"bytes")))
    assert caught.value.exit_code == 8
    assert server.requests == []
    assert bench.bytes_of(bench.one(server.redirect("/c", secure.add("/d", b"bytes")))) == b"bytes"


def test_a_redirect_without_a_target_is_an_error(bench: FetchBench, server: FaultServer) -> None:
    with pytest.raises(FetchError, match="302"):
        bench.one(server.add("/a", b"page", status=302))


def test_a_name_that_has_a_public_and_a_private_address_is_reached_at_the_public_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import socket

    answers = [(2, 1, 6, "", ("10.0.0.1", 80)), (2, 1, 6, "", ("93.184.216.34", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    found = allowed_addresses("both.example.org", 80, trusted=frozenset(), settings=NetSettings(), where="x")
    assert [address[0] for _, address in found] == ["93.184.216.34"]


# -- addresses and names


def test_the_fragment_is_not_the_servers(bench: FetchBench, server: FaultServer) -> None:
    server.add("/a?x=1", b"bytes")
    bench.one(server.url + "/a?x=1#main")
    assert [request.path for request in server.requests] == ["/a?x=1"]


@pytest.mark.parametrize(
    ("given", "asked"),
    [("/a%20b", "/a%20b"), ("/ü", "/%C3%BC"), ("/a+b;c=d,e", "/a+b;c=d,e"), ("/100%25", "/100%25"), ("", "/"),
     ("?q=a b", "/?q=a%20b"), ("/a//b/../c", "/a//b/../c")],
)  # fmt: skip
def test_addresses_go_on_the_wire_escaped_once(bench: FetchBench, server: FaultServer, given: str, asked: str) -> None:
    server.add(asked, b"bytes")
    assert bench.bytes_of(bench.one(server.url + given)) == b"bytes"


@pytest.mark.parametrize(
    ("header", "name"),
    [('attachment; filename="reads 1.fq"', "reads 1.fq"), ("attachment; filename=reads.fq", "reads.fq"),
     ("attachment; filename=x; filename*=UTF-8''r%C3%A9ads.fq", "réads.fq"), ('inline; filename="../../etc/passwd"', "passwd"),
     ("inline", "download"), ('attachment; filename="C:\\\\x\\\\y.txt"', "y.txt")],
)  # fmt: skip
def test_the_servers_name_is_a_name_and_never_a_path(
    bench: FetchBench, server: FaultServer, header: str, name: str
) -> None:
    assert bench.one(server.add("/download", b"x", headers={"Content-Disposition": header})).name == name


def test_no_setting_of_the_machine_is_changed(bench: FetchBench, server: FaultServer, machine: Path) -> None:
    before = dict(os.environ)
    bench.one(server.add("/a", b"x"))
    assert dict(os.environ) == before
    assert sorted(p.name for p in machine.rglob("*")) == ["cwd", "home", "tmp"]
