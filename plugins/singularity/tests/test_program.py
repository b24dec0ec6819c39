"""What is said when the program is not there, fails, or has no room; and what is kept of a build."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from wfx.containers import FactoryContext
from wfx.errors import ContainerError, IntegrityError
from wfx.testing.containers import tools_image
from wfx_singularity import SingularityFactory


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apptainer that builds what its file says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    path = folder / "apptainer"
    path.write_text(
        '#!/bin/sh\nhere=$(dirname "$0")\n'
        '[ "$1" != --version ] || { echo "apptainer version 1.9.9"; exit; }\n'
        'echo "$*" >>"$here/calls"\n. "$here/does"\n'
    )
    path.chmod(0o755)
    (folder / "does").write_text('echo SIF > "$3"')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def load(tmp_path: Path, folder: str = "layout"):  # type: ignore[no-untyped-def]
    factory = SingularityFactory(FactoryContext(cache=tmp_path / "cache"))
    layout = tmp_path / folder
    if not layout.exists():
        tools_image().write_layout(layout)
    return factory.load(layout, "wfx/tools:1", tools_image().digest)


def test_a_file_is_built_once_for_each_digest(fake: Path, tmp_path: Path) -> None:
    first, second = load(tmp_path), load(tmp_path, "another")
    assert (first.fresh, second.fresh) == (True, False)
    assert first.path == tmp_path / "cache" / "sif" / f"sha256-{tools_image().digest[7:]}.sif"
    assert len((fake / "calls").read_text().splitlines()) == 1
    note = json.loads(first.path.with_suffix(".json").read_bytes())
    assert note["digest"] == tools_image().digest
    assert note["program"] == "apptainer 1.9.9"
    assert first.image_id == second.image_id == f"sha256:{note['sha256']}"


def test_a_file_that_is_not_whole_is_built_again(fake: Path, tmp_path: Path) -> None:
    path = load(tmp_path).path
    path.chmod(0o755)
    path.write_bytes(b"S")
    assert load(tmp_path).fresh
    path.with_suffix(".json").write_text("{")
    assert load(tmp_path).fresh


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ('echo "FATAL: while creating squashfs: write: no space left on device" >&2; exit 255', "free some space"),
        ('echo "FATAL: broken" >&2; exit 255', "broken"), ("exit 0", "no SIF can be built"),
    ],
)  # fmt: skip
def test_a_build_that_fails_leaves_nothing(fake: Path, tmp_path: Path, does: str, said: str) -> None:
    (fake / "does").write_text(does)
    with pytest.raises(ContainerError, match=said) as caught:
        load(tmp_path)
    assert caught.value.exit_code == 7
    assert "wfx/tools:1" in str(caught.value)
    assert [p.suffix for p in (tmp_path / "cache" / "sif").iterdir()] == [".lock"]
    (fake / "does").write_text('echo SIF > "$3"')
    assert load(tmp_path).fresh


def test_nothing_installed_is_said_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = SingularityFactory().available()
    assert found.problem == "neither apptainer nor singularity is installed"
    assert "apptainer.org" in found.remedy


def test_what_is_no_sif_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(b"\x7fELF" + bytes(100))
    with pytest.raises(ContainerError, match="no Singularity image"):
        SingularityFactory().load(path, "https://example.org/x.sif", "sha256:" + "0" * 64)
    path.write_bytes(bytes(32) + b"SIF_MAGIC\0" + bytes(50))
    with pytest.raises(IntegrityError):
        SingularityFactory().load(path, "https://example.org/x.sif", "sha256:" + "0" * 64)


def test_an_image_elsewhere_is_refused_and_a_file_is_not(fake: Path, tmp_path: Path) -> None:
    wrapper = tmp_path / "singularity"
    wrapper.write_text(SingularityFactory(FactoryContext(cache=tmp_path)).access("r1").wrapper)
    wrapper.chmod(0o755)
    (fake / "does").write_text('echo "$APPTAINER_CACHEDIR"')
    refused = subprocess.run([wrapper, "exec", "docker://x", "ls"], capture_output=True, text=True)
    assert refused.returncode == 1
    assert "not planned" in refused.stderr
    done = subprocess.run([wrapper, "exec", "/x.sif", "ls", "https://a/b"], capture_output=True, text=True)
    assert done.stdout.strip() == str(tmp_path / "cache")
