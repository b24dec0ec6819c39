"""A samplesheet that is elsewhere, and sheets that name sheets, run to the end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wfx.records import decode
from wfx.running import RunRecord
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real


def record_of(directory: Path) -> RunRecord:
    return decode(RunRecord, json.loads((directory / ".wfx/record.json").read_bytes()))


def test_a_sheet_by_its_address_is_fetched_with_what_its_rows_name(wfx: Any, pipeline: Any, tmp_path: Path) -> None:
    where = pipeline("samples")
    with FaultServer() as server:
        rows = b"sample,reads_1,reads_2,note\none,a/one_1.txt,a/one_2.txt,\ntwo,../two.txt,,2\n"
        sheet = server.add("/set/sheet.csv", rows)
        server.add("/set/a/one_1.txt", b"ACGTACGT\n")
        server.add("/set/a/one_2.txt", b"GGGGGGGG\n")
        server.add("/two.txt", b"CCCCCC\n")
        wfx("run", where, "-i", f"input=@{sheet}", "-o", "out")
    out = tmp_path / "out/outputs/aligned"
    assert {p.name: p.read_text() for p in out.iterdir()} == {
        "one.aligned.txt": "ACGT\nGGGG\n", "two.aligned.txt": "CCCC\n",
    }  # fmt: skip
    record = record_of(tmp_path / "out")
    assert {item.path: str(item.reference).rpartition(server.url)[2] for item in record.plan.files} == {
        "inputs/input/one_1.txt": "/set/a/one_1.txt", "inputs/input/one_2.txt": "/set/a/one_2.txt",
        "inputs/input/two.txt": "/two.txt",
    }  # fmt: skip
    # With the server gone the store has the sheet too.
    wfx("run", where, "-i", f"input=@{sheet}", "-o", "again", "--offline")
    again = wfx("rerun", "out", "-o", "rerun", "--json").json
    assert again["comparison"]["reproduced"]


def test_a_file_that_is_not_there_is_told_with_row_and_column(wfx: Any, pipeline: Any) -> None:
    where = pipeline("samples")
    with FaultServer() as server:
        sheet = server.add("/sheet.csv", b"sample,reads_1\none,one.txt\ntwo,none.txt\n")
        server.add("/one.txt", b"A\n")
        done = wfx("run", where, "-i", f"input={sheet}", check=4)
    assert "/none.txt" in done.stderr
    assert "sheet.csv:3, column 'reads_1' names it" in done.stderr


def test_a_sheet_from_elsewhere_leads_into_no_private_network(wfx: Any, pipeline: Any) -> None:
    where = pipeline("samples")
    with FaultServer() as server, FaultServer() as other:
        secret = other.add("/secret.txt", b"secret\n").replace("127.0.0.1", "localhost")
        sheet = server.add("/sheet.csv", f"sample,reads_1\none,{secret}\n".encode())
        done = wfx("run", where, "-i", f"input=@{sheet}", check=8)
        assert "private network" in done.stderr
        assert other.requests == []
