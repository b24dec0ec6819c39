"""A pipeline named as people name it: `nf-core/NAME`, `gh:OWNER/REPO`, a workflow in it, a commit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.gitservers import GitHttp, Repository, make_repository
from wfx.testing.repositories import Executable

pytestmark = pytest.mark.real
MANIFEST = b"""
manifest {
    name = 'nf-core/words'
    author = 'Ada Lovelace'
    contributors = [[name: 'Ada Lovelace', affiliation: 'Analytical Society', github: 'https://example.org/ada',
        contribution: ['author'], orcid: '0000-0002-1825-0097']]
    homePage = 'https://example.org/words'
    description = 'Counts words'
    version = '1.0.0'
}
"""
CITATION = b"title: Words\nlicense: MIT\nauthors: [{name: Others}]\ndoi: 10.5281/zenodo.1234567\nkeywords: [text]\n"
OTHER = b"workflow OTHER {\n    file(\"${params.outdir}/other.txt\").text = 'other'\n}\n"


def files_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }
    return {name: Executable(data) if name.startswith("bin/") else data for name, data in found.items()}


@pytest.fixture
def hub(wfx: Any, pipeline: Any, tmp_path: Path) -> Iterator[Repository]:
    """A host in the place of the large one, with `nf-core/words` at tag 1.0.0."""
    files = files_of(pipeline("words"))
    files["main.nf"] += OTHER
    files["nextflow.config"] += MANIFEST
    files["CITATION.cff"] = CITATION
    (tmp_path / "served/nf-core").mkdir(parents=True)
    repository = make_repository(tmp_path / "served/nf-core/words.git", files, tag="1.0.0")
    (tmp_path / "a.txt").write_text("the cat and the dog\n")
    with GitHttp(tmp_path / "served") as server:
        wfx.config.mkdir(parents=True)
        (wfx.config / "config.toml").write_text(f'[fetcher.git]\ngithub = "{server.url}"\n')
        yield repository


def test_a_pipeline_of_nf_core_is_run_by_its_name(wfx: Any, hub: Repository, tmp_path: Path) -> None:
    given = ("-i", "texts=a.txt")
    plan = wfx("plan", "nf-core/words@1.0.0", *given, "--json").json
    assert plan["workflow"]["reference"] == "gh:nf-core/words@1.0.0"
    assert (plan["workflow"]["revision"], plan["workflow"]["label"]) == (hub.head, "1.0.0")
    assert "# texts: " in wfx("inputs", "nf-core/words@1.0.0").stdout
    inspected = wfx("inspect", "nf-core/words@1.0.0").stdout
    assert "SPLIT, COUNT_WORDS" in inspected
    for said in (
        "about    Counts words", "licence  MIT", "version  1.0.0", "doi      https://doi.org/10.5281/zenodo.1234567",
        "home     https://example.org/words", "authors  Ada Lovelace <https://orcid.org/0000-0002-1825-0097>", "keywords text",
    ):  # fmt: skip
        assert said in inspected
    [fetched] = wfx("fetch", "nf-core/words@1.0.0", "--json").json["fetched"]
    assert fetched["kind"] == "directory"
    wfx("stage", "nf-core/words@1.0.0", *given, "-o", "out")
    wfx("execute", "out")
    assert (tmp_path / "out/outputs/counts/a.counts").read_text() == "and 1\ncat 1\ndog 1\nthe 2\n"
    crate = {
        entity["@id"]: entity for entity in json.loads((tmp_path / "out/ro-crate-metadata.json").read_bytes())["@graph"]
    }
    main = crate["workflow/main.nf"]
    assert main["codeRepository"].endswith("/nf-core/words.git")
    assert hub.head in json.dumps(main["isBasedOn"])
    assert "gh:nf-core/words@1.0.0" in main["isBasedOn"]
    assert main["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    assert main["author"] == {"@id": "https://orcid.org/0000-0002-1825-0097"}
    assert crate["https://orcid.org/0000-0002-1825-0097"]["name"] == "Ada Lovelace"
    assert "https://doi.org/10.5281/zenodo.1234567" in main["identifier"]
    assert (main["description"], main["version"]) == ("Counts words", hub.head)
    assert crate["workflow/CITATION.cff"]["about"] == {"@id": "workflow/main.nf"}
    assert [f for f in validate(tmp_path / "out", level="RECOMMENDED") if f.code not in PERSONAL] == []


def test_a_folder_of_that_name_is_the_folder(wfx: Any, hub: Repository, tmp_path: Path) -> None:
    (tmp_path / "nf-core").mkdir()
    (tmp_path / "words").rename(tmp_path / "nf-core/words")
    plan = wfx("plan", "nf-core/words", "-i", "texts=a.txt", "--json").json
    assert plan["workflow"]["reference"] == (tmp_path / "nf-core/words").as_uri()


@pytest.mark.parametrize("mark", ["#OTHER", "#path=main.nf&process=OTHER"])
def test_a_workflow_of_the_main_script_is_run_at_a_commit(mark: str, wfx: Any, hub: Repository, tmp_path: Path) -> None:
    done = wfx("run", f"gh:nf-core/words@{hub.head}{mark}", "-o", "out", "--json").json
    assert done["status"] == "completed"
    assert (tmp_path / "out/outputs/other.txt").read_text() == "other"
    plan = json.loads((tmp_path / "out/plan.json").read_bytes())
    assert (plan["workflow"]["fragment"], plan["workflow"]["entry"]) == ("OTHER", "main.nf")


def test_what_is_not_there_is_told_with_what_was_meant(wfx: Any, hub: Repository) -> None:
    done = wfx("run", "nf-core/wrods", check=4)
    assert "/nf-core/wrods.git" in done.stderr
    done = wfx("run", "nf-core/words@9.9", check=4)
    assert "9.9" in done.stderr
    done = wfx("plan", "nf-core/words@1.0.0#main.nf", check=3)
    assert "write #path=" in done.stderr
    done = wfx("plan", "nf-core/words@1.0.0#NONE", check=3)
    assert "there is no workflow 'NONE'" in done.stderr
    assert "OTHER" in done.stderr
