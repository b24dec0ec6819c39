"""Real reads and variants, from a real server (htsget-rs)."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from wfx.errors import FetchError, ReferenceNotFound
from wfx.testing.benches import FetchBench
from wfx.testing.requirements import require_program

pytestmark = pytest.mark.real
LENGTHS = {"chr1": 400_000, "chr2": 200_000}


def run(*words: str | Path, data: bytes = b"") -> bytes:
    done = subprocess.run([str(word) for word in words], input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reads and variants with their indexes."""
    samtools, bcftools = require_program("samtools"), require_program("bcftools")
    folder, chance = tmp_path_factory.mktemp("data"), random.Random(7)
    head = "@HD\tVN:1.6\tSO:coordinate\n" + "".join(f"@SQ\tSN:{name}\tLN:{size}\n" for name, size in LENGTHS.items())
    reads = [
        f"r{name}{number}\t0\t{name}\t{place}\t60\t50M\t*\t0\t0\t{''.join(chance.choices('ACGT', k=50))}\t{'I' * 50}\n"
        for name, size in LENGTHS.items()
        for number, place in enumerate(range(1, size - 60, 40))
    ]
    (folder / "run7").mkdir()
    run(samtools, "view", "-b", "-o", folder / "run7/sample.bam", "-", data=(head + "".join(reads)).encode())
    run(samtools, "index", folder / "run7/sample.bam")
    lines = ["##fileformat=VCFv4.3", *(f"##contig=<ID={name},length={size}>" for name, size in LENGTHS.items())]
    lines.append("#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO")
    lines += [f"{name}\t{at}\t.\tA\tC\t50\t.\t." for name, size in LENGTHS.items() for at in range(10, size, 20)]
    run(bcftools, "view", "-Oz", "-o", folder / "calls.vcf.gz", "-", data=("\n".join(lines) + "\n").encode())
    run(bcftools, "index", "-t", folder / "calls.vcf.gz")
    return folder


@pytest.fixture(scope="session")
def real_server(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return host and port of a real server of the samples."""
    program, folder = require_program("htsget-axum"), tmp_path_factory.mktemp("server")
    ticket, data = free_port(), free_port()
    (folder / "config.toml").write_text(
        f'locations = "file://{samples.name}"\nticket_server.addr = "127.0.0.1:{ticket}"\n'
        f'data_server.addr = "127.0.0.1:{data}"\ndata_server.local_path = "{samples.name}"\n'
    )
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "RUST_LOG": "warn"}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--config", str(folder / "config.toml")],
            cwd=samples.parent,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(200):
            assert process.poll() is None, (folder / "log").read_text()
            with contextlib.suppress(OSError), urlopen(f"http://127.0.0.1:{ticket}/reads/service-info", timeout=5):
                break
            time.sleep(0.1)
        yield f"127.0.0.1:{ticket}"
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def bench(bench: FetchBench) -> FetchBench:
    bench.private = ("127.0.0.1",)
    return bench


def fetched(bench: FetchBench, ref: str, folder: Path) -> Path:
    answer = bench.one(ref)
    path = folder / answer.name
    path.write_bytes(bench.bytes_of(answer))
    return path


def test_all_reads_come_as_they_are(real_server: str, samples: Path, bench: FetchBench) -> None:
    answer = bench.one(f"htsget://{real_server}/reads/run7/sample")
    assert bench.bytes_of(answer) == (samples / "run7/sample.bam").read_bytes()
    assert answer.name == "sample.bam"


@pytest.mark.parametrize(
    "query", ["referenceName=chr2&start=50000&end=60000", "region=chr2:50000-60000"], ids=["get", "post"]
)
def test_the_reads_of_a_region_are_all_there(
    query: str, real_server: str, samples: Path, bench: FetchBench, tmp_path: Path
) -> None:
    path = fetched(bench, f"htsget://{real_server}/reads/run7/sample?{query}", tmp_path)
    whole = samples / "run7/sample.bam"
    assert path.stat().st_size < whole.stat().st_size
    run("samtools", "quickcheck", path)
    run("samtools", "index", path)
    wanted = run("samtools", "view", whole, "chr2:50001-60000")
    assert wanted
    assert run("samtools", "view", path, "chr2:50001-60000") == wanted


def test_the_variants_of_a_region_are_all_there(
    real_server: str, samples: Path, bench: FetchBench, tmp_path: Path
) -> None:
    path = fetched(bench, f"htsget://{real_server}/variants/calls?referenceName=chr2", tmp_path)
    assert path.name == "calls.vcf.gz"
    wanted = run("bcftools", "view", "-H", "-t", "chr2", samples / "calls.vcf.gz")
    assert wanted
    assert run("bcftools", "view", "-H", "-t", "chr2", path) == wanted


def test_a_header_comes_alone(real_server: str, samples: Path, bench: FetchBench, tmp_path: Path) -> None:
    path = fetched(bench, f"htsget://{real_server}/reads/run7/sample?class=header", tmp_path)
    assert path.stat().st_size < 2000
    assert b"SN:chr2" in run("samtools", "head", path)


@pytest.mark.parametrize(
    ("tail", "kind", "told"),
    [
        ("reads/none", ReferenceNotFound, "NotFound"),
        ("reads/run7/sample?referenceName=chr9", ReferenceNotFound, "reference"),
        ("reads/run7/sample?format=CRAM", ReferenceNotFound, "NotFound"),
    ],
    ids=["id", "reference", "format"],
)
def test_its_refusals_are_told(
    tail: str, kind: type[FetchError], told: str, real_server: str, bench: FetchBench
) -> None:
    with pytest.raises(kind, match=told):
        bench.one(f"htsget://{real_server}/{tail}")
