"""Each field of a stage definition becomes ours, or a note says that it does not."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from wfx.errors import DefinitionError
from wfx.values import Parameter, ValueType
from wfx.wfexs.contexts import read_contexts
from wfx.wfexs.fitting import fit
from wfx.wfexs.stages import Converted, convert, is_stage, workflow_reference


def converted(params: Any = None, **more: Any) -> Converted:
    stage = {
        "workflow_id": "https://x.org/wf.cwl",
        "workflow_config": {"secure": False},
        "params": params or {},
        **more,
    }
    return convert(yaml.safe_dump(stage).encode(), "x.wfex.stage")


def inputs(**params: Any) -> Any:
    return converted(params).definition["inputs"]


FILE = {"c-l-a-s-s": "File"}


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        ({"trs_endpoint": "https://workflowhub.eu/ga4gh/trs/v2/tools/", "workflow_id": 106, "version": 3},
         "trs://workflowhub.eu/ga4gh/trs/v2/tools/106/versions/3"),
        ({"trs_endpoint": "https://dockstore.org/api/ga4gh/trs/v2", "workflow_id": "#workflow/github.com/a/b/", "version": "main"},
         "trs://dockstore.org/api/ga4gh/trs/v2/tools/%23workflow%2Fgithub.com%2Fa%2Fb/versions/main"),
        ({"workflow_id": "git+https://github.com/a/b.git@1.0#subdirectory=main.nf"}, "git+https://github.com/a/b.git@1.0#path=main.nf"),
        ({"workflow_id": "github:a/b/26b45a/nextflow"}, "gh:a/b@26b45a#path=nextflow"),
        ({"workflow_id": "https://raw.githubusercontent.com/a/b/compat%2Fx/dir/main.nf"}, "gh:a/b@compat/x#path=dir/main.nf"),
        ({"workflow_id": "https://workflowhub.eu/workflows/106/ro_crate?version=3"}, "https://workflowhub.eu/workflows/106/ro_crate?version=3"),
        ({"workflow_id": "swh:1:dir:6b1a;path=/nextflow/"}, "swh:1:dir:6b1a;path=/nextflow/"),
    ],
    ids=["trs", "trs with a path", "git", "curie", "raw", "crate", "swh"],
)  # fmt: skip
def test_the_workflow_has_our_spelling(stage: dict[str, Any], expected: str) -> None:
    assert converted(**stage).definition["workflow"] == expected


def test_a_list_of_places_is_several_files_and_a_list_in_it_mirrors_of_one() -> None:
    found = inputs(reads={**FILE, "url": ["https://a/1", ["https://a/2", "ftp://b/2"]]})
    assert found["reads"] == [{"file": "https://a/1"}, {"file": ["https://a/2", "ftp://b/2"]}]
    assert inputs(one={**FILE, "url": "https://a/1"})["one"] == {"file": "https://a/1"}


def test_a_part_of_a_repository_is_that_part_alone() -> None:
    found = inputs(a={**FILE, "url": "git+https://x.org/a.git@1#subdirectory=d/x.txt"})
    assert found["a"] == {"file": "git+https://x.org/a.git@1#path=d/x.txt&only=1"}


def test_secondary_urls_lie_beside_the_file() -> None:
    found = inputs(bam={**FILE, "url": "https://a/x.bam", "secondary-urls": ["https://a/x.bam.bai"]})
    assert found["bam"] == {"file": "https://a/x.bam", "secondary": ["https://a/x.bam.bai"]}


def test_names_and_folders_of_ones_choice() -> None:
    assert inputs(a={**FILE, "url": "https://a/1", "preferred-name": "x.fa"})["a"] == {
        "file": "https://a/1",
        "name": "x.fa",
    }
    assert inputs(a={**FILE, "url": "https://a/d/1.vcf", "relative-dir": "VCFs"})["a"] == {
        "file": "https://a/d/1.vcf", "name": "VCFs/1.vcf"
    }  # fmt: skip


def test_members_of_archives_and_globs() -> None:
    place = {"uri": "https://a/x.zip", "member": "*.fa"}
    assert inputs(a={**FILE, "url": place})["a"] == {"archive": "https://a/x.zip", "member": "*.fa"}
    found = inputs(a={**FILE, "url": "ftp://a/dir", "globExplode": "*.raw"})
    assert found["a"] == {"directory": "ftp://a/dir", "glob": "*.raw"}
    assert inputs(a={"c-l-a-s-s": "Directory", "url": "ftp://a/dir"})["a"] == {"directory": "ftp://a/dir"}


def test_licences_and_attributions_travel_with_the_file() -> None:
    place = {
        "uri": "https://a/1", "licences": ["https://spdx.org/licenses/CC-BY-4.0"],
        "attributions": [{"name": "Ada", "pid": "https://orcid.org/0000-0002-1825-0097", "roles": ["software"]}],
    }  # fmt: skip
    assert inputs(a={**FILE, "url": place})["a"] == {
        "file": "https://a/1", "licence": ["https://spdx.org/licenses/CC-BY-4.0"],
        "attribution": ["Ada <https://orcid.org/0000-0002-1825-0097> (software)"],
    }  # fmt: skip


def test_what_may_be_disclosed_cached_and_cloned() -> None:
    result = converted(
        {"a": {**FILE, "url": "https://a/1", "disclosable": False, "cacheable": False, "clonable": False}}
    )
    assert result.definition["inputs"]["a"] == {"file": "https://a/1", "disclosable": False, "cacheable": False}
    assert any("'clonable' is not used" in note for note in result.notes)


def test_a_table_has_its_references_in_our_spelling() -> None:
    table = {
        "c-l-a-s-s": "ContentWithURIs", "value": "label,url\nA,github:o/r/rev/x.yml\n",
        "tabular": {"uri-columns": [1], "column-sep": ",", "header-rows": 1},
    }  # fmt: skip
    assert inputs(sheet=table)["sheet"] == {
        "table": "sheet.csv", "contents": "label,url\nA,gh:o/r@rev#path=x.yml&only=1\n", "columns": [1], "delimiter": ",",
        "header": 1,
    }  # fmt: skip
    elsewhere = {**table, "url": "https://a/t.tsv", "tabular": {"uri-columns": [0], "column-sep": "\\t"}}
    del elsewhere["value"]
    assert inputs(sheet=elsewhere)["sheet"] == {
        "table": "https://a/t.tsv",
        "columns": [0],
        "delimiter": "\t",
        "header": 0,
    }


def test_placeholders_are_filled_in_within_each_other_too() -> None:
    result = converted(
        {"a": {**FILE, "url": "{base}/{genome}.fa"}, "text": "{genome} and {unknown}"},
        placeholders={"base": "ftp://x/{genome}", "genome": "GRCh37"},
    )
    assert result.definition["inputs"] == {"a": {"file": "ftp://x/GRCh37/GRCh37.fa"}, "text": "GRCh37 and {unknown}"}


def test_nested_parameters_and_plain_values_stay_as_they_are() -> None:
    found = inputs(general={"reads": {**FILE, "url": "https://a/1"}, "depth": 3, "flags": [True, False]}, name="x")
    assert found == {"general": {"reads": {"file": "https://a/1"}, "depth": 3, "flags": [True, False]}, "name": "x"}
    assert inputs(v={"c-l-a-s-s": "Value", "value": ["a", "b"]})["v"] == ["a", "b"]
    assert inputs(v={**FILE, "value": "text\n"})["v"] == {"class": "File", "basename": "v", "contents": "text\n"}


def test_output_folders_are_left_to_wfx() -> None:
    result = converted({"outdir": {"c-l-a-s-s": "Directory", "autoFill": True}, "log": {**FILE, "autoFill": True}})
    assert result.definition["inputs"] == {"log": "log"}
    assert any("'outdir' is an output folder" in note for note in result.notes)


def test_settings_of_the_engine_are_ours() -> None:
    config = {"secure": True, "containerType": "docker", "writable_containers": True,
              "nextflow": {"version": "24.04.4", "profile": ["docker", "test"], "maxProcesses": 16, "maxTaskDuration": "24h"}}  # fmt: skip
    result = converted(workflow_config=config, workflow_type="nextflow", nickname="mine")
    definition = result.definition
    assert definition["containers"] == ["docker"]
    assert definition["engine_version"] == "24.04.4"
    assert definition["options"] == {"cores": 16, "profile": "docker,test"}
    assert (definition["engine"], definition["name"]) == ("nextflow", "mine")
    assert sum("not used" in note for note in result.notes) == 3


def test_patterns_and_cardinalities_of_outputs_are_taken_over() -> None:
    result = converted(
        outputs={
            "gvcf": {**FILE, "glob": "{sample}*.g.vcf.gz", "cardinality": "+"},
            "two": {**FILE, "glob": "*.txt", "cardinality": "2"},
            "some": {**FILE, "glob": "d/*.txt", "cardinality": [0, 3]},
            "named": FILE,
        },
        placeholders={"sample": "NA12878"},
    )
    assert result.definition["outputs"] == {
        "gvcf": {"glob": "NA12878*.g.vcf.gz", "cardinality": "+"}, "two": {"glob": "*.txt", "cardinality": 2},
        "some": {"glob": "d/*.txt", "cardinality": [0, 3]}, "named": {},
    }  # fmt: skip
    assert result.notes == []


def test_what_wfx_does_not_do_of_an_output_is_noted() -> None:
    result = converted(
        outputs={
            "gvcf": {**FILE, "preferredName": "x.vcf.gz"}, "outdir": {"c-l-a-s-s": "Directory", "fillFrom": "outdir"},
            "resdir": {"c-l-a-s-s": "Directory", "glob": "*"},
        }
    )  # fmt: skip
    assert result.definition["outputs"] == {"gvcf": {}}
    assert result.notes == [
        "the output 'gvcf' is not called x.vcf.gz: it keeps the workflow's own name",
        "the output 'outdir' (fillFrom outdir) is not looked for: the workflow publishes it all the same",
        "the output 'resdir' (glob *) is not looked for: patterns are of files, not of folders",
    ]


@pytest.mark.parametrize(
    ("output", "said"),
    [({"cardinality": "many"}, "cardinality 'many' is not known"), ({"glob": "[b-a]"}, "cannot be read")],
)
def test_an_output_that_cannot_be_read_is_told_with_its_line(output: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=r"x\.wfex\.stage:\d+") as caught:
        converted(outputs={"a": {**FILE, **output}})
    assert said in str(caught.value)


def test_environment_and_paranoia_are_noted() -> None:
    result = converted(environment={"SECRET": "very"}, paranoid_mode=True)
    assert any("the variable SECRET of 'environment'" in note for note in result.notes)
    assert "very" not in " ".join(result.notes)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"a": {"c-l-a-s-s": "Video"}}, "c-l-a-s-s 'Video' is not known"),
        ({"a": {"c-l-a-s-s": []}}, "c-l-a-s-s [] is not known"),
        ({"a": {**FILE, "url": [{"licences": []}]}}, "a place without its URI"),
        ({"a": {"c-l-a-s-s": "ContentWithURIs", "value": "x"}}, "needs 'tabular'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(params: Any, said: str) -> None:
    with pytest.raises(DefinitionError, match=r"x\.wfex\.stage:\d+") as caught:
        converted(params)
    assert said in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["c-l-a-s-s", "url", "uri", "value", "tabular", "member", "secondary-urls", "x"]), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["params", "workflow_config", "outputs", "placeholders", "trs_endpoint"]), json_values
    )
)
def test_whatever_stands_there_is_read_or_refused(parts: dict[str, Any]) -> None:
    stage = {"workflow_id": "x", "params": {}, **parts}
    assert is_stage(stage)
    with contextlib.suppress(DefinitionError):
        convert(yaml.safe_dump(stage, allow_unicode=True).encode(), "x.stage")


CONTEXTS = b"""
lab: {username: ada, password: s3cret-word}
"s3://bucket/": {access_key: AK, secret_key: SK-very-secret}
api: {token: tok-very-secret, token_header: X-Auth, headers: {a: b}}
"""


def test_security_contexts_are_credentials_by_prefix() -> None:
    tables, notes = read_contexts(
        CONTEXTS, "c.ctxt", {"lab": ["ftp://x.org/a", "ftp://x.org/b", "https://y.org/c"], "api": ["https://z.org/d"]}
    )
    assert tables == {
        "ftp://x.org": {"username": "ada", "password": "s3cret-word"},
        "https://y.org": {"username": "ada", "password": "s3cret-word"},
        "s3://bucket/": {"access_key": "AK", "secret_key": "SK-very-secret"},
        "https://z.org": {"token": "tok-very-secret", "header": "X-Auth"},
    }  # fmt: skip
    assert notes == ["'headers' of the security context 'api' is not used"]
    with pytest.raises(DefinitionError, match="the security context 'other' is not in this file"):
        read_contexts(CONTEXTS, "c.ctxt", {"other": ["https://z.org/d"]})


def test_one_file_and_a_list_of_one_fit_what_the_workflow_takes() -> None:
    one, many = ValueType("File"), ValueType("array", items=ValueType("File"))
    parameters = [Parameter("one", one), Parameter("many", many)]
    file: Any = {"file": "x"}
    assert fit({"one": [file], "many": file}, parameters) == {"one": file, "many": [file]}
    assert fit({"one": file, "many": [file, file], "other": [file]}, parameters) == {
        "one": file,
        "many": [file, file],
        "other": [file],
    }


def test_our_own_references_are_left_alone() -> None:
    assert workflow_reference(str(Path("/x/main.nf"))) == "/x/main.nf"
