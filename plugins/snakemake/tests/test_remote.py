"""What lies elsewhere: storage files and wrappers, staged before the run."""

from __future__ import annotations

import pytest
from wfx.testing.crates import PERSONAL, validate
from wfx.testing.servers import FaultServer

pytestmark = pytest.mark.real

STORAGE = """\
configfile: "config.yaml"

storage:
    provider="http",

rule all:
    input: expand("copies/{x}.txt", x=["a", "b"]), "upper.txt"

rule copy:
    input: storage.http("SERVER/data/{x}.txt")
    output: "copies/{x}.txt"
    shell: "cp {input} {output}"

rule upper:
    input: storage(config["address"])
    output: "upper.txt"
    run:
        open(output[0], "w").write(open(input[0]).read().upper())
"""


@pytest.fixture
def server():
    with FaultServer() as made:
        for name in "abcd":
            made.add(f"/data/{name}.txt", f"{name}\n".encode())
        yield made


@pytest.fixture
def write(tmp_path, server):
    """Return a function that writes a workflow in which SERVER is the server's address; it returns the folder."""

    def make(text, config=""):
        folder = tmp_path / "w"
        folder.mkdir(exist_ok=True)
        (folder / "Snakefile").write_text(text.replace("SERVER", server.url))
        (folder / "config.yaml").write_text(config.replace("SERVER", server.url))
        return folder

    return make


@pytest.fixture
def programs(wfx):
    """Say that the programs of conda environments are installed."""
    with (wfx.home / "config/config.toml").open("a") as file:
        file.write('[engine.snakemake.snakemake]\nconda = "path"\n')


def test_storage_files_are_inputs_that_are_staged_first(wfx, write, server, outputs, record, tmp_path):
    folder = write(STORAGE, "address: SERVER/data/c.txt\n")
    wfx("run", folder, "-o", "one")
    expected = {"copies/a.txt": b"a\n", "copies/b.txt": b"b\n", "upper.txt": b"C\n"}
    assert outputs(tmp_path / "one") == expected
    done = record(tmp_path / "one")
    assert {str(file.reference): file.path for file in done.plan.files} == {
        f"{server.url}/data/{name}.txt": f"inputs/storage/{name}.txt" for name in "abc"
    }
    events = {event.id: event for event in done.events}
    assert events["copy_a"].inputs["input"]["location"] == "inputs/storage/a.txt"
    found = [f for level in ("REQUIRED", "RECOMMENDED") for f in validate(tmp_path / "one", level=level)]
    assert [f for f in found if f.code not in PERSONAL] == []
    server.resources.clear()
    wfx("run", folder, "-o", "two", "--offline")
    assert outputs(tmp_path / "two") == expected


def test_an_address_in_the_config_is_staged_as_the_user_has_it(wfx, write, server, outputs, record, tmp_path):
    folder = write(STORAGE, "address: SERVER/data/c.txt\n")
    wfx("run", folder, "-o", "run", "-i", f"address={server.url}/data/d.txt")
    assert outputs(tmp_path / "run")["upper.txt"] == b"D\n"
    assert f"{server.url}/data/c.txt" not in {str(file.reference) for file in record(tmp_path / "run").plan.files}


def test_a_storage_file_that_nobody_could_foresee_is_refused_by_name_until_it_is_given(
    wfx, write, server, outputs, tmp_path
):
    text = STORAGE.replace('config["address"]', '"SERVER/data/" + config["name"] + ".txt"')
    folder = write(text, "name: c\n")
    address = f"{server.url}/data/d.txt"
    done = wfx("run", folder, "-o", "run", "-i", "name=d", check=3)
    line = done.stderr.strip().splitlines()[-1]
    assert f"storage file {address} was not staged" in line
    assert f"-i storage=@{address}" in line
    wfx("run", folder, "-o", "other", "-i", "name=d", "-i", f"storage=@{address}")
    assert outputs(tmp_path / "other")["upper.txt"] == b"D\n"


def test_writing_to_storage_is_refused_by_name(wfx, write):
    folder = write("rule a:\n    output: storage.s3('s3://bucket/x')\n    shell: 'touch {output}'\n")
    line = wfx("run", folder, check=3).stderr.strip().splitlines()[-1]
    assert "the rule 'a' writes to s3://bucket/x" in line
    assert "into its own directory alone" in line


WRAPPED = """\
rule number:
    input: "config.yaml"
    output: "numbered.txt"
    params: options="-n"
    wrapper: "SERVER/wrappers/v1.0.0/bio/cat"
"""


def test_a_wrapper_is_staged_and_pinned(wfx, write, server, outputs, record, programs, tmp_path):
    script = b'from snakemake.shell import shell\nshell("cat {snakemake.params.options} {snakemake.input} > {snakemake.output}")\n'
    server.add("/wrappers/v1.0.0/bio/cat/wrapper.py", script)
    server.add("/wrappers/v1.0.0/bio/cat/environment.yaml", b"dependencies: [coreutils]\n")
    folder = write(WRAPPED, "a: 1\n")
    wfx("run", folder, "-o", "one")
    assert outputs(tmp_path / "one") == {"numbered.txt": b"     1\ta: 1\n"}
    origins = {str(d.origin): d.sha256 for d in record(tmp_path / "one").plan.workflow.documents}
    assert {o.rpartition("/")[2] for o in origins if o.startswith(server.url)} == {"wrapper.py", "environment.yaml"}
    server.resources.clear()
    wfx("run", folder, "-o", "two", "--offline")
    assert outputs(tmp_path / "two") == outputs(tmp_path / "one")


def test_a_wrapper_that_is_not_to_be_had_is_refused_by_name(wfx, write, server, programs):
    folder = write(WRAPPED, "a: 1\n")
    line = wfx("run", folder, check=4).stderr.strip().splitlines()[-1]
    assert f"{server.url}/wrappers/v1.0.0/bio/cat" in line
    server.add("/wrappers/v1.0.0/bio/cat/environment.yaml", b"dependencies: [coreutils]\n")
    line = wfx("run", folder, check=3).stderr.strip().splitlines()[-1]
    assert "was not staged" in line
    assert "no script of it was found" in line


def test_a_wrapper_of_the_workflows_own(wfx, write, outputs, programs, tmp_path):
    folder = write(WRAPPED.replace("SERVER/wrappers/v1.0.0/bio/cat", "file:wrappers/cat"), "a: 1\n")
    (folder / "wrappers/cat").mkdir(parents=True)
    (folder / "wrappers/cat/environment.yaml").write_text("dependencies: []\n")
    (folder / "wrappers/cat/wrapper.py").write_text('open(snakemake.output[0], "w").write("own\\n")\n')
    wfx("run", folder, "-o", "run")
    assert outputs(tmp_path / "run") == {"numbered.txt": b"own\n"}


def test_python_of_a_document_from_elsewhere_runs_without_the_network(wfx, write, server, outputs, tmp_path):
    server.add(
        "/more.smk", b'rule more:\n    output: "more.txt"\n    run:\n        open(output[0], "w").write("more\\n")\n'
    )
    wfx(
        "run",
        write('include: "SERVER/more.smk"\nrule all:\n    input: "more.txt"\n    default_target: True\n'),
        "-o",
        "run",
    )
    assert outputs(tmp_path / "run") == {"more.txt": b"more\n"}
