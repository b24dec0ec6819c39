"""Images in every form in which workflows name them, each run in the runtimes that take it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wfx.testing.containers import tools_image
from wfx.testing.crates import validate
from wfx.testing.images import make_artifact, make_image, make_index
from wfx.testing.registries import Registry
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real
pytest_plugins = ["wfx.testing.runtimes"]

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
requirements:
  DockerRequirement: {requirement}
baseCommand: [cat, /hello]
inputs: []
outputs: {{said: stdout}}
stdout: said.txt
"""


@pytest.fixture(params=["docker", "podman", "singularity"])
def runtime(request: pytest.FixtureRequest, wfx: Any) -> str:
    return prepared(request, wfx, request.param)


@pytest.fixture
def singularity(request: pytest.FixtureRequest, wfx: Any) -> str:
    return prepared(request, wfx, "singularity")


def prepared(request: pytest.FixtureRequest, wfx: Any, runtime: str) -> str:
    if runtime == "docker":
        wfx.env |= request.getfixturevalue("docker_daemon").environment
    elif runtime == "podman":
        wfx.env |= request.getfixturevalue("podman_storage").environment
    else:
        request.getfixturevalue("singularity_program")
    return runtime


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, singularity_program: str) -> dict[str, Path]:
    """The same image as a layout, both archives, a SIF and a tar of its files."""
    folder = tmp_path_factory.mktemp("made")
    layout = tools_image().write_layout(folder / "layout", "wfx/tools:1")
    found = {"layout": layout, "docker": folder / "docker.tar", "oci": folder / "oci.tar", "sif": folder / "tools.sif",
             "files": folder / "files.tar"}  # fmt: skip
    for kind in ("docker", "oci"):
        command = ["skopeo", "--insecure-policy", "copy", "-q", f"oci:{layout}:wfx/tools:1",
                   f"{kind}-archive:{found[kind]}:wfx/tools:1"]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    build = [singularity_program, "build", str(found["sif"]), f"docker-archive:{found['docker']}"]
    subprocess.run(build, check=True, capture_output=True)
    sandbox = folder / "root"
    subprocess.run([singularity_program, "build", "--sandbox", str(sandbox), str(found["sif"])], check=True,
                   capture_output=True)  # fmt: skip
    names = ["bin", "etc", "usr", "tmp", "var", "proc", "sys", "dev", "hello", "link"]
    subprocess.run(["tar", "-C", sandbox, "-cf", found["files"], *names], check=True)
    return found


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


PERSON = {
    "WFX_PERSON_NAME": "Ada", "WFX_PERSON_ORCID": "0000-0002-1825-0097", "WFX_PERSON_AFFILIATION": "A House",
    "WFX_PERSON_AFFILIATION_URL": "https://house.example/", "WFX_CRATE_LICENCE": "CC-BY-4.0",
    "WFX_CRATE_PUBLISHER": "A House", "WFX_CRATE_PUBLISHER_URL": "https://house.example/",
}  # fmt: skip


def ran(wfx: Any, requirement: dict[str, str], runtime: str, out: str = "out", *more: str) -> Any:
    """Run the tool; return the report, after a look at the result."""
    wfx.write("tool.cwl", TOOL.format(requirement=json.dumps(requirement)))
    wfx.env |= PERSON
    done = wfx("run", "tool.cwl", "--containers", runtime, "-o", out, "--json", *more)
    assert done.code == 0, done.err
    assert Path(done.json["outputs"]["said"]["path"]).read_text() == "hello\n"
    return done.json


def image_of(folder: Path) -> dict[str, Any]:
    """Return the one image of a valid crate, to which an action is joined."""
    assert validate(folder, "workflow-run-crate", "RECOMMENDED") == []
    text = (folder / "ro-crate-metadata.json").read_text()
    assert str(folder.parent) not in text
    graph = json.loads(text)["@graph"]
    [found] = [entity for entity in graph if entity.get("@type") == "ContainerImage"]
    assert any(entity.get("containerImage") == {"@id": found["@id"]} for entity in graph)
    return dict(found)


