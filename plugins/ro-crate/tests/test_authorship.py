"""What a workflow's authors say of it stands in the crate, and on its page."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from crate_records import two_steps
from wfx.about import About, Author
from wfx.testing.crates import PERSONAL, validate

ADA = Author("Ada Lovelace", "https://orcid.org/0000-0002-1825-0097", "Analytical Society")
ABOUT = About(
    title="Counting", version="1.4", licence="MIT", doi="https://doi.org/10.5281/zenodo.1234567",
    home="https://example.org/words", repository="https://example.org/words.git",
    authors=(ADA, Author("The <Word> Consortium", url="https://example.org", group=True), Author("Words", group=True), Author("wordy")), keywords=("text", "counting"),
)  # fmt: skip


def test_people_doi_and_pages_are_the_workflows(tmp_path: Path, describe: Any) -> None:
    made = two_steps(tmp_path)
    description = dataclasses.replace(made.plan.description, about=ABOUT)
    made = dataclasses.replace(made, plan=dataclasses.replace(made.plan, description=description))
    crate = describe(made)
    assert [f for f in validate(tmp_path, level="RECOMMENDED") if f.code not in PERSONAL] == []
    main = crate["workflow/wf.cwl"]
    group = "#author/The%20%3CWord%3E%20Consortium"
    assert main["author"] == [{"@id": ADA.orcid}, {"@id": group}, "Words", {"@id": "#author/wordy"}]
    assert crate[ADA.orcid]["name"] == "Ada Lovelace"
    assert crate[group]["@type"] == "Organization"
    assert main["version"] == "1.4"
    assert ABOUT.doi in main["identifier"]
    assert main["citation"] == {"@id": ABOUT.doi}
    assert main["sameAs"] == ["https://example.org/words", "https://example.org/words.git"]
    assert main["keywords"] == "text, counting"
    page = (tmp_path / "ro-crate-preview.html").read_text()
    assert 'href="https://orcid.org/0000-0002-1825-0097"' in page
    assert "The &lt;Word&gt; Consortium" in page


def test_of_what_nobody_says_nothing_is_said(tmp_path: Path, describe: Any) -> None:
    crate = describe(two_steps(tmp_path))
    assert not {"author", "citation", "sameAs", "keywords"} & set(crate["workflow/wf.cwl"])
