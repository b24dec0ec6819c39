"""Bags: valid for the library of the standard's authors, the same each time, and held to their manifests."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import bagit
import pytest
from wfx.testing import ExporterContract
from wfx.testing.runs import make_run
from wfx_bagit import BagExporter, PackedBagExporter


class TestBag(ExporterContract):
    exporter = BagExporter


class TestPackedBag(ExporterContract):
    exporter = PackedBagExporter


METADATA = """{"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [
{"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
 "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}},
{"@id": "./", "@type": "Dataset", "name": "words", "description": "Counts\\nwords", "identifier": "urn:uuid:1",
 "datePublished": "2026-01-02T03:04:05+00:00"}]}"""


@pytest.fixture
def crate(tmp_path: Path) -> Path:
    folder = make_run(tmp_path / "run").path
    (folder / "ro-crate-metadata.json").write_text(METADATA)
    (folder / "outputs/é 🧬.txt").write_text("x")
    (folder / "outputs/two\nlines.txt").write_text("y")
    (folder / "outputs/empty").mkdir()
    return folder


def unpacked(packed: Path, folder: Path) -> Path:
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(folder)
    [top] = folder.iterdir()
    return top


@pytest.mark.parametrize("cls", [BagExporter, PackedBagExporter])
def test_the_library_finds_nothing_wrong(cls, crate: Path, tmp_path: Path) -> None:
    made = cls().pack(crate, tmp_path / "made")
    bag = bagit.Bag(str(made if made.is_dir() else unpacked(made, tmp_path / "unpacked")))
    assert bag.validate()
    assert bag.version_info == (1, 0)
    assert bag.info["External-Description"] == "Counts words"
    assert bag.info["External-Identifier"] == "urn:uuid:1"
    assert bag.info["Bagging-Date"] == "2026-01-02"
    assert set(bag.algorithms) == {"sha512"}
    assert cls().check(made) == []


def test_a_percent_sign_is_written_as_the_standard_has_it(crate: Path, tmp_path: Path) -> None:
    (crate / "outputs/50%0A.txt").write_text("z")
    made = BagExporter().pack(crate, tmp_path / "made")
    assert "data/outputs/50%250A.txt" in (made / "manifest-sha512.txt").read_text()
    assert BagExporter().check(made) == []


@pytest.mark.parametrize("cls", [BagExporter, PackedBagExporter])
def test_what_the_library_makes_is_checked_too(cls, crate: Path, tmp_path: Path) -> None:
    shutil.copytree(crate, tmp_path / "theirs", ignore=shutil.ignore_patterns(".wfx"))
    bagit.make_bag(str(tmp_path / "theirs"), checksums=["md5", "sha1", "sha256", "sha512"])
    place = tmp_path / "theirs"
    if cls is PackedBagExporter:
        place = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "theirs"))
    assert cls().check(place) == []


def spoil_a_file(bag: Path) -> None:
    (bag / "data/outputs/counted.txt").write_text("6\n")


def lose_a_file(bag: Path) -> None:
    (bag / "data/outputs/counted.txt").unlink()


def add_a_file(bag: Path) -> None:
    (bag / "data/more.txt").write_text("more")


def spoil_a_tag_file(bag: Path) -> None:
    (bag / "bag-info.txt").write_text("External-Identifier: another\n")


def lose_the_manifest(bag: Path) -> None:
    for path in bag.glob("*manifest*"):
        path.unlink()


def spoil_a_line(bag: Path) -> None:
    manifest = bag / "manifest-sha512.txt"
    manifest.write_text("no digest\n" + manifest.read_text())


def lead_out(bag: Path) -> None:
    manifest = bag / "manifest-sha512.txt"
    manifest.write_text(f"{'0' * 128}  data/../../x\n" + manifest.read_text())


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (spoil_a_file, "bag-digest"), (lose_a_file, "bag-missing"), (add_a_file, "bag-unlisted"),
        (spoil_a_tag_file, "bag-digest"), (lose_the_manifest, "bag-manifest"), (spoil_a_line, "bag-manifest-line"),
        (lead_out, "bag-path"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)  # fmt: skip
def test_each_fault_of_a_bag_is_found(fault, code: str, crate: Path, tmp_path: Path) -> None:
    bag = BagExporter().pack(crate, tmp_path / "made")
    fault(bag)
    assert code in {finding.code for finding in BagExporter().check(bag)}


def test_what_is_no_bag_is_told_so(crate: Path) -> None:
    assert "no bag" in BagExporter().check(crate)[0].message