@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_an_archive_of_this_machine(wfx, runtime: str, made, kind: str) -> None:
    (wfx.folder / "image.tar").symlink_to(made[kind])
    report = ran(wfx, {"dockerLoad": "image.tar", "dockerImageId": "wfx/tools:1"}, runtime)
    digest = report["steps"][0]["image_digest"]
    image = image_of(wfx.folder / "out")
    assert image["sha256"] == digest.removeprefix("sha256:")
    assert (image["name"], image["registry"]) == ("image.tar", "localhost")
    if kind == "oci":
        # The layout in it is the image itself, whose digest everybody knows.
        assert digest == tools_image().digest
    again = wfx("plan", "tool.cwl", "--containers", runtime, "--json")
    assert again.json["images"][0]["digest"] == digest


def test_an_archive_is_named_by_its_transport_too(wfx, singularity: str, made) -> None:
    ran(wfx, {"dockerPull": f"docker-archive:{made['docker']}"}, singularity)


def test_a_tar_of_files(wfx, runtime: str, made) -> None:
    (wfx.folder / "files.tar").symlink_to(made["files"])
    report = ran(wfx, {"dockerImport": "files.tar", "dockerImageId": "mine"}, runtime)
    assert report["steps"][0]["image_digest"].startswith("sha256:")


@pytest.mark.parametrize("how", ["relative", "absolute", "uri", "pull"])
def test_a_sif_of_this_machine(wfx, singularity: str, made, how: str) -> None:
    (wfx.folder / "images").mkdir()
    path = wfx.folder / "images/tools.sif"
    path.symlink_to(made["sif"])
    text = {"relative": "images/tools.sif", "absolute": str(path), "uri": path.as_uri(), "pull": "images/tools.sif"}[
        how
    ]
    report = ran(wfx, {"dockerPull" if how == "pull" else "dockerImageId": text}, singularity)
    assert report["steps"][0]["image_digest"] == f"sha256:{sha256(made['sif'])}"
    image = image_of(wfx.folder / "out")
    assert image["additionalType"]["@id"].endswith("#SIFImage")
    assert (image["name"], image["sha256"]) == ("tools.sif", sha256(made["sif"]))


def test_docker_and_podman_say_that_they_run_no_sif(wfx, made) -> None:
    wfx.write("tool.cwl", TOOL.format(requirement=json.dumps({"dockerImageId": str(made["sif"])})))
    line = wfx.refused(7, "run", "tool.cwl", "--containers", "docker,podman")
    assert line.count("runs no SIF") == 2
    assert "singularity" in line


def test_a_sif_of_the_web(wfx, singularity: str, made) -> None:
    with FaultServer() as server:
        url = server.add("/images/tools.sif", made["sif"].read_bytes())
        url = url if url.startswith("http") else f"{server.url}/images/tools.sif"
        report = ran(wfx, {"dockerPull": url}, singularity)
    assert report["steps"][0]["image_digest"] == f"sha256:{sha256(made['sif'])}"
    image = image_of(wfx.folder / "out")
    assert image["additionalType"]["@id"].endswith("#SIFImage")
    assert image["registry"].startswith("127.0.0.1")
    ran(wfx, {"dockerPull": url}, singularity, "two", "--offline")


