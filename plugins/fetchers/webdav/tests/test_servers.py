"""Against a real server (wsgidav): folders, wildcards, odd names, log-ins, shares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from wfx.errors import AccessDenied, FetchError, OfflineError, ReferenceNotFound
from wfx.fetching import Reference, Span
from wfx.testing.fetchers import read
from wfx_webdav import WebdavFetcher

FILES = {
    "README": b"read\n",
    "data/1/reads 1.fq": b"1\n",
    "data/2/reads#2%.fq": b"2\n",
    "data/2/other": b"",
    "ü/&<x>": b"x",
}
TOKEN = "q1w2e3r4t5y6u7i"


def fill(place: Any, prefix: str = "runs/") -> None:
    for path, data in FILES.items():
        place.write(f"{prefix}{path}", data)


def test_a_folder_comes_with_all_below_it(serve: Callable[..., Any], bench: Any) -> None:
    place = serve()
    fill(place)
    assert bench.files_of(bench.one(f"{place.url}/runs/")) == FILES
    assert [path for method, path in place.asked if method == "GET"].count("/runs/README") == 1


def test_wildcards_choose_files(serve: Callable[..., Any], bench: Any) -> None:
    place = serve()
    fill(place)
    assert bench.files_of(bench.one(f"{place.url}/runs/data/*/reads*.fq")) == {
        "1/reads 1.fq": b"1\n",
        "2/reads#2%.fq": b"2\n",
    }
    with pytest.raises(ReferenceNotFound, match="check the wildcards"):
        bench.one(f"{place.url}/runs/*.bam")


def test_a_transfer_goes_on_in_the_middle(serve: Callable[..., Any], bench: Any) -> None:
    ref, net, fetcher = serve().write("a.bin", bytes(range(256)) * 2000), bench.net(), WebdavFetcher()
    whole = fetcher.open(ref, net)
    data = read(whole)
    body = fetcher.open(ref, net, Span(1000, 1100, whole.validator))
    assert (body.start, body.total, read(body)) == (1000, len(data), data[1000:1100])


def test_what_is_missing_and_a_folder_are_told_apart(serve: Callable[..., Any], bench: Any) -> None:
    place = serve()
    place.write("sub/a.txt", b"a\n")
    for path in ("none", "none/"):
        with pytest.raises(ReferenceNotFound):
            bench.one(f"{place.url}/{path}")
    with pytest.raises(FetchError, match=r"it is a folder; write webdav://127.0.0.1:\d+/sub/ to fetch the files below"):
        bench.one(f"{place.url}/sub")
    with pytest.raises(ReferenceNotFound, match="a file, and no folder; leave out the slash"):
        bench.one(f"{place.url}/sub/a.txt/")


def test_a_log_in_is_that_of_the_reference(serve: Callable[..., Any], bench: Any) -> None:
    place = serve(users={"ada": "pass-w0rd"})
    fill(place)
    with pytest.raises(AccessDenied):
        bench.one(f"{place.url}/runs/")
    bench.login(place.url, "ada", "pass-w0rd")
    assert bench.files_of(bench.one(f"{place.url}/runs/")) == FILES
    bench.environment.clear()
    assert bench.files_of(bench.one(f"{place.url}/runs/".replace("//", "//ada:pass-w0rd@", 1))) == FILES


@pytest.mark.parametrize("link", [f"s/{TOKEN}", f"index.php/s/{TOKEN}/", f"cloud/s/{TOKEN}"])
def test_the_link_of_a_share_is_its_folder(serve: Callable[..., Any], bench: Any, link: str) -> None:
    root = "/cloud" if link.startswith("cloud") else ""
    place = serve(f"{root}/public.php/webdav", users={TOKEN: ""})
    fill(place, "")
    assert bench.files_of(bench.one(f"{place.url}/{link}")) == FILES
    answer = bench.one(f"{place.url}/{link.rstrip('/')}/data/1/reads%201.fq")
    assert (bench.bytes_of(answer), answer.name) == (b"1\n", "reads 1.fq")


def test_newer_clouds_have_shares_elsewhere(serve: Callable[..., Any], bench: Any) -> None:
    place = serve(f"/public.php/dav/files/{TOKEN}", users={TOKEN: ""})
    fill(place, "")
    assert bench.files_of(bench.one(f"{place.url}/s/{TOKEN}/data/")) == {
        path.removeprefix("data/"): data for path, data in FILES.items() if path.startswith("data/")
    }


def test_the_password_of_a_share_is_asked_for_by_its_link(serve: Callable[..., Any], bench: Any) -> None:
    place = serve("/public.php/webdav", users={TOKEN: "pass-w0rd"})
    fill(place, "")
    with pytest.raises(AccessDenied, match=rf'asks for its password.*\["webdav://127.0.0.1:\d+/s/{TOKEN}"\] in cred'):
        bench.one(f"{place.url}/s/{TOKEN}")
    bench.config.mkdir(parents=True)
    path = bench.config / "credentials.toml"
    path.write_text(f'["{place.url}/s/{TOKEN}"]\nusername = "any"\npassword = "pass-w0rd"\n')
    path.chmod(0o600)
    assert bench.files_of(bench.one(f"{place.url}/s/{TOKEN}")) == FILES


def test_a_document_from_elsewhere_leads_into_no_private_network(serve: Callable[..., Any], bench: Any) -> None:
    place = serve()
    ref = place.write("d/a.txt", b"a\n")
    net = bench.net().on_behalf_of(Reference("https://elsewhere.example.org/wf.cwl"))
    with pytest.raises(Exception, match="leads into a private network"):
        WebdavFetcher().open(ref, net)
    with pytest.raises(Exception, match="leads into a private network"):
        WebdavFetcher().files(Reference(f"{place.url}/d/"), net)
    assert not place.asked


def test_offline_nobody_is_asked(serve: Callable[..., Any], bench: Any) -> None:
    place = serve()
    with pytest.raises(OfflineError):
        bench.one(f"{place.url}/d/", net=bench.net(offline=True))
    assert not place.asked
