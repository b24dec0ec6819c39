"""Run records as crates: what is said, and that roc-validator accepts it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from crate_records import (
    AGENT,
    FILE,
    PUBLICATION,
    STRING,
    array,
    event,
    locked,
    meanwhile,
    moment,
    optional,
    record,
    record_type,
    scattered,
    two_steps,
    write,
)  # fmt: skip
from wfx.engines import Software, Step, Tool
from wfx.planning import Document, PlannedWorkflow
from wfx.references import Reference
from wfx.running import ComparedWith, Publication
from wfx.testing.crates import PERSONAL, validate
from wfx.values import Parameter, ValueType

PROVENANCE, WORKFLOW = "provenance-run-crate", "workflow-run-crate"


def clean(crate: Path, profile: str = PROVENANCE) -> None:
    assert validate(crate, profile, "RECOMMENDED") == []


def test_two_steps_are_a_provenance_run_crate(tmp_path: Path, describe: Any) -> None:
    crate = describe(two_steps(tmp_path))
    clean(tmp_path)
    assert crate.document["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    assert crate["workflow/wf.cwl"]["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"]
    assert {a["@id"] for a in crate.of("CreateAction")} == {"#run", "#run/count", "#run/report"}
    assert len(crate.of("ParameterConnection")) == 3
    assert crate["#run/count"]["description"] == "Command line: tool count\nExit code: 0"
    reads = crate["inputs/reads/reads.fq"]
    assert reads["encodingFormat"] == "text/x-fastq"
    assert reads["contentSize"] == "15"
    assert len(reads["sha256"]) == 64


def test_an_output_of_a_step_that_was_published_is_the_published_file(tmp_path: Path, describe: Any) -> None:
    crate = describe(two_steps(tmp_path))
    assert crate["#run/report"]["result"] == {"@id": "outputs/report.txt"}


def test_a_file_that_was_not_kept_has_no_path(tmp_path: Path, describe: Any) -> None:
    crate = describe(two_steps(tmp_path))
    made = crate["#run/count"]["result"]["@id"]
    assert made.startswith("#file/")
    assert made.endswith("/counts.txt")
    assert crate[made]["sha1"]
    assert crate["#run/report"]["object"] == {"@id": made}


def test_resources_have_units(tmp_path: Path, describe: Any) -> None:
    crate = describe(two_steps(tmp_path))
    usages = [crate[u["@id"]] for u in crate["#run/count"]["resourceUsage"]]
    assert [(u["value"], u["unitCode"].rpartition("/")[2]) for u in usages] == [("0.5", "SEC"), ("1048576", "BYTE")]


def test_a_lone_tool_is_a_workflow_run_crate(tmp_path: Path, describe: Any) -> None:
    reads = write(tmp_path, "inputs/f/in.txt")
    crate = describe(
        record(
            tmp_path,
            inputs=(Parameter("f", FILE),),
            output_parameters=(Parameter("o", FILE),),
            values={"f": reads},
            items=(locked(tmp_path, reads),),
            outputs={"o": write(tmp_path, "outputs/out.txt", b"x")},
            events=(event("wf", "", 1, inputs={"f": reads}, resources={"cpu_seconds": 1.0}),),
        )
    )
    clean(tmp_path, WORKFLOW)
    (run,) = crate.of("CreateAction")
    assert run["@id"] == "#run"
    assert run["resourceUsage"]
    assert not crate.of("OrganizeAction")


def test_values_of_every_type_are_entities(tmp_path: Path, describe: Any) -> None:
    one, two = write(tmp_path, "inputs/fs/a.bam", b"1"), write(tmp_path, "inputs/fs/b.bam", b"2")
    index = write(tmp_path, "inputs/fs/a.bam.bai", b"i")
    (tmp_path / "inputs/dir/sub").mkdir(parents=True)
    folder = {"class": "Directory", "location": "inputs/dir", "basename": "dir"}
    kinds = {
        "i": ValueType("int"), "f": ValueType("float"), "b": ValueType("boolean"), "s": STRING, "empty": STRING,
        "e": ValueType("enum", symbols=("x", "y")), "list": array(STRING), "one": array(ValueType("int")), "none": optional(STRING),
        "rec": record_type(name=STRING, inner=record_type(n=ValueType("int")), file=FILE), "any": ValueType("any"),
        "files": array(FILE), "indexed": FILE, "dir": ValueType("Directory"), "literal": FILE, "nested": array(array(ValueType("int"))),
    }  # fmt: skip
    values = {
        "i": 0, "f": 1.5, "b": False, "s": "text", "empty": "", "e": "x", "list": ["p", "q"], "one": [7], "none": None,
        "rec": {"name": "n", "inner": {"n": 3}, "file": one}, "any": {"k": [1, 2]}, "files": [one, two],
        "indexed": {**one, "secondaryFiles": [index]}, "dir": folder,
        "literal": {"class": "File", "basename": "lit.txt", "contents": "hello"}, "nested": [[1, 2], [3]],
    }  # fmt: skip
    crate = describe(
        record(
            tmp_path,
            inputs=tuple(Parameter(n, k) for n, k in kinds.items()),
            values=values,
            output_parameters=(Parameter("o", FILE),),
            outputs={"o": write(tmp_path, "outputs/out.txt")},
            events=(event("wf", ""),),
        )
    )
    clean(tmp_path, WORKFLOW)

    def value(name: str) -> Any:
        return crate[f"#value/workflow/wf.cwl/inputs/{name}"]["value"]

    def kind(name: str) -> Any:
        return crate[f"workflow/wf.cwl#inputs/{name}"]["additionalType"]

    assert [value(n) for n in ("i", "f", "b", "s", "empty", "e", "list", "one")] == [
        "0", "1.5", "False", "text", "", "x", ["p", "q"], "7",
    ]  # fmt: skip
    assert [kind(n) for n in ("i", "f", "b", "s", "rec", "files", "indexed", "dir", "literal")] == [
        "Integer", "Float", "Boolean", "Text", "PropertyValue", "File", "Collection", "Dataset", "File",
    ]  # fmt: skip
    assert "workflow/wf.cwl#inputs/none" not in crate.entities
    (collection,) = crate.of("Collection")
    assert collection["mainEntity"] == {"@id": "inputs/fs/a.bam"}
    assert [p["@id"] for p in collection["hasPart"]] == ["inputs/fs/a.bam", "inputs/fs/a.bam.bai"]
    assert len(value("rec")) == 3
    assert len(value("nested")) == 2
    literal = next(e for e in crate.of("File") if e["name"] == "lit.txt")
    assert literal["text"] == "hello"
    assert literal["contentSize"] == "5"


def test_scatter_and_subworkflows_have_one_action_for_each_execution(tmp_path: Path, describe: Any) -> None:
    crate = describe(scattered(tmp_path))
    clean(tmp_path)
    names = {a["@id"] for a in crate.of("CreateAction")}
    executions = {"a", "a/cat", "a/cat_2", "a/cat_3", "b", "b/cat", "b/cat_2", "b/cat_3", "last"}
    assert names == {"#run", *(f"#run/{e}" for e in executions)}
    assert [len(crate[c]["object"]) for c in ("#control/a/cat", "#control/b/cat")] == [3, 3]
    assert len(crate.of("OrganizeAction")) == 3


def test_a_tool_that_several_steps_share_is_an_entity_for_each(tmp_path: Path, describe: Any) -> None:
    crate = describe(scattered(tmp_path))
    tool = crate["#run/last"]["instrument"]["@id"]
    assert tool == "workflow/cat.cwl#last"
    assert crate[tool]["isBasedOn"] == {"@id": "workflow/cat.cwl"}


def test_a_skipped_step_is_told_and_its_tool_is_no_part(tmp_path: Path, describe: Any) -> None:
    base = two_steps(tmp_path)
    run = dataclasses.replace(base, events=(event("count", "count", state="skipped"), base.events[1]))
    crate = describe(run)
    clean(tmp_path)
    assert "left them out: count." in crate["#run"]["description"]
    assert crate["workflow/wf.cwl"]["hasPart"] == {"@id": "workflow/wf.cwl#report/run"}
    assert "skipped by its condition" in crate.page
    assert "#run/count" not in crate.entities


def test_where_every_step_was_skipped_there_is_no_provenance_of_steps(tmp_path: Path, describe: Any) -> None:
    base = two_steps(tmp_path)
    events = tuple(event(s, s, state="skipped") for s in ("count", "report"))
    crate = describe(dataclasses.replace(base, events=events))
    clean(tmp_path, WORKFLOW)
    assert not any("provenance" in c["@id"] for c in crate["./"]["conformsTo"])


def test_a_failed_run_is_a_valid_crate_with_its_error(tmp_path: Path, describe: Any) -> None:
    base = two_steps(tmp_path)
    write(tmp_path, "logs/steps/count.log", b"\x1b[31mno index\x1b[0m\n")
    failed = event("count", "count", 1, 5, state="failed", exit_code=3, error="no index", inputs=base.events[0].inputs,
                   log="logs/steps/count.log")  # fmt: skip
    run = dataclasses.replace(
        base, status="failed", exit_code=3, outputs={}, events=(failed,), error="step 'count' failed",
        logs=("logs/steps/count.log",),
    )  # fmt: skip
    crate = describe(run)
    clean(tmp_path)
    for action in ("#run", "#run/count", "#engine/run"):
        assert crate[action]["actionStatus"] == "http://schema.org/FailedActionStatus"
        assert crate[action]["error"]
    assert crate["#run/count"]["additionalProperty"] == {"@id": "#exit-code/3"}
    assert crate["#run/count"]["result"] == {"@id": "logs/steps/count.log"}
    page = crate.page
    assert page.index("What went wrong") < page.index("Outputs")
    assert '<pre tabindex="0">no index</pre>' in page


def test_a_run_stopped_within_a_subworkflow_has_an_action_for_it(tmp_path: Path, describe: Any) -> None:
    base = scattered(tmp_path)
    run = dataclasses.replace(
        base, status="interrupted", outputs={}, events=base.events[:2], error="stopped by the user: interrupted"
    )
    crate = describe(run)
    assert validate(tmp_path, PROVENANCE, "REQUIRED") == []
    assert crate["#run/a"]["actionStatus"].endswith("FailedActionStatus")
    assert crate["#run/a/cat"]["actionStatus"].endswith("CompletedActionStatus")


def test_a_result_of_an_earlier_attempt_says_so(tmp_path: Path, describe: Any) -> None:
    base = two_steps(tmp_path)
    crate = describe(
        dataclasses.replace(
            base,
            attempts=2,
            events=(
                dataclasses.replace(base.events[0], state="cached"),
                dataclasses.replace(base.events[1], attempt=2),
            ),
        )
    )
    clean(tmp_path)
    assert "earlier attempt" in crate["#run/count"]["description"]
    assert "attempt 2" in crate["#run/report"]["description"]


def test_without_a_person_only_what_a_person_can_answer_is_missed(tmp_path: Path, describe: Any) -> None:
    crate = describe(two_steps(tmp_path, agent=None, publication=Publication()))
    assert validate(tmp_path, PROVENANCE, "REQUIRED") == []
    missed = {finding.code for finding in validate(tmp_path, PROVENANCE, "RECOMMENDED")}
    assert missed == {code for code, of in PERSONAL.items() if "affiliation" not in of}
    licence = crate[crate["./"]["license"]["@id"]]
    assert licence["name"] == "No licence stated"
    assert not crate.of("Person")


def test_without_an_affiliation_only_that_is_missed(tmp_path: Path, describe: Any) -> None:
    describe(two_steps(tmp_path, agent=dataclasses.replace(AGENT, affiliation="", affiliation_url="")))
    missed = {finding.code for finding in validate(tmp_path, PROVENANCE, "RECOMMENDED")}
    assert missed == {code for code, of in PERSONAL.items() if "affiliation" in of}


def test_origins_are_told_and_places_of_this_machine_are_not(tmp_path: Path, describe: Any) -> None:
    base = "git+https://git.example/lab/flow.git@v1.2#path="
    data = b"# wf\n"
    write(tmp_path, "workflow/wf.cwl", data)
    import hashlib

    pinned = Reference("git+https://git.example/lab/flow.git@0123456789abcdef#path=wf.cwl")
    workflow = PlannedWorkflow(
        Reference(f"{base}wf.cwl"), pinned, "wf.cwl", revision="0123456789abcdef", label="v1.2", licence="MIT",
        documents=(Document("wf.cwl", hashlib.sha256(data).hexdigest(), len(data), Reference(f"{base}wf.cwl")),), digest="e" * 64,
    )  # fmt: skip
    reads = write(tmp_path, "inputs/reads/reads.fq", b"@r\nACGT\n+\nIIII\n")
    item = locked(tmp_path, reads, "https://user:pass12345@data.example/reads.fq?token=s3cr3tvalue", licence="CC0-1.0")
    tools = (
        Tool(
            "wf.cwl#count/run",
            "command",
            inputs=(Parameter("reads", FILE),),
            outputs=(Parameter("out", FILE),),
            document="wf.cwl",
        ),
    )
    crate = describe(
        two_steps(
            tmp_path,
            workflow=workflow,
            items=(item,),
            tools=tools,
            steps=(Step("count", "wf.cwl#count/run", 0),),
            connections=(),
            events=(event("count", "count", inputs={"reads": reads}, outputs={"out": meanwhile("c", b"c")}),),
        )
    )
    clean(tmp_path)
    main = crate["workflow/wf.cwl"]
    assert main["version"] == "0123456789abcdef"
    assert main["codeRepository"] == "https://git.example/lab/flow.git"
    assert main["url"] == "https://git.example/lab/flow.git"
    assert str(pinned) in main["isBasedOn"]
    assert main["alternateName"].endswith("v1.2")
    assert crate[main["license"]["@id"]]["name"] == "MIT"
    file = crate["inputs/reads/reads.fq"]
    assert file["url"] == "https://data.example/reads.fq?token=REDACTED"
    assert file["license"] == {"@id": "https://spdx.org/licenses/CC0-1.0"}
    for text in (crate.text, crate.page):
        assert "s3cr3tvalue" not in text
        assert "pass12345" not in text
        assert "secret-project" not in text
        assert str(tmp_path) not in text


def test_a_container_is_named_with_its_digest(tmp_path: Path, describe: Any) -> None:
    base = two_steps(tmp_path)
    ran = dataclasses.replace(
        base.events[0], image="quay.io/biocontainers/samtools:1.17", image_digest=f"sha256:{'c' * 64}"
    )
    crate = describe(dataclasses.replace(base, events=(ran, base.events[1])))
    clean(tmp_path)
    (image,) = crate.of("ContainerImage")
    assert (image["registry"], image["name"], image["tag"], image["sha256"]) == (
        "quay.io", "biocontainers/samtools", "1.17", "c" * 64,
    )  # fmt: skip
    assert image["additionalType"] == {"@id": "https://w3id.org/ro/terms/workflow-run#DockerImage"}


def test_software_that_a_tool_needs_is_an_entity_where_enough_is_known(tmp_path: Path, describe: Any) -> None:
    base = two_steps(tmp_path)
    description = base.plan.description
    software = (Software("samtools", ("1.17",), ("https://identifiers.org/rrid/RRID:SCR_002105",)), Software("awk"))
    tools = (dataclasses.replace(description.tools[0], software=software), description.tools[1])
    plan = dataclasses.replace(base.plan, description=dataclasses.replace(description, tools=tools))
    crate = describe(dataclasses.replace(base, plan=plan))
    clean(tmp_path)
    needs = crate["workflow/count.cwl"]["softwareRequirements"]
    assert needs == ["awk", {"@id": "https://identifiers.org/rrid/RRID:SCR_002105"}]


def test_times_have_a_zone_and_agents_are_named(tmp_path: Path, describe: Any) -> None:
    crate = describe(two_steps(tmp_path, started="2026-11-24T11:00:00+01:00"))
    assert crate["#run"]["startTime"] == "2026-11-24T10:00:00.000+00:00"
    assert crate["#run"]["agent"] == {"@id": AGENT.orcid}
    assert crate["./"]["license"] == {"@id": f"https://spdx.org/licenses/{PUBLICATION.licence}"}
    assert moment(0) in crate["#run/count"]["startTime"] or crate["#run/count"]["startTime"] == moment(1)


def test_a_run_that_repeats_another_says_what_came_of_it(tmp_path: Path, describe: Any) -> None:
    found = ComparedWith(
        "https://example.org/first/", "Run of flow", "urn:uuid:1", reproduced=True,
        summary="reproduced, 1 of 1 outputs identical", file="comparison.json", time="2026-01-02T03:04:07.000+00:00",
    )  # fmt: skip
    (tmp_path / "comparison.json").write_text("{}")
    crate = describe(dataclasses.replace(two_steps(tmp_path), comparison=found))
    action = crate["#comparison"]
    assert action["@type"] == "AssessAction"
    assert action["description"] == found.summary
    assert {"@id": found.original} in action["object"]
    assert action["result"] == {"@id": "comparison.json"}
    assert crate["./"]["isBasedOn"] == {"@id": found.original}
    assert crate[found.original]["identifier"] == "urn:uuid:1"
    assert validate(tmp_path, PROVENANCE, "RECOMMENDED") == []
