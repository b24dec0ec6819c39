"""Workflow crates as registries hand them out: what they say is understood, though their scripts are not shipped."""

from __future__ import annotations

from pathlib import Path

import pytest
from wfx.testing.commands import WfxRun
from wfx.valuetypes import type_name
from wfx_nextflow.schema import read_schema

CASES = next((p / "shared/cases/crates" for p in Path(__file__).parents if (p / "shared/cases/crates").is_dir()), None)


def place(name: str) -> Path:
    if CASES is None:
        pytest.skip("the public crates are not here (shared/cases/crates)")
    return CASES / name


def test_a_crate_of_nf_core_is_understood(tmp_path: Path) -> None:
    crate = place("nf-core-demo")
    wfx = WfxRun(tmp_path / "home", tmp_path)
    said = wfx.here("inspect", crate, "--json").json
    assert (said["workflow"], said["workflow_name"]) == ("main.nf", "nf-core/demo")
    assert (said["language"], said["language_version"], said["engine"]) == ("Nextflow", "!>=24.04.2", "nextflow")
    assert said["licences"] == ["MIT"]
    assert "Matthias Hörtenhuber <https://orcid.org/0000-0002-5599-5565>" in said["people"]
    assert any(note["where"] == "main.nf" and note["matters"] for note in said["notes"])
    declared = read_schema(crate)
    assert declared is not None
    rows = "record{sample: string, fastq_1: File, fastq_2: File?, …}[]"
    assert type_name(declared["input"].type) == f"File | record{{sheet: string, rows: any[]}} | {rows}"
    assert declared["outdir"].required
    assert type_name(declared["skip_trim"].type) == "boolean?"


def test_a_crate_of_a_workflow_of_another_language_is_understood(tmp_path: Path) -> None:
    wfx = WfxRun(tmp_path / "home", tmp_path)
    said = wfx.here("inspect", place("fair-crcc-send-data"), "--json").json
    assert (said["workflow"], said["engine"], said["language_version"]) == ("workflow/Snakefile", "snakemake", "6.5.0")
    assert said["licences"] == ["GPL-3.0"]
