from __future__ import annotations

import importlib.metadata

import pytest
from wfx.errors import DefinitionError, OfflineError
from wfx.fetching import Reference
from wfx.net import Net, NetSettings
from wfx_git import wfx_fetchers
from wfx_git.addresses import GitAddress
from wfx_git.hosts import GitHubResolver, GitHubShorthand, GitLabResolver, HostResolver

COMMIT = "0123456789abcdef0123456789abcdef01234567"
NAMES = ["main", "feature", "feature/x", "v1", "caf\u00e9/x"]


class Hub(GitHubResolver):
    def _names(self, address: GitAddress, net: Net) -> list[str]:
        assert address.url == "https://github.com/o/r.git"
        return NAMES


class Lab(GitLabResolver):
    def _names(self, address: GitAddress, net: Net) -> list[str]:
        return NAMES


def resolve(resolver: HostResolver, uri: str, net: Net) -> str:
    (source,) = resolver.resolve(Reference(uri), net)
    return source.reference.uri


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("o/r", ""),
        ("o/r/", ""),
        ("o/r.git", ""),
        ("o/r?tab=readme-ov-file#readme", ""),
        ("o/r@v1", "@v1"),
        ("o/r.git@v1#path=a/b", "@v1#path=a/b"),
        ("o/r@feature/x#path=a/b&only=1", "@feature/x#path=a/b&only=1"),
        ("o/r#path=a", "#path=a"),
        ("o/r/tree/main", "@main"),
        ("o/r/tree/feature/x", "@feature/x"),
        ("o/r/tree/feature/x/a/b", "@feature/x#path=a/b"),
        ("o/r/tree/feature/y/a", "@feature#path=y/a"),
        ("o/r/tree/caf%C3%A9/x/a%20b", "@caf%C3%A9/x#path=a%20b"),
        ("o/r/blob/v1/main.cwl", "@v1#path=main.cwl"),
        ("o/r/blob/v1/main.cwl#L10-L20", "@v1#path=main.cwl"),
        ("o/r/blob/v1/main.cwl?raw=true", "@v1#path=main.cwl&only=1"),
        ("o/r/raw/v1/a/b.csv", "@v1#path=a/b.csv&only=1"),
        ("o/r/raw/refs/heads/main/b.csv", "@main#path=b.csv&only=1"),
        (f"o/r/blob/{COMMIT}/a", f"@{COMMIT}#path=a"),
        (f"o/r/commit/{COMMIT}", f"@{COMMIT}"),
        ("o/r/releases/tag/v1", "@v1"),
    ],
)
def test_pages_of_github(net: Net, tail: str, expected: str) -> None:
    assert resolve(Hub(), f"https://github.com/{tail}", net) == f"git+https://github.com/o/r.git{expected}"


@pytest.mark.parametrize(
    "tail",
    [
        "", "o", "o/r/releases/download/v1/data.zip", "o/r/archive/refs/tags/v1.zip", "o/r/issues/3", "o/r/pull/3",
        "o/r/releases", "o/r/zipball/main", "o/r/tree", "settings/profile", "orgs/o/repositories", "-o/r",
    ],
)  # fmt: skip
def test_what_is_no_tree_is_not_taken(net: Net, tail: str) -> None:
    uri = f"https://github.com/{tail}"
    assert resolve(Hub(), uri, net) == uri


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ("g/r", "g/r.git"),
        ("g/s/t/r", "g/s/t/r.git"),
        ("g/s/r.git@v1#path=x", "g/s/r.git@v1#path=x"),
        ("g/s/r/-/tree/feature/x/a?ref_type=heads", "g/s/r.git@feature/x#path=a"),
        ("g/r/-/blob/v1/a.cwl", "g/r.git@v1#path=a.cwl"),
        ("g/r/-/raw/v1/a.csv?inline=false", "g/r.git@v1#path=a.csv&only=1"),
        ("g/r/blob/v1/a.cwl", "g/r.git@v1#path=a.cwl"),
        (f"g/r/-/commit/{COMMIT}", f"g/r.git@{COMMIT}"),
        ("g/r/-/tags/v1", "g/r.git@v1"),
    ],
)
def test_pages_of_gitlab(net: Net, tail: str, expected: str) -> None:
    assert resolve(Lab(), f"https://gitlab.com/{tail}", net) == f"git+https://gitlab.com/{expected}"


@pytest.mark.parametrize(
    "tail", ["g", "g/r/-/archive/v1/r-v1.zip", "g/r/-/releases/v1/downloads/x", "api/v4/projects/1", "g/r/-/issues/1"]
)
def test_what_is_no_tree_of_gitlab_is_not_taken(net: Net, tail: str) -> None:
    uri = f"https://gitlab.com/{tail}"
    assert resolve(Lab(), uri, net) == uri


def mirrored(address: str) -> Net:
    return Net(settings=NetSettings(sections={"fetcher.git": {"github": address}}))


def short(uri: str, net: Net) -> str:
    (source,) = GitHubShorthand().resolve(Reference(uri), net)
    return source.reference.uri


@pytest.mark.parametrize(
    ("tail", "expected"),
    [("o/r", ""), ("o/r.git", ""), ("o/r@v1", "@v1"), ("o/r@feature/x#path=a/b&only=1", "@feature/x#path=a/b&only=1"),
     ("o/r#path=main.nf", "#path=main.nf")],
)  # fmt: skip
def test_repositories_are_named_in_short(net: Net, tail: str, expected: str) -> None:
    assert short(f"gh:{tail}", net) == f"git+https://github.com/o/r.git{expected}"


@pytest.mark.parametrize("uri", ["gh:o", "gh:o/r/x", "gh:/o/r", "gh://o/r", "gh:o/r@", "gh:-o/r", "gh:o/r#main.nf"])
def test_what_names_no_repository_is_refused(net: Net, uri: str) -> None:
    with pytest.raises(DefinitionError, match="not a re"):
        short(uri, net)


@pytest.mark.parametrize(
    ("base", "expected"),
    [("https://git.example.org/", "git+https://git.example.org/o/r.git@v1"),
     ("http://127.0.0.1:80/mirror", "git+http://127.0.0.1:80/mirror/o/r.git@v1")],
)  # fmt: skip
def test_another_host_takes_the_place_of_github(base: str, expected: str) -> None:
    assert short("gh:o/r@v1", mirrored(base)) == expected


@pytest.mark.parametrize("base", ["git.example.org", "file:///srv", "https://ann:secret@h", "https://"])
def test_a_setting_that_is_no_address_is_refused(base: str) -> None:
    with pytest.raises(DefinitionError, match=r"fetcher\.git\.github"):
        short("gh:o/r", mirrored(base))


def test_offline_the_revision_is_the_first_part(offline: Net) -> None:
    assert resolve(GitHubResolver(), "https://github.com/o/r/tree/feature/x", offline).endswith("@feature#path=x")
    with pytest.raises(OfflineError):
        GitHubResolver()._names(GitAddress.parse(Reference("git+https://github.com/o/r.git")), offline)


def test_secrets_of_the_address_stay_in_it(net: Net) -> None:
    uri = resolve(Hub(), "https://tok3ntok3n:x@github.com/o/r@v1", net)
    assert uri == "git+https://tok3ntok3n:x@github.com/o/r.git@v1"


def test_the_keys_are_those_of_the_entry_points() -> None:
    declared = {
        point.name for point in importlib.metadata.distribution("wfx-git").entry_points if point.group == "wfx.fetchers"
    }
    assert {key for fetcher in wfx_fetchers() for key in fetcher.keys} == declared
