import json

import bagit
import pytest
from wfx.errors import DefinitionError, MachineError
from wfx.testing import ExporterContract
from wfx_bag import BagExporter


class TestBag(ExporterContract):
    exporter = BagExporter


@pytest.fixture
def crate(tmp_path):
    folder = tmp_path / "crate"
    (folder / "outputs").mkdir(parents=True)
    root = {"@id": "./", "description": "Words,\ncounted"}
    (folder / "ro-crate-metadata.json").write_text(json.dumps({"@graph": [root]}))
    (folder / "outputs" / "a b.txt").write_bytes(b"a\r\n")
    (folder / ".wfx").mkdir()
    (folder / ".wfx" / "run.json").write_text("{}")
    return folder


def test_the_bag_is_valid_and_has_the_crate(crate, tmp_path):
    path = BagExporter().pack(crate, tmp_path / "bag")
    bag = bagit.Bag(str(path))
    assert bag.is_valid()
    assert set(bag.payload_files()) == {"data/ro-crate-metadata.json", "data/outputs/a b.txt"}
    assert set(bag.algorithms) == {"sha256", "sha512"}
    assert bag.info["External-Description"] == "Words, counted"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bag", "crate"]
    assert (crate / "outputs" / "a b.txt").is_file()


def test_a_changed_bag_is_found(crate, tmp_path):
    path = BagExporter().pack(crate, tmp_path / "bag")
    (path / "data" / "outputs" / "a b.txt").write_bytes(b"b\r\n")
    assert not bagit.Bag(str(path)).is_valid()


def test_nothing_is_overwritten(crate, tmp_path):
    (tmp_path / "bag").mkdir()
    with pytest.raises(MachineError):
        BagExporter().pack(crate, tmp_path / "bag")
    assert not list((tmp_path / "bag").iterdir())


def test_links_are_refused(crate, tmp_path):
    (crate / "outputs" / "link").symlink_to("/etc/hostname")
    with pytest.raises(DefinitionError):
        BagExporter().pack(crate, tmp_path / "bag")
