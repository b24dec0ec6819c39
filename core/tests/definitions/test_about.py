"""What lies beside a workflow and says who made it, under which licence, and how to cite it."""

from __future__ import annotations

from pathlib import Path

import pytest
from wfx.about import About, Author, doi_of, merged, orcid_of, read_about
from wfx.licences import licence_of_text, spdx

CASES = next((p / "shared/cases/crates" for p in Path(__file__).parents if (p / "shared/cases/crates").is_dir()), None)
CITATION = """\
cff-version: 1.2.0
title: Counting words
version: 1.4
license: [MIT, "Apache-2.0"]
abstract: >-
  It counts
  words.
doi: 10.5281/zenodo.1234567
url: https://example.org/words
repository-code: https://example.org/words.git
keywords: [text, "counting "]
authors:
  - given-names: Ada
    name-particle: von
    family-names: Lovelace
    orcid: https://orcid.org/0000-0002-1825-0097
    affiliation: Analytical Society
  - name: The Word Consortium
    website: https://example.org
  - alias: wordy
"""


def test_a_citation_file_is_understood(tmp_path: Path) -> None:
    (tmp_path / "CITATION.cff").write_text(CITATION)
    assert read_about([tmp_path]) == About(
        title="Counting words", description="It counts words.", version="1.4", licence="MIT OR Apache-2.0",
        doi="https://doi.org/10.5281/zenodo.1234567", home="https://example.org/words",
        repository="https://example.org/words.git", keywords=("text", "counting"),
        authors=(
            Author("Ada von Lovelace", "https://orcid.org/0000-0002-1825-0097", "Analytical Society"),
            Author("The Word Consortium", url="https://example.org", group=True), Author("wordy"),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["authors: [", "- a list", "authors: nobody\nlicense: {a: b}\ndoi: 3\nurl: 'javascript:alert(1)'", "\0", ""]
)
def test_a_broken_citation_file_says_nothing_and_stops_nobody(text: str, tmp_path: Path) -> None:
    (tmp_path / "CITATION.cff").write_text(text)
    assert read_about([tmp_path]) == About()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("A paragraph of a file of this machine that nobody has given to it.\n")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree/README.md").symlink_to("../secret")
    assert read_about([tmp_path / "tree"]) == About()


def test_the_nearest_folder_counts_most_and_people_are_completed(tmp_path: Path) -> None:
    (tmp_path / "CITATION.cff").write_text(CITATION)
    (tmp_path / "flow").mkdir()
    (tmp_path / "flow/CITATION.cff").write_text(
        "title: Near\nauthors: [{given-names: Ada von, family-names: Lovelace}]\n"
    )
    found = read_about([tmp_path / "flow", tmp_path])
    assert (found.title, found.version) == ("Near", "1.4")
    assert found.authors == (Author("Ada von Lovelace", "https://orcid.org/0000-0002-1825-0097", "Analytical Society"),)
    assert merged([About(title="Own"), found]).title == "Own"


BADGES = """\
# Title

[![CI](https://x/y.svg)](https://x)
<h1>
  <img src='x'>
</h1>

**words** counts the [words](https://w) of
many `texts` at once.

More.
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            BADGES,
            "words counts the words of many texts at once.",
        ),
        ("Title\n=====\n\n* a list of things that are longer than forty letters\n\nshort\n", ""),
        ("```sh\nrun this which is longer than any forty letters ever were\n```\n", ""),
    ],
    ids=["prose", "no prose", "code"],
)  # fmt: skip
def test_the_first_paragraph_of_a_readme_describes_it(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(text)
    assert read_about([tmp_path]).description == said


LICENCES = {
    "MIT": "MIT License\n\nCopyright (c) 2026 Ada\n\nPermission is hereby granted, free of charge, to any person\nobtaining a copy",
    "Apache-2.0": "\n                                 Apache License\n                           Version 2.0, January 2004\n",
    "GPL-3.0-only": "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007\n",
    "AGPL-3.0-only": "                    GNU AFFERO GENERAL PUBLIC LICENSE\n                       Version 3, 19 November 2007\n",
    "BSD-3-Clause": "Copyright\n\nRedistribution and use in source and binary forms, with or\n1.\n3. Neither the name of the copyright holder",
    "BSD-2-Clause": "Copyright\n\nRedistribution and use in source and binary forms, with or\n1.\n2. in binary form",
    "CC-BY-4.0": "Creative Commons Attribution 4.0 International Public License\n",
    "": "All rights reserved, so that nobody may do anything with it.\n",
}


@pytest.mark.parametrize("name", LICENCES)
def test_a_licence_is_known_by_its_text(name: str, tmp_path: Path) -> None:
    assert licence_of_text(LICENCES[name]) == name
    (tmp_path / "LICENSE").write_text(LICENCES[name])
    assert read_about([tmp_path]).licence == name


@pytest.mark.parametrize(
    ("stated", "name"),
    [("MIT License", "MIT"), ("GPLv3+", "GPL-3.0-or-later"), ("https://spdx.org/licenses/MIT.html", "MIT"),
     ("https://opensource.org/licenses/MIT", "MIT"), ("EUPL-1.2", "EUPL-1.2"), ("My own", "My own"),
     ("https://example.org/licence", "https://example.org/licence")],
)  # fmt: skip
def test_a_stated_licence_becomes_its_spdx_identifier_where_it_is_clear(stated: str, name: str) -> None:
    assert spdx(stated) == name


def test_identifiers_are_read_however_they_are_written() -> None:
    assert orcid_of("0000-0002-1825-009x".upper()) == "https://orcid.org/0000-0002-1825-009X"
    assert orcid_of("https://orcid.org/0000-0002-1825-0097/") == "https://orcid.org/0000-0002-1825-0097"
    assert orcid_of("https://example.org/0000-0002-1825-0097") == ""
    assert doi_of("10.5281/zenodo.1, 10.5281/zenodo.2") == "https://doi.org/10.5281/zenodo.1"
    assert doi_of("https://doi.org/10.5281/zenodo.XXXXXXX") == ""


def test_the_metadata_of_public_workflow_crates_are_understood() -> None:
    if CASES is None:
        pytest.skip("the public crates are not here (shared/cases/crates)")
    demo = read_about([CASES / "nf-core-demo"])
    assert (demo.title, demo.version, demo.licence) == ("nf-core/demo", "1.0.2", "MIT")
    assert demo.authors == (Author("Matthias Hörtenhuber", "https://orcid.org/0000-0002-5599-5565"),)
    assert demo.description.startswith("nf-core/demo is a simple nf-core style bioinformatics pipeline")
    assert demo.repository == "https://github.com/nf-core/demo"
    crcc = read_about([CASES / "fair-crcc-send-data"])
    assert (crcc.title, crcc.licence, crcc.authors) == ("fair-crcc-send-data", "GPL-3.0-only", ())
    assert crcc.repository == "https://github.com/crs4/fair-crcc-send-data"
