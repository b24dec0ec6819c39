"""The examples: they run through the command line, and their results agree with computations made another way."""

from __future__ import annotations

import gzip
import html.parser
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from wfx.definitions import definition_schema
from wfx.testing.crates import validate
from wfx.testing.requirements import require, require_program

ROOT = Path(__file__).resolve().parents[1]
PHAGE = ROOT / "examples" / "phage"
VARIANTS = ROOT / "examples" / "variants"
DATA = Path("/usr/share/doc/bowtie2/examples")
GENOMES = {"NC_001422.1": ("phix174", 5386), "NC_001416.1": ("lambda", 48_502), "NC_000866.4": ("t4", 168_903)}


def fasta(text: str) -> dict[str, str]:
    """Return name → sequence."""
    return {
        part.split(maxsplit=1)[0]: "".join(part.split("\n")[1:]).upper() for part in text.strip().split(">") if part
    }


def genome(contig: str) -> str:
    return fasta((PHAGE / "data" / f"{GENOMES[contig][0]}.fasta").read_text())[contig]


def opposite(sequence: str) -> str:
    return "".join({"A": "T", "C": "G", "G": "C", "T": "A"}[letter] for letter in reversed(sequence))


def rows(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def environment(folder: Path, programs: Path) -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("WFX_")} | {
        "WFX_HOME": str(folder / "home"), "PATH": f"{programs}:{os.environ['PATH']}",
    }  # fmt: skip


def run(folder: Path, programs: Path, *arguments: str | Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "wfx", "run", *map(str, arguments), "--json"], cwd=folder,
        env=environment(folder, programs), capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


# -- the data and the documents


def test_the_genomes_are_those_that_the_readme_names() -> None:
    import hashlib

    text = (PHAGE / "README.md").read_text("utf-8")
    for contig, (name, length) in GENOMES.items():
        sequence = genome(contig)
        assert len(sequence) == length
        assert set(sequence) == set("ACGT")
        digest = hashlib.md5(sequence.encode()).hexdigest()
        assert re.search(rf"{name}\.fasta.*{re.escape(contig)}.*{length:,}.*{digest}", text)


def test_the_data_is_small() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "examples").rglob("*") if path.is_file()) < 400_000


def test_the_definition_keeps_its_schema() -> None:
    import yaml

    definition = yaml.safe_load((PHAGE / "phage.wfx.yml").read_text())
    schema = definition_schema()
    assert set(schema["required"]) <= set(definition) <= set(schema["properties"])
    assert (PHAGE / definition["workflow"]).is_file()
    assert (PHAGE / definition["inputs_file"]).is_file()


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.cwl")), ids=lambda path: path.name)
def test_documents_say_what_they_are(path: Path) -> None:
    import yaml

    document = yaml.safe_load(path.read_text("utf-8"))
    assert document["cwlVersion"] == "v1.2"
    assert document["label"]
    assert document["doc"]
    assert document["s:license"] == "https://spdx.org/licenses/Apache-2.0"
    for kind in ("inputs", "outputs"):
        for name, item in document[kind].items():
            assert item["label"], f"{kind} {name}"
    for name, item in document["outputs"].items():
        assert item["format"].startswith("edam:format_"), name


# -- phage


