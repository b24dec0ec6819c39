"""The contract of exporters.

::

    class TestBagit(ExporterContract):
        exporter = BagitExporter
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
import socket
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from wfx.errors import UsageError, WfxError
from wfx.exporting import Exporter, Finding
from wfx.packing import members_of
from wfx.testing.contracts import SECRET, applies, check_keys, files_below, forms_of, hide_what_does_not_apply
from wfx.testing.machines import private_machine
from wfx.testing.runs import MadeRun, make_run

METADATA = "ro-crate-metadata.json"
LARGE = 2**20
OLD = b'{"@context": "of an earlier run"}'


class ExporterContract:
    """What wfx relies on in an exporter; a subclass gives the class.

    An exporter gets the rules of what it implements, each a test of its own:

    - `describe`: metadata appear whole or not at all, for failed runs too; no other file is changed; no path of the
      machine and no secret is in what is written;
    - `pack`: the result appears whole or not at all; every file of the crate is in it as it is, and nothing of `.wfx`,
      nor what is to stay behind; the crate is left as it is;
    - `check`: a folder that is no crate has an error; what is checked is left as it is;
    - the keys are the names of the package's entry points.

    What a pack holds is read from folders, zip and tar; override `contents` for another form.
    """

    exporter: ClassVar[type[Exporter]]

    def __init_subclass__(cls, **options: object) -> None:
        super().__init_subclass__(**options)
        if "exporter" in cls.__dict__:
            able = {name for name in ("describe", "pack", "check") if _implements(cls.exporter, name)}
            hide_what_does_not_apply(cls, "", able)

    # -- what the author may give

    def make(self) -> Exporter:
        """Return the exporter."""
        return self.exporter()

    def contents(self, packed: Path) -> dict[str, bytes]:
        """Return the files in a pack by their path in it."""
        if packed.is_dir():
            return {p.relative_to(packed).as_posix(): p.read_bytes() for p in packed.rglob("*") if p.is_file()}
        if zipfile.is_zipfile(packed):
            with zipfile.ZipFile(packed) as archive:
                return {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
        with tarfile.open(packed) as archive:
            members = [(member.name, archive.extractfile(member)) for member in archive if member.isfile()]
            return {name: file.read() for name, file in members if file is not None}

    # -- the bench

    @pytest.fixture(autouse=True)
    def machine(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Keep the user's settings out."""
        return private_machine(tmp_path / "machine", monkeypatch)

    @pytest.fixture
    def run(self, tmp_path: Path) -> MadeRun:
        """Return a finished run without metadata."""
        return make_run(tmp_path / "made" / "run")

    @pytest.fixture
    def crate(self, run: MadeRun) -> MadeRun:
        """Return a finished crate."""
        if _implements(self.exporter, "describe"):
            self.make().describe(run.record, run.path)
        else:
            (run.path / METADATA).write_bytes(MINIMAL)
        return run

    def _target(self, tmp_path: Path) -> Path:
        folder = tmp_path / "packs"
        folder.mkdir()
        return folder / f"packed{self.exporter.suffix}"

    # -- describe

    @applies(needs=["describe"])
    def test_describing_changes_no_other_file(self, run: MadeRun) -> None:
        """Write metadata into the top of the run directory, and leave what is there."""
        before = files_below(run.path)
        self.make().describe(run.record, run.path)
        after = files_below(run.path)
        assert {path: about for path, about in after.items() if path in before} == before
        new = {path.split("/")[0] for path in set(after) - set(before)}
        assert new, "nothing was written"
        assert not new & {"workflow", "inputs", "outputs", "logs", ".wfx"}, "it wrote among the run's own files"

    @applies(needs=["describe"])
    def test_a_failed_run_is_described_too(self, tmp_path: Path) -> None:
        """Write metadata of a run that failed: that is when somebody wants to look."""
        failed = make_run(tmp_path / "failed", failed=True)
        self.make().describe(failed.record, failed.path)
        assert _new_files(failed), "nothing was written"

    @applies(needs=["describe"])
    def test_metadata_appear_whole_or_not_at_all(self, run: MadeRun) -> None:
        """Leave what was there before where the disk is full in the middle."""
        self.make().describe(run.record, run.path)
        names = set(_new_files(run))
        for name in names:
            (run.path / name).write_bytes(OLD)
        with _full_disk(len(OLD) // 2), contextlib.suppress(WfxError, OSError):
            self.make().describe(run.record, run.path)
        assert set(_new_files(run)) == names, "something half-written is left"
        assert set(_new_files(run).values()) == {OLD}, "metadata that were whole are not any more"

    @applies(needs=["describe"])
    def test_no_path_of_the_machine_is_written(self, run: MadeRun) -> None:
        """Write no absolute path and no host name: neither means anything to whoever gets the crate."""
        self.make().describe(run.record, run.path)
        for name, data in _new_files(run).items():
            for path in (run.path, run.path.parent, Path.home(), Path.cwd()):
                assert os.fsencode(path) not in data, f"{name} has the path {path}"
            host = socket.gethostname()
            assert len(host) < 6 or host.encode() not in data, f"{name} has the name of this machine"

    @applies(needs=["describe"])
    def test_no_secret_is_written(self, run: MadeRun) -> None:
        """Write references as `str()` gives them: without credentials and signatures."""
        self.make().describe(run.record, run.path)
        for name, data in _new_files(run).items():
            assert not any(form.encode() in data for form in forms_of(SECRET)), f"a secret is in {name}"

    # -- pack

    @applies(needs=["pack"])
    def test_every_file_of_the_crate_is_in_the_pack(self, crate: MadeRun, tmp_path: Path) -> None:
        """Pack each file with its path, below whatever folder the form has, byte for byte; return where it is."""
        target = self._target(tmp_path)
        packed = self.make().pack(crate.path, target)
        assert packed.exists()
        assert packed == target
        found = self.contents(packed)
        for path, data in crate.files().items():
            kept = [content for name, content in found.items() if name == path or name.endswith("/" + path)]
            assert data in kept, f"{path} is missing or has changed"

    @applies(needs=["pack"])
    def test_nothing_of_the_state_is_in_the_pack(self, crate: MadeRun, tmp_path: Path) -> None:
        """Leave `.wfx` out, whatever is in it."""
        target = self._target(tmp_path)
        self.make().pack(crate.path, target)
        found = self.contents(target)
        assert not [name for name in found if ".wfx" in name.split("/")]
        assert not any(SECRET.encode() in data for data in found.values())

    @applies(needs=["pack"])
    def test_what_stays_behind_is_not_in_the_pack(self, crate: MadeRun, tmp_path: Path) -> None:
        """Pack the files that are chosen, and bytes that stand in for a file's; nothing else."""
        chosen = [m for m in members_of(crate.path) if not m.path.startswith("inputs")]
        changed = [replace(m, source=b"{}", size=2) if m.path == "lock.json" else m for m in chosen]
        target = self._target(tmp_path)
        self.make().pack_members(changed, target)
        found = self.contents(target)
        names = [name.split("/") for name in found]
        assert not [parts for parts in names if "inputs" in parts], "what was left out is in it"
        assert b"{}" in [data for name, data in found.items() if name.endswith("lock.json")], "it took other bytes"
        assert [parts for parts in names if "outputs" in parts]

    @applies(needs=["pack"])
    def test_a_pack_appears_whole_or_not_at_all(self, crate: MadeRun, tmp_path: Path) -> None:
        """Leave nothing where the disk is full in the middle: no half of a pack, and no temporary file."""
        (crate.path / "outputs" / "large.bin").write_bytes(os.urandom(LARGE))
        target = self._target(tmp_path)
        with _full_disk(LARGE // 4):
            try:
                self.make().pack(crate.path, target)
            except (WfxError, OSError):
                left = sorted(path.name for path in target.parent.iterdir())
                assert left == [], f"{left} is left of a pack that failed"
            else:
                # Links and clones need no space.
                assert target.exists()

    @applies(needs=["pack"])
    def test_packing_leaves_the_crate_as_it_is(self, crate: MadeRun, tmp_path: Path) -> None:
        """Change nothing in the crate: neither bytes nor modes nor times."""
        before = files_below(crate.path)
        self.make().pack(crate.path, self._target(tmp_path))
        assert files_below(crate.path) == before

    # -- check

    @applies(needs=["check"])
    def test_a_folder_that_is_no_crate_is_not_valid(self, tmp_path: Path) -> None:
        """Find an error, or raise one, where there are no metadata, and where they are no JSON."""
        for name, data in (("none", None), ("broken", b"{"), ("empty", b"")):
            folder = tmp_path / name
            folder.mkdir()
            if data is not None:
                (folder / METADATA).write_bytes(data)
            found: list[Finding] = []
            with contextlib.suppress(WfxError):
                found = self.make().check(folder)
                assert any(finding.severity == "error" for finding in found), f"{name}: it finds nothing wrong"

    @applies(needs=["check"])
    def test_checking_changes_nothing(self, crate: MadeRun) -> None:
        """Read, and write nothing; what is found has a rule and a message."""
        before = files_below(crate.path)
        for finding in self.make().check(crate.path):
            assert finding.code
            assert finding.message
        assert files_below(crate.path) == before

    # -- all

    def test_what_is_not_implemented_is_said(self, tmp_path: Path) -> None:
        """Leave the base's methods alone where there is nothing to do: they say what to use instead."""
        exporter = self.make()
        implemented = [name for name in ("describe", "pack", "check") if _implements(self.exporter, name)]
        assert implemented, "it implements none of describe, pack and check"
        if not _implements(self.exporter, "pack"):
            with pytest.raises(UsageError):
                exporter.pack(tmp_path, tmp_path / "x")

    def test_its_keys_are_the_entry_points(self) -> None:
        """Name in pyproject.toml what the class has as `keys`, no more and no less."""
        check_keys(self.exporter, "exporter")


MINIMAL = b"""{
 "@context": "https://w3id.org/ro/crate/1.1/context",
 "@graph": [
  {"@id": "ro-crate-metadata.json", "@type": "CreativeWork", "about": {"@id": "./"},
   "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"}},
  {"@id": "./", "@type": "Dataset", "name": "words", "description": "A run", "datePublished": "2026-01-02",
   "license": {"@id": "https://spdx.org/licenses/CC0-1.0"}}
 ]
}
"""


def _implements(cls: type[Exporter], name: str) -> bool:
    return getattr(cls, name) is not getattr(Exporter, name)


def _new_files(run: MadeRun) -> dict[str, bytes]:
    """Return what lies in the run directory and was not made by `make_run`."""
    own = {"workflow", "inputs", "outputs", "logs", "plan.json", "lock.json", "inputs.json"}
    return {path: data for path, data in run.files().items() if path.split("/")[0] not in own}


@contextlib.contextmanager
def _full_disk(size: int) -> Iterator[None]:
    """Let no file grow beyond so many bytes, as a full disk would; what is printed meanwhile is kept in memory."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