def test_a_sif_in_a_registry(wfx, singularity: str, made) -> None:
    with Registry() as registry:
        made_sif = make_artifact({"tools.sif": made["sif"].read_bytes()}, "application/vnd.sylabs.sif.layer.v1.sif")
        registry.push("wfx/sif", "1", made_sif)
        image = f"oras://{registry.host}/wfx/sif:1"
        wfx.write("tool.cwl", TOOL.format(requirement=json.dumps({"dockerPull": image})))
        planned = wfx("plan", "tool.cwl", "--containers", singularity, "--json")
        assert planned.json["images"][0]["digest"] == f"sha256:{sha256(made['sif'])}"
        assert planned.json["images"][0]["size"] == made["sif"].stat().st_size
        report = ran(wfx, {"dockerPull": image}, singularity)
    assert report["steps"][0]["image_digest"] == f"sha256:{sha256(made['sif'])}"
    entity = image_of(wfx.folder / "out")
    assert (entity["name"], entity["tag"], entity["registry"]) == ("wfx/sif", "1", registry.host)
    assert entity["additionalType"]["@id"].endswith("#SIFImage")
    ran(wfx, {"dockerPull": image}, singularity, "two", "--offline")


def test_a_sif_of_a_library(wfx, singularity: str, made) -> None:
    from wfx.images import Platform

    data, digest, here = made["sif"].read_bytes(), sha256(made["sif"]), Platform.here().architecture
    with FaultServer() as library:
        value = {"hash": f"sha256.{digest}", "size": len(data), "uploaded": True}
        for name in ("1", f"sha256.{digest}"):
            library.add(f"/v1/images/e/c/tools:{name}?arch={here}", json.dumps({"data": value}).encode())
            library.add(f"/v1/imagefile/e/c/tools:{name}?arch={here}", data)
        image = f"library://{library.address}:{library.port}/e/c/tools:1"
        report = ran(wfx, {"dockerPull": image}, singularity)
    assert report["steps"][0]["image_digest"] == f"sha256:{digest}"
    ran(wfx, {"dockerPull": image}, singularity, "two", "--offline")


# -- what is built


@pytest.fixture
def base() -> Iterator[tuple[Registry, str]]:
    with Registry() as registry:
        registry.push("wfx/base", "1", tools_image())
        yield registry, f"{registry.host}/wfx/base:1"


def test_a_dockerfile_is_built_of_its_pinned_base(wfx, request, runtime: str, base) -> None:
    registry, name = base
    prepared(request, wfx, "docker")  # what builds for singularity
    text = f"ARG WHICH={name}\nFROM ${{WHICH}} AS first\nRUN echo hello > /made\nFROM {name}\nCOPY --from=first /made /made\n"
    wfx.write("tool.cwl", TOOL.format(requirement=json.dumps({"dockerFile": text, "dockerImageId": "mine"})).replace(
        "/hello", "/made"))  # fmt: skip
    planned = wfx("plan", "tool.cwl", "--containers", runtime, "--json")
    assert planned.code == 0, planned.err
    [image] = planned.json["images"]
    assert "digest" not in image or not image["digest"]
    assert image["bases"] == {name: tools_image().digest}
    wfx.env |= PERSON
    done = wfx("run", "tool.cwl", "--containers", runtime, "-o", "out", "--json")
    assert done.code == 0, done.err
    digest = done.json["steps"][0]["image_digest"]
    assert Path(done.json["outputs"]["said"]["path"]).read_text() == "hello\n"
    assert image_of(wfx.folder / "out")["sha256"] == digest.removeprefix("sha256:")
    # Built once: the next run, without the registry, has the same image.
    registry.close() if hasattr(registry, "close") else None
    again = wfx("run", "tool.cwl", "--containers", runtime, "-o", "two", "--json", "--offline")
    assert again.code == 0, again.err
    assert again.json["steps"][0]["image_digest"] == digest
    assert again.json["identity"] == done.json["identity"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [("ADD http://127.0.0.1/x /x", "fetches something"), ("COPY here /there", "copies files"), ("RUN exit 3", "3")],
)
def test_what_a_build_cannot_do_is_said(wfx, request, base, lines: str, says: str) -> None:
    runtime = prepared(request, wfx, "docker")
    wfx.write("tool.cwl", TOOL.format(requirement=json.dumps({"dockerFile": f"FROM {base[1]}\n{lines}\n"})))
    line = wfx.refused(7, "run", "tool.cwl", "--containers", runtime)
    assert says in line


