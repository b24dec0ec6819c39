"""Images that must be signed: looked at while planning, refused with exit code 8, and told in plan and crate."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.containers import tools_image
from wfx.testing.images import MadeImage
from wfx.testing.registries import Registry
from wfx.testing.requirements import require_program

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
requirements: {DockerRequirement: {%s}}
baseCommand: [cat, /hello]
inputs: {}
outputs: {greeting: stdout}
stdout: greeting.txt
"""


class Signer:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.private, self.public = folder / "key.pem", folder / "cosign.pub"
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.private)
        self.openssl("ec", "-in", self.private, "-pubout", "-out", self.public)
        der = self.openssl("ec", "-pubin", "-in", self.public, "-outform", "DER")
        self.fingerprint = hashlib.sha256(der).hexdigest()

    def openssl(self, *arguments: str | Path, stdin: bytes = b"") -> bytes:
        program = require_program("openssl")
        return subprocess.run([program, *map(str, arguments)], input=stdin, capture_output=True, check=True).stdout

    def sign(self, registry: Registry, digest: str) -> None:
        """Push what `cosign sign --key` pushes (cosign's signature specification)."""
        about = {
            "identity": {"docker-reference": f"{registry.host}/wfx/tools"}, "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        }  # fmt: skip
        payload = json.dumps({"critical": about, "optional": None}).encode()
        signature = base64.b64encode(self.openssl("dgst", "-sha256", "-sign", self.private, stdin=payload)).decode()
        made = MadeImage()
        layer = made.add(
            payload, "application/vnd.dev.cosign.simplesigning.v1+json",
            annotations={"dev.cosignproject.cosign/signature": signature},
        )  # fmt: skip
        config = made.add_json({}, "application/vnd.oci.image.config.v1+json")
        manifest = {"schemaVersion": 2, "mediaType": made.media_type, "config": config, "layers": [layer]}
        made.digest = made.add_json(manifest, made.media_type)["digest"]
        registry.push("wfx/tools", f"{digest.replace(':', '-')}.sig", made)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as registry:
        registry.push("wfx/tools", "1", tools_image())
        yield registry


@pytest.fixture
def ann(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "ann")


@pytest.fixture
def runtime(wfx: Any, new_runtime: Any) -> str:
    wfx.env |= new_runtime.environment
    return str(new_runtime.name)


def trust(wfx: Any, *keys: Path) -> None:
    names = ", ".join(json.dumps(str(key)) for key in keys)
    config = wfx.home / "config" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(f"[container]\ncosign_keys = [{names}]\n")


def test_a_signed_image_runs_and_plan_and_crate_say_whose_signature_it_is(
    wfx, runtime: str, registry, ann, tmp_path
) -> None:
    ann.sign(registry, tools_image().digest)
    trust(wfx, Signer(tmp_path / "bob").public, ann.public)
    tool = wfx.write("tool.cwl", TOOL % f"dockerPull: '{registry.host}/wfx/tools:1'")
    plan = wfx("plan", tool, "--containers", runtime)
    assert plan.code == 0, plan.err
    assert f"signed with {ann.fingerprint[:12]}" in plan.out
    done = wfx("run", tool, "--containers", runtime, "-o", "out")
    assert done.code == 0, done.err
    [image] = json.loads((wfx.folder / "out/plan.json").read_text())["images"]
    assert image["signed"] == ann.fingerprint
    graph = json.loads((wfx.folder / "out/ro-crate-metadata.json").read_text())["@graph"]
    [entity] = [entity for entity in graph if entity["@type"] == "ContainerImage"]
    assert ann.fingerprint in entity["description"]
    # What was verified once is known without the registry.
    registry.resources.clear()
    again = wfx("run", tool, "--containers", runtime, "-o", "again", "--offline")
    assert again.code == 0, again.err


def test_an_image_that_is_not_signed_is_refused_before_it_is_fetched(wfx, runtime: str, registry, ann) -> None:
    trust(wfx, ann.public)
    tool = wfx.write("tool.cwl", TOOL % f"dockerPull: '{registry.host}/wfx/tools:1'")
    for command in ("plan", "run"):
        line = wfx.refused(8, command, tool, "--containers", runtime)
        assert "no signature" in line
        assert "wfx/tools" in line
    # Planning looks at the configuration, for people; of the layers none was asked for.
    assert not set(registry.asked_blobs("wfx/tools")) & set(tools_image().layers)
    assert not (wfx.folder / "wfx-runs").exists() or not any((wfx.folder / "wfx-runs").iterdir())


def test_a_signature_of_somebody_else_is_refused(wfx, runtime: str, registry, ann, tmp_path) -> None:
    Signer(tmp_path / "eve").sign(registry, tools_image().digest)
    trust(wfx, ann.public)
    tool = wfx.write("tool.cwl", TOOL % f"dockerPull: '{registry.host}/wfx/tools:1'")
    assert "no key that you trust" in wfx.refused(8, "run", tool, "--containers", runtime)


def test_an_image_that_was_run_before_the_key_was_wanted_is_refused_offline(wfx, runtime: str, registry, ann) -> None:
    tool = wfx.write("tool.cwl", TOOL % f"dockerPull: '{registry.host}/wfx/tools:1'")
    assert wfx("run", tool, "--containers", runtime, "-o", "out").code == 0
    trust(wfx, ann.public)
    line = wfx.refused(8, "run", tool, "--containers", runtime, "-o", "again", "--offline")
    assert "cannot be looked up" in line


def test_a_file_is_not_signed(wfx, runtime: str, ann, tmp_path) -> None:
    trust(wfx, ann.public)
    wfx.write("root.tar", (b"\0" * 1024))
    tool = wfx.write("tool.cwl", TOOL % "dockerImport: root.tar, dockerImageId: root")
    assert "a file has no signature" in wfx.refused(8, "run", tool, "--containers", runtime)


def test_a_key_that_cannot_be_read_is_said(wfx, runtime: str, registry, ann) -> None:
    tool = wfx.write("tool.cwl", TOOL % f"dockerPull: '{registry.host}/wfx/tools:1'")
    trust(wfx, wfx.folder / "none.pub")
    assert "none.pub" in wfx.refused(2, "run", tool, "--containers", runtime)
    trust(wfx, ann.private)
    line = wfx.refused(2, "run", tool, "--containers", runtime)
    assert "no public key" in line
    assert "BEGIN" not in line


def test_the_bases_of_a_dockerfile_must_be_signed_too(wfx, podman_storage, registry, ann) -> None:
    wfx.env |= podman_storage.environment
    trust(wfx, ann.public)
    text = f"FROM {registry.host}/wfx/tools:1\\nRUN echo built > /hello\\n"
    tool = wfx.write("tool.cwl", TOOL % f'dockerFile: "{text}", dockerImageId: built')
    assert "no signature" in wfx.refused(8, "run", tool, "--containers", "podman")