@pytest.fixture(scope="module")
def phage(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("phage")
    return run(folder, programs, PHAGE / "phage.wfx.yml", "-o", "run")


def path_of(report: dict[str, Any], name: str) -> Path:
    return Path(report["outputs"][name]["path"])


def tables(report: dict[str, Any], name: str) -> dict[str, Path]:
    return {item["basename"].partition(".")[0]: Path(item["path"]) for item in report["outputs"][name]}


@pytest.mark.real
def test_length_and_gc_are_those_of_the_sequences(phage: dict[str, Any]) -> None:
    head, *table = rows(path_of(phage, "summary"))
    assert head[:3] == ["contig", "length", "gc_percent"]
    assert [row[0] for row in table] == list(GENOMES)
    for contig, length, gc, *_ in table:
        sequence = genome(contig)
        assert int(length) == len(sequence)
        # By removal rather than by counting.
        rest = re.sub("[GC]", "", sequence)
        assert float(gc) == pytest.approx(100 * (1 - len(rest) / len(sequence)), abs=0.0006)


@pytest.mark.real
def test_kmers_are_those_of_both_strands(phage: dict[str, Any]) -> None:
    for contig, (name, length) in GENOMES.items():
        head, *table = rows(tables(phage, "kmers")[name])
        assert head == ["kmer", "count"]
        counts = {word: int(count) for word, count in table}
        assert sum(counts.values()) == length - 3
        strands = (genome(contig), opposite(genome(contig)))
        for letters in product("ACGT", repeat=4):
            word = "".join(letters)
            # Overlapping occurrences on both strands, found by a regular expression.
            both = sum(len(re.findall(f"(?={word})", strand)) for strand in strands)
            reverse = opposite(word)
            canonical = min(word, reverse)
            expected = both // 2 if word == reverse else both
            assert counts.get(canonical, 0) == expected, word


def open_frames(sequence: str, minimum: int) -> Iterator[tuple[int, int, str]]:
    """Find open reading frames by a regular expression over codons written as one letter each."""
    letters = {"ATG": "M", "GTG": "M", "TTG": "M", "TAA": "*", "TAG": "*", "TGA": "*"}
    for strand, text in (("+", sequence), ("-", opposite(sequence))):
        for frame in range(3):
            codons = re.findall("...", text[frame:])
            shorthand = "".join(letters.get(codon, ".") for codon in codons)
            for match in re.finditer(rf"M[M.]{{{minimum - 1},}}\*", shorthand):
                start, end = frame + 3 * match.start(), frame + 3 * match.end()
                yield (start, end, strand) if strand == "+" else (len(text) - end, len(text) - start, strand)


@pytest.mark.real
def test_open_reading_frames_are_found_by_another_way_too(phage: dict[str, Any]) -> None:
    found = rows(path_of(phage, "orfs"))
    lengths = [int(row[6]) for row in found]
    assert lengths == sorted(lengths, reverse=True)
    for contig in GENOMES:
        ours = {(int(row[1]), int(row[2]), row[5]) for row in found if row[0] == contig}
        assert ours == set(open_frames(genome(contig), 100))
    # What the literature says: gene J of lambda has 1,132 codons, the large tail fibre gene 34 of T4 has 1,289.
    by_length = {int(row[6]): row for row in found}
    assert by_length[1132][:3] == ["NC_001416.1", "15504", "18903"]
    assert by_length[1289][0] == "NC_000866.4"


class Page(html.parser.HTMLParser):
    """Counts elements, and keeps what a page would load."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: dict[str, int] = {}
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.loads += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]


@pytest.mark.real
def test_the_report_needs_nothing_from_elsewhere(phage: dict[str, Any]) -> None:
    text = path_of(phage, "report").read_text("utf-8")
    page = Page()
    page.feed(text)
    assert page.counts["svg"] == 6
    assert page.counts["tr"] == 4
    assert "script" not in page.counts
    assert not page.loads
    assert "http" not in text
    for contig in GENOMES:
        assert contig in text


@pytest.mark.real
def test_the_results_are_those_of_bare_cwltool(phage: dict[str, Any], tmp_path: Path, programs: Path) -> None:
    command = [
        Path(sys.executable).with_name("cwltool"), "--no-container", "--quiet", "--outdir", tmp_path / "out",
        PHAGE / "workflow.cwl", PHAGE / "job.yml",
    ]  # fmt: skip
    env = environment(tmp_path, programs)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert done.returncode == 0, done.stderr
    assert checksums(json.loads(done.stdout)) == checksums(phage["outputs"])


def checksums(outputs: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [(item["basename"], item["checksum"], item["size"]) for item in (value if isinstance(value, list) else [value])]
        for name, value in outputs.items()
    }  # fmt: skip


@pytest.mark.real
def test_each_genome_is_measured_by_itself(phage: dict[str, Any]) -> None:
    names = [step["id"] for step in phage["steps"]]
    assert all(step["state"] == "completed" and step["exit_code"] == 0 for step in phage["steps"])
    for step in ("count_letters", "measure_skew", "count_kmers", "find_orfs"):
        assert {step, f"{step}_2", f"{step}_3"} <= set(names)
    assert len(names) == 15


@pytest.mark.real
def test_the_crate_of_the_example_is_valid(phage: dict[str, Any]) -> None:
    assert validate(Path(phage["directory"])) == []


def installer() -> Any:
    """Return scripts/install as a module."""
    loader = importlib.machinery.SourceFileLoader("install", str(ROOT / "scripts" / "install"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("install", loader))
    loader.exec_module(module)
    return module


@pytest.mark.real
def test_the_launcher_runs_the_first_command_of_the_readme(tmp_path: Path, programs: Path) -> None:
    stamp = ROOT / ".venv" / "wfx-stamp"
    if not stamp.is_file() or stamp.read_text().strip() != installer().stamp():
        pytest.skip("the environment is older than the packages: run scripts/install first")
    [command] = re.findall(r"^    \./(wfx run \S+)$", (ROOT / "README.md").read_text(), re.M)
    env = environment(tmp_path, programs) | {"WFX_RUN_DIRECTORY": str(tmp_path / "runs")}
    done = subprocess.run(
        [ROOT / "wfx", *command.split()[1:]],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    [directory] = (tmp_path / "runs").iterdir()
    assert (directory / "outputs" / "report.html").is_file()
    assert (directory / "ro-crate-metadata.json").is_file()


# -- variants


@pytest.fixture(scope="module")
def variants(tmp_path_factory: pytest.TempPathFactory, programs: Path) -> dict[str, Any]:
    for program in ("bowtie2", "bowtie2-build", "samtools", "bcftools"):
        require_program(program)
    require(DATA.is_dir(), "the Debian package bowtie2-examples is not installed")
    given = []
    for name, path in inputs_of_variants().items():
        given += ["-i", f"{name}=@{path}"]
    return run(tmp_path_factory.mktemp("variants"), programs, VARIANTS / "workflow.cwl", *given, "-o", "run")


def inputs_of_variants() -> dict[str, Path]:
    return {
        "reference": DATA / "reference" / "lambda_virus.fa.gz",
        "reads_1": DATA / "reads" / "reads_1.fq.gz",
        "reads_2": DATA / "reads" / "reads_2.fq.gz",
    }


def records(vcf: str) -> list[list[str]]:
    return [line.split("\t") for line in vcf.splitlines() if not line.startswith("#")]


@pytest.mark.real
def test_variants_are_those_of_the_tools_in_a_pipe(variants: dict[str, Any], tmp_path: Path) -> None:
    given = inputs_of_variants()
    script = f"""
        set -e -o pipefail
        gzip -dc {given["reference"]} > reference.fa
        bowtie2-build --quiet reference.fa reference.fa
        bowtie2 -x reference.fa -1 {given["reads_1"]} -2 {given["reads_2"]} 2> log | samtools sort -o sorted.bam -
        bcftools mpileup -f reference.fa sorted.bam 2> /dev/null | bcftools call -mv --ploidy 1 -Ov
    """
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours = records(path_of(variants, "variants").read_text())
    assert len(ours) > 50
    assert ours == records(done.stdout.replace("\r", ""))


@pytest.mark.real
def test_the_reference_alleles_are_in_the_genome(variants: dict[str, Any]) -> None:
    [sequence] = fasta(gzip.decompress(inputs_of_variants()["reference"].read_bytes()).decode()).values()
    for record in records(path_of(variants, "variants").read_text()):
        start = int(record[1]) - 1
        assert sequence[start : start + len(record[3])] == record[3].upper()


@pytest.mark.real
def test_the_alignment_rate_is_that_of_the_alignments(variants: dict[str, Any]) -> None:
    [rate] = re.findall(r"([\d.]+)% overall alignment rate", path_of(variants, "alignment_rate").read_text())
    bam = variants["outputs"]["alignments"]
    assert [item["basename"] for item in bam["secondaryFiles"]] == ["sorted.bam.bai"]
    counts = [
        int(subprocess.run(["samtools", "view", "-c", *flags, bam["path"]], capture_output=True, check=True).stdout)
        for flags in (["-F", "4"], [])
    ]
    assert 100 * counts[0] / counts[1] == pytest.approx(float(rate), abs=0.005)


@pytest.mark.real
def test_no_path_of_the_machine_is_in_the_results(variants: dict[str, Any]) -> None:
    folder = str(Path(variants["directory"]).parent)
    header = subprocess.run(
        ["samtools", "view", "--no-PG", "-H", variants["outputs"]["alignments"]["path"]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert folder not in header
    assert folder not in path_of(variants, "variants").read_text()


@pytest.mark.real
def test_the_job_file_gives_the_same(variants: dict[str, Any], tmp_path: Path, programs: Path) -> None:
    shutil.copytree(VARIANTS, tmp_path / "variants")
    report = run(tmp_path, programs, "variants/workflow.cwl", "variants/job.yml", "-o", "run")
    assert checksums(report["outputs"]) == checksums(variants["outputs"])


@pytest.mark.real
def test_the_crate_of_the_variants_is_valid(variants: dict[str, Any]) -> None:
    assert validate(Path(variants["directory"])) == []