def test_a_build_has_no_network(wfx, request, base) -> None:
    runtime = prepared(request, wfx, "podman")
    # Two lines of headings and the loopback.
    text = f"FROM {base[1]}\nRUN test $(wc -l < /proc/net/dev) != 3\n"
    wfx.write("tool.cwl", TOOL.format(requirement=json.dumps({"dockerFile": text})))
    line = wfx.refused(7, "run", "tool.cwl", "--containers", runtime)
    assert "container.network" in line


def test_nothing_builds_where_there_is_only_singularity(wfx, singularity: str, base) -> None:
    wfx.env |= {
        "DOCKER_HOST": "unix:///nowhere/docker.sock",
        "WFX_PLUGINS": "wfx-cwl,wfx-oci,wfx-singularity,wfx-ro-crate,wfx-file",
    }
    wfx.write("tool.cwl", TOOL.format(requirement=json.dumps({"dockerFile": f"FROM {base[1]}\nRUN true\n"})))
    line = wfx.refused(7, "run", "tool.cwl", "--containers", singularity)
    assert "singularity builds no Dockerfile" in line


# -- what may be named


def test_a_workflow_from_elsewhere_names_no_image_file_of_this_machine(wfx, singularity: str, made) -> None:
    with FaultServer() as server:
        text = TOOL.format(requirement=json.dumps({"dockerImageId": str(made["sif"])}))
        server.add("/tool.cwl", text.encode())
        url = f"{server.url}/tool.cwl"
        line = wfx.refused(8, "run", url, "--containers", singularity, "--trust")
        assert "names an image file of this machine" in line
        done = wfx("run", url, "--containers", singularity, "--allow-local", "-o", "out", "--json")
        assert done.code == 0, done.err


# -- what is shown before a run


def test_a_plan_shows_facts_and_warns_of_latest_and_of_a_moved_tag(wfx, singularity: str) -> None:
    with Registry() as registry:
        config = {"User": "1000", "Entrypoint": ["/bin/env"], "Labels": {"org.opencontainers.image.licenses": "MIT"}}
        registry.push("wfx/tools", "latest", make_image([{"a": b"1"}], config=config))
        wfx.write("tool.cwl", TOOL.format(requirement=json.dumps({"dockerPull": f"{registry.host}/wfx/tools"})))
        plan = wfx("plan", "tool.cwl", "--containers", singularity, "--json").json
        [image] = plan["images"]
        assert (image["created"][:10], image["licence"], image["user"]) == ("2024-05-01", "MIT", "1000")
        assert image["entrypoint"] == ["/bin/env"]
        assert [text for text in plan["warnings"] if "latest is no version" in text and image["digest"] in text]
        registry.push("wfx/tools", "latest", make_image([{"a": b"2"}], config=config))
        done = wfx("plan", "tool.cwl", "--containers", singularity)
        assert image["digest"][:19] in done.out
        assert "is sha256:" in done.out
        for text in ("made 2024-05-01", "licence MIT", "user 1000", "entry point /bin/env", "linux/"):
            assert text in done.out


def test_a_plan_warns_of_an_image_for_other_machines(wfx, singularity: str) -> None:
    with Registry() as registry:
        index = make_index({"linux/s390x": make_image([{"a": b"1"}], platform="linux/s390x")})
        registry.push("wfx/other", "1", index)
        wfx.write("tool.cwl", TOOL.format(requirement=json.dumps({"dockerPull": f"{registry.host}/wfx/other:1"})))
        done = wfx("plan", "tool.cwl", "--containers", singularity, "--json")
        assert done.code == 0, done.err
        assert [text for text in done.json["warnings"] if "s390x" in text]
        line = wfx.refused(7, "run", "tool.cwl", "--containers", singularity)
        assert "s390x" in line
