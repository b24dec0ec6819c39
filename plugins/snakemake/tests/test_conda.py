"""Conda environments: made by conda while a run is staged, used without a network; else refused with the reason."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest
from wfx.errors import UsageError
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.servers import FaultServer
from wfx_snakemake import conda

RULE = 'rule a:\n    output: "x"\n    conda: "envs/greet.yaml"\n    shell: "greet > {output}"\n'


@pytest.fixture
def folder(tmp_path):
    top = tmp_path / "w"
    (top / "envs").mkdir(parents=True)
    (top / "Snakefile").write_text(RULE)
    (top / "envs/greet.yaml").write_text("channels: [conda-forge]\ndependencies: [greet =1.0]\n")
    return top


@pytest.fixture
def setting(wfx):
    def write(text):
        with (wfx.home / "config/config.toml").open("a") as file:
            file.write(f"[engine.snakemake.snakemake]\nconda = {text}\n")

    return write


def test_the_setting_is_a_word_or_a_truth():
    assert [conda.word({"conda": value}) for value in (True, False, "path", "", None)] == [
        "create", "refuse", "path", "refuse", "refuse",
    ]  # fmt: skip
    with pytest.raises(UsageError, match="conda is 'mamba'"):
        conda.word({"conda": "mamba"})


def test_channels_are_known_by_their_origins(tmp_path):
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("channels: [bioconda, defaults, nodefaults, 'https://conda.example.org/mine']\n")
    second.write_text("dependencies: [a]\n")
    assert set(conda.origins([first])) == {
        "https://conda.anaconda.org", "https://repo.anaconda.com", "https://conda.example.org",
    }  # fmt: skip
    assert conda.origins([second, tmp_path / "none.yaml"]) == ("https://repo.anaconda.com",)


@pytest.mark.real
def test_without_conda_an_environment_is_refused_with_the_remedy(wfx, folder, setting, tmp_path, monkeypatch):
    setting("true")
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("bash", "sh", "bwrap"):
        if found := shutil.which(name):
            (bare / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(bare))
    monkeypatch.delenv("CONDA_EXE", raising=False)
    line = wfx("run", folder, "-o", "run", check=6).stderr.strip().splitlines()[-1]
    assert "there is no conda to make environments with" in line
    assert "the rule 'a' asks for the conda environment envs/greet.yaml" in line
    assert "install Miniforge" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.real
@pytest.mark.skipif(shutil.which("conda") is None, reason="conda is not installed, and no package index has it")
class TestWithConda:
    def test_an_environment_is_made_while_staging_and_used_without_a_network(
        self, wfx, folder, setting, outputs, tmp_path
    ):
        setting('"create"')
        with FaultServer() as server:
            serve_channel(server)
            (folder / "envs/greet.yaml").write_text(f"channels: ['{server.url}']\ndependencies: [greet =1.0]\n")
            wfx("stage", folder, "-o", "run", timeout=300)
        wfx("execute", tmp_path / "run", timeout=300)
        assert outputs(tmp_path / "run") == {"x": b"hello\n"}
        [listed] = (tmp_path / "run/logs/conda").iterdir()
        assert "/noarch/greet-1.0-0.tar.bz2#" in listed.read_text()
        found = [f for level in ("REQUIRED", "RECOMMENDED") for f in validate(tmp_path / "run", level=level)]
        assert [f for f in found if f.code not in PERSONAL] == []

    def test_what_conda_cannot_make_leaves_no_run(self, wfx, folder, setting, tmp_path):
        setting('"create"')
        with FaultServer() as server:
            serve_channel(server)
            (folder / "envs/greet.yaml").write_text(f"channels: ['{server.url}']\ndependencies: [nothing-like-it]\n")
            line = wfx("run", folder, "-o", "run", check=6, timeout=300).stderr.strip().splitlines()[-1]
        assert "envs/greet.yaml: conda does not make an environment" in line
        assert "nothing-like-it" in line
        assert not (tmp_path / "run").exists()

    def test_offline_nothing_is_made(self, wfx, folder, setting, tmp_path):
        setting('"create"')
        line = wfx("run", folder, "-o", "run", "--offline", check=4).stderr.strip().splitlines()[-1]
        assert "https://conda.anaconda.org" in line
        assert not (tmp_path / "run").exists()

    def test_a_script_that_would_run_with_the_network_is_refused(self, wfx, folder, setting):
        setting('"create"')
        with FaultServer() as server:
            (folder / "envs/greet.yaml").write_text(f"channels: ['{server.url}']\ndependencies: []\n")
            (folder / "envs/greet.post-deploy.sh").write_text("true\n")
            line = wfx("run", folder, check=3, timeout=120).stderr.strip().splitlines()[-1]
        assert "envs/greet.yaml: a conda environment has a post-deploy script" in line


def serve_channel(server: FaultServer) -> None:
    """Serve a channel of one package, which has the program `greet`."""
    files = {"bin/greet": b"#!/bin/sh\necho hello\n"}
    paths = [
        {"_path": name, "path_type": "hardlink", "sha256": hashlib.sha256(data).hexdigest(), "size_in_bytes": len(data)}
        for name, data in files.items()
    ]
    about = {
        "name": "greet", "version": "1.0", "build": "0", "build_number": 0, "depends": [], "subdir": "noarch",
        "noarch": "generic", "license": "MIT",
    }  # fmt: skip
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:bz2") as archive:
        for name, data in {
            "info/index.json": json.dumps(about).encode(), "info/files": "\n".join(files).encode(),
            "info/paths.json": json.dumps({"paths": paths, "paths_version": 1}).encode(), **files,
        }.items():  # fmt: skip
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755 if name.startswith("bin/") else 0o644
            archive.addfile(member, io.BytesIO(data))
    data = packed.getvalue()
    record = {
        **about,
        "size": len(data),
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    name = Path("greet-1.0-0.tar.bz2").name
    server.add(f"/noarch/{name}", data)
    for subdir, packages in (("noarch", {name: record}), ("linux-64", {})):
        index = {"info": {"subdir": subdir}, "packages": packages, "packages.conda": {}, "repodata_version": 1}
        server.add(f"/{subdir}/repodata.json", json.dumps(index).encode())
