"""Datasets become files: which of them, what is held, which version, and files that are not for everybody."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from wfx.errors import AccessDenied, DefinitionError, FetchError, IntegrityError, PolicyError, ReferenceNotFound
from wfx.fetching import Net, Reference, Source
from wfx.testing.benches import FetchBench
from wfx.testing.servers import FaultServer
from wfx_dataverse import DataverseResolver

FILES = {"a_1.fq": b"@1", "a_2.fq": b"@2", "tables/x.csv": b"x", "tables/deep/y ü.csv": b"y"}
PID = "doi:10.7910/DVN/ABC123"
TABLE = {"contentType": "text/tab-separated-values", "tabularData": True, "originalFileFormat": "text/csv",
         "originalFileName": "x.csv", "originalFileSize": 3, "filesize": 4}  # fmt: skip


def test_a_dataset_is_the_folder_of_its_files_with_their_licence(dataverse: Any, bench: FetchBench) -> None:
    ref = dataverse.dataset(FILES, version="2.1")
    answer = bench.one(Reference(ref))
    assert bench.files_of(answer) == FILES
    assert (answer.licence, answer.revision, str(answer.pinned)) == ("CC0-1.0", "2.1", f"{ref}@2.1")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-1", "SHA-256", "SHA-512"])
def test_the_stated_size_and_checksum_are_held(algorithm: str, dataverse: Any, bench: FetchBench) -> None:
    ref = dataverse.dataset({"a.fq": b"@1"}, algorithm=algorithm)
    [source] = DataverseResolver().resolve(Reference(ref), bench.net())
    name = algorithm.lower().replace("-", "")
    held = dict(source.expected.checksums) | ({"sha256": source.expected.sha256} if source.expected.sha256 else {})
    assert held == {name: hashlib.new(name, b"@1").hexdigest()}
    assert source.expected.size == 2
    next(each for path, each in dataverse.resources.items() if "datafile" in path).body = b"@X"
    with pytest.raises(IntegrityError):
        bench.one(Reference(ref))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("#path=a_1.fq", b"@1"),
        ("@1.0#path=tables/x.csv", b"x"),
        ("@1#path=tables/deep/y%20%C3%BC.csv", b"y"),
        ("#path=tables", {"x.csv": b"x", "deep/y ü.csv": b"y"}),
        ("#path=a_*.fq", {"a_1.fq": b"@1", "a_2.fq": b"@2"}),
    ],
)
def test_a_part_is_a_file_a_folder_or_what_fits_a_wildcard(
    part: str, expected: Any, dataverse: Any, bench: FetchBench
) -> None:
    ref = dataverse.dataset(FILES) + part
    answer = bench.one(Reference(ref))
    assert (bench.bytes_of(answer) if isinstance(expected, bytes) else bench.files_of(answer)) == expected
    before = len(dataverse.requests)
    assert bench.one(Reference(ref), net=bench.net(offline=True)).sha256 == answer.sha256
    assert len(dataverse.requests) == before


def test_a_table_is_fetched_as_it_was_deposited_with_its_checksum(dataverse: Any, bench: FetchBench) -> None:
    ref = dataverse.dataset({"d/x.tab": b"a,b", "y.txt": b"y"}, more={"d/x.tab": {"dataFile": TABLE}})
    assert bench.files_of(bench.one(Reference(ref))) == {"d/x.csv": b"a,b", "y.txt": b"y"}
    assert bench.bytes_of(bench.one(Reference(f"{ref}#path=d/x.csv"))) == b"a,b"
    assert bench.bytes_of(bench.one(Reference(f"{ref}#path=d/x.tab"))) == b"made\tof it\n"


# -- pages of the list


@pytest.fixture
def small_pages(dataverse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    dataverse.limit = 10
    monkeypatch.setattr("wfx_dataverse.dataset.PAGE", 10)


@pytest.mark.usefixtures("small_pages")
def test_all_pages_of_the_list_are_read(dataverse: Any, bench: FetchBench) -> None:
    files = {f"f{number:04}": b"" for number in range(25)}
    found = DataverseResolver().resolve(Reference(dataverse.dataset(files)), bench.net())
    assert [source.name for source in found] == sorted(files)
    assert sum("/files?" in request.path for request in dataverse.requests) == 3


@pytest.mark.usefixtures("small_pages")
def test_an_installation_that_knows_no_pages_is_asked_until_nothing_new_comes(
    dataverse: Any, bench: FetchBench
) -> None:
    dataverse.counts = False
    ref = dataverse.dataset({f"f{number:04}": b"" for number in range(25)})
    again = next(path for path in dataverse.resources if "offset=10&" in path)
    dataverse.resources[again.replace("offset=10&", "offset=25&")] = dataverse.resources[again]
    assert len(DataverseResolver().resolve(Reference(ref), bench.net())) == 25


# -- versions and references


def test_without_a_version_it_is_the_newest_that_is_published(dataverse: Any, bench: FetchBench) -> None:
    ref = dataverse.dataset({"a.fq": b"old"})
    assert bench.bytes_of(bench.one(Reference(ref))) == b"old"
    dataverse.dataset({"a.fq": b"new"}, version="2.0")
    second = bench.one(Reference(ref))
    assert (str(second.pinned), bench.bytes_of(second)) == (f"{ref}@2.0", b"new")
    assert any("newest was 1.0, and is 2.0 now" in note for note in bench.progress.notes)
    before = len(dataverse.requests)
    assert bench.bytes_of(bench.one(Reference(f"{ref}@1.0"))) == b"old"
    assert len(dataverse.requests) == before, "a published version never changes"


@pytest.mark.parametrize(
    ("page", "pinned"),
    [
        (f"https://dataverse.harvard.edu/dataset.xhtml?persistentId={PID}", "dataverse.harvard.edu"),
        (f"https://dataverse.harvard.edu/citation?persistentId={PID}", "dataverse.harvard.edu"),
        (f"https://dataverse.nl/dataset.xhtml?persistentId={PID}&version=1.0", "dataverse.nl"),
        ("https://dataverse.nl/dataset.xhtml?persistentId=https%3A%2F%2Fdoi.org%2F10.7910%2FDVN%2FABC123", "dataverse.nl"),
        (f"dataverse+https://dataverse.example.org/{PID}", "dataverse.example.org"),
        (f"dataverse+https://dataverse.example.org/dataset.xhtml?persistentId={PID}", "dataverse.example.org"),
        ("dataverse+https://dataverse.example.org/10.7910/DVN/ABC123@1", "dataverse.example.org"),
        (f"dataverse:{PID}", "dataverse.harvard.edu"),
    ],
)  # fmt: skip
def test_a_page_is_the_dataset(page: str, pinned: str, dataverse: Any, bench: FetchBench) -> None:
    dataverse.dataset(FILES)
    answer = bench.one(Reference(page))
    assert (str(answer.pinned), answer.revision) == (f"dataverse+https://{pinned}/{PID}@1.0", "1.0")
    assert bench.files_of(answer) == FILES


def test_a_file_with_an_identifier_of_its_own_is_that_file(dataverse: Any, bench: FetchBench) -> None:
    pid = f"{PID}/FILE1"
    dataverse.dataset({"a.fq": b"@1"}, more={"a.fq": {"dataFile": {"id": 5, "persistentId": pid}}})
    dataverse.add("/api/access/datafile/5", b"@1")
    listed = next(each.body for path, each in dataverse.resources.items() if "/files?" in path)
    one = listed.replace(b'"data": [', b'"data": ').replace(b"}}]}", b"}}}")
    for path in (f"/api/files/:persistentId?persistentId={pid}", "/api/files/5"):
        dataverse.add(path, one)
    for query in (f"persistentId={pid}&version=1.0", "fileId=5"):
        assert bench.bytes_of(bench.one(Reference(f"https://dataverse.nl/file.xhtml?{query}"))) == b"@1"


@pytest.mark.parametrize("page", ["https://dataverse.nl/", "https://dataverse.nl/api/access/datafile/5",
                                  "https://dataverse.nl/dataset.xhtml?id=5", "https://dataverse.nl/file.xhtml"])  # fmt: skip
def test_another_address_of_an_installation_is_left_to_the_web(page: str) -> None:
    net = Net(offline=True)
    assert DataverseResolver().pin(Reference(page), net) is None
    assert DataverseResolver().resolve(Reference(page), net) == [Source(Reference(page))]
    assert not DataverseResolver.never_changes(Reference(page))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("dataverse:", "not the identifier"),
        ("dataverse:123", "not the identifier"),
        ("dataverse+https://dataverse.nl/", "not the identifier"),
        (f"dataverse:{PID}@x", "'x' is none"),
        (f"https://dataverse.nl/dataset.xhtml?persistentId={PID}&version=DRAFT", "drafts change"),
    ],
)
def test_what_is_no_dataset_is_refused(name: str, said: str, bench: FetchBench) -> None:
    with pytest.raises(DefinitionError, match=said):
        bench.one(Reference(name))


# -- datasets that are not there, or not for everybody


def version_url(version: str = ":latest-published") -> str:
    return f"/api/datasets/:persistentId/versions/{version}?excludeFiles=true&persistentId={PID}"


def test_missing_withdrawn_and_unpublished_datasets_are_told_apart(dataverse: Any, bench: FetchBench) -> None:
    dataverse.refuse(version_url(), 404, "Dataset with Persistent ID not found.")
    with pytest.raises(ReferenceNotFound, match="no such dataset that is published.*with Persistent ID not found"):
        bench.one(Reference(dataverse.where()))
    dataverse.refuse(version_url(), 401, "User :guest is not permitted to perform requested action.")
    with pytest.raises(AccessDenied, match="the dataset is not shown to everybody.*401") as caught:
        bench.one(Reference(dataverse.where()))
    assert "X-Dataverse-key" in str(caught.value.remedy)
    dataverse.dataset(FILES, version="3.0", state="DEACCESSIONED")
    with pytest.raises(ReferenceNotFound, match=r"the version 3\.0 has been withdrawn"):
        bench.one(Reference(f"{dataverse.where()}@3.0"))


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"restricted": True}, "restricted: b.fq"),
        ({"dataFile": {"embargo": {"dateAvailable": "2999-01-02"}}}, "under embargo until 2999-01-02: b.fq"),
    ],
    ids=["restricted", "embargoed"],
)
def test_files_that_are_not_for_everybody_say_what_they_need(
    field: dict[str, Any], said: str, dataverse: Any, bench: FetchBench
) -> None:
    ref = dataverse.dataset({"a.fq": b"@1", "b.fq": b"@2"}, more={"b.fq": field})
    with pytest.raises(AccessDenied, match=f"a file is not for everybody.*{said}"):
        bench.one(Reference(ref))
    assert bench.bytes_of(bench.one(Reference(f"{ref}#path=a.fq"))) == b"@1"
    assert not any(request.path.startswith("/api/access") and "101" in request.path for request in dataverse.requests)


def test_an_embargo_that_is_over_is_none(dataverse: Any, bench: FetchBench) -> None:
    over = {"dataFile": {"embargo": {"dateAvailable": "2020-01-02"}}}
    assert bench.bytes_of(bench.one(Reference(dataverse.dataset({"a": b"1"}, more={"a": over})))) == b"1"


def test_a_token_opens_a_restricted_file_and_goes_to_no_other_host(dataverse: Any, bench: FetchBench) -> None:
    token = "canary-51a7f09e6c"
    bench.config.mkdir(parents=True)
    file = bench.config / "credentials.toml"
    file.write_text(f'["{dataverse.url}"]\nheader = "X-Dataverse-key"\nvalue = "{token}"\n')
    file.chmod(0o600)
    ref = dataverse.dataset({"a.fq": b"@1"}, more={"a.fq": {"restricted": True}})
    with FaultServer() as storage:
        for path, resource in dataverse.resources.items():
            if "datafile" in path:
                resource.status, resource.headers = 303, {"Location": storage.add("/bucket/a?signature=1", b"@1")}
        assert bench.bytes_of(bench.one(Reference(ref))) == b"@1"
        assert all(request.headers.get("x-dataverse-key") == token for request in dataverse.requests)
        assert storage.requests
        assert not any("x-dataverse-key" in request.headers for request in storage.requests)


def test_a_limit_of_requests_is_waited_for(dataverse: Any, bench: FetchBench) -> None:
    ref = dataverse.dataset({"a.fq": b"@1"})
    dataverse.resources[version_url()].refuse = [(429, {"Retry-After": "0"})]
    assert bench.bytes_of(bench.one(Reference(ref), retries=3)) == b"@1"


# -- answers that are not to be trusted


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "a//b", "a/.."])
def test_a_name_that_leads_elsewhere_is_refused(name: str, dataverse: Any, bench: FetchBench) -> None:
    folder, _, label = name.rpartition("/")
    more = {"x": {"label": label, "directoryLabel": folder or "/"}}
    with pytest.raises(PolicyError, match="a name there"):
        bench.one(Reference(dataverse.dataset({"x": b"x", "a.fq": b"@1"}, more=more)))


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>busy</html>", "text/html"), (b"[]", "application/json"), (b'{"status": "OK"}', "application/json"),
     (b'{"status": "OK", "data": {"versionNumber": "x"}}', "application/json")],
    ids=["page", "list", "nothing", "numberless"],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error(body: bytes, kind: str, dataverse: Any, bench: FetchBench) -> None:
    dataverse.add(version_url(), body, headers={"Content-Type": kind})
    with pytest.raises(FetchError, match="not understood|a page came"):
        bench.one(Reference(dataverse.where()))


@pytest.mark.parametrize(
    "section", [{"sever": "https://x"}, {"server": "no address"}, {"servers": "x"}, {"servers": ["no address"]}]
)
def test_a_wrong_setting_is_named(section: dict[str, Any], bench: FetchBench) -> None:
    bench.network["sections"] = {"fetcher.dataverse": section}
    with pytest.raises(DefinitionError, match=r"fetcher\.dataverse\.(sever|server|servers)'"):
        bench.one(Reference(f"dataverse:{PID}"))
