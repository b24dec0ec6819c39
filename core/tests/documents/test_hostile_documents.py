"""Texts that are made to exhaust the reader are read or refused soon, in little memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 2.0
MEGABYTES = 300

READ = r"""
import json, re, sys, time
from pathlib import Path
from wfx.documents import load_document
from wfx.errors import DocumentError
import wfx.yamlvalues, yaml
data = Path(sys.argv[1]).read_bytes()
began = time.process_time()
try:
    load_document(data, sys.argv[2])
    answer = "read"
except DocumentError as error:
    answer = str(error)[:300]
seconds = time.process_time() - began
# Not getrusage: its maximum is inherited from the process that started this one.
peak = int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
print(json.dumps([answer, seconds, peak]))
"""


def alias_bomb(levels: int, width: int) -> str:
    lines = ["a0: &a0 [" + ",".join(["x"] * width) + "]"]
    lines += [f"a{n}: &a{n} [" + ",".join([f"*a{n - 1}"] * width) + "]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def merge_bomb(levels: int) -> str:
    lines = ["a0: &a0 {" + ",".join(f"k{n}: 1" for n in range(1000)) + "}"]
    lines += [f"a{n}: &a{n} {{<<: [" + ",".join([f"*a{n - 1}"] * 50) + "]}" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


M = 10**6
HOSTILE = {
    "flow YAML of 16 MB": ("t.yml", lambda: "{a: [" + "b, " * (5 * M) + "b]}"),
    "flow YAML of one long list of lists": ("t.yml", lambda: "[" + "[a]," * (4 * M) + "a]"),
    "block YAML of 16 MB": ("t.yml", lambda: "- a\n" * (4 * M)),
    "a YAML mapping of 16 MB": ("t.yml", lambda: "".join(f"k{n}: v\n" for n in range(1_200_000))),
    "one plain scalar of 16 MB": ("t.yml", lambda: "a: " + "b" * (15 * M)),
    "one quoted scalar of 16 MB": ("t.yml", lambda: 'a: "' + "b" * (15 * M) + '"'),
    "one folded scalar of 16 MB": ("t.yml", lambda: "a: >\n" + "  b\n" * (4 * M)),
    "one comment of 16 MB": ("t.yml", lambda: "a: 1 #" + "b" * (15 * M)),
    "many empty lines": ("t.yml", lambda: "a: 1" + "\n" * (15 * M) + "b: 2"),
    "a JSON string of 60 MB": ("t.json", lambda: '{"a": "' + "b" * (60 * M) + '"}'),
    "a JSON string of 60 MB of escapes": ("t.json", lambda: '{"a": "' + "\\\\" * (30 * M) + '"}'),
    "an open JSON string of 60 MB": ("t.json", lambda: '{"a": "' + "b" * (60 * M)),
    "JSON of 60 MB of commas": ("t.json", lambda: "[" + "1," * (30 * M) + "1]"),
    "JSON of 60 MB of brackets": ("t.json", lambda: "[" * (60 * M)),
    "JSON of 60 MB of closed brackets": ("t.json", lambda: "[" + "[]," * (20 * M) + "1]"),
    "JSON of 60 MB of digits": ("t.json", lambda: "[" + "1" * (60 * M) + "]"),
    "JSON of 60 MB of white space": ("t.json", lambda: "[1" + " " * (60 * M) + "]"),
    "a JSON string of 60 MB of wide characters": ("t.json", lambda: '{"a": "' + "\U0001f600" * (15 * M) + '"}'),
    "a JSON string of 60 MB with one wide character": ("t.json", lambda: '{"a": "' + "b" * (60 * M) + '\U0001f600"}'),
    "JSON that closes deeply": ("t.json", lambda: "[" * M + "]" * M),
    "flow YAML that closes deeply": ("t.yml", lambda: "a: " + "[" * M + "]" * M),
    "flow YAML that opens deeply": ("t.yml", lambda: "a: " + "[" * (5 * M)),
    "block YAML that opens deeply": ("t.yml", lambda: "- " * (5 * M) + "a"),
    "YAML nested by indentation": ("t.yml", lambda: "".join(" " * n + f"k{n}:\n" for n in range(5000))),
    "an alias bomb of 4 levels": ("t.yml", lambda: alias_bomb(4, 100)),
    "an alias bomb of 9 levels": ("t.yml", lambda: alias_bomb(9, 10)),
    "a merge bomb": ("t.yml", lambda: merge_bomb(20)),
    "many anchors": ("t.yml", lambda: "".join(f"- &a{n} b\n" for n in range(M))),
    "a YAML number of 15 MB": ("t.yml", lambda: "a: " + "1" * (15 * M)),
    "many keys written twice": ("t.json", lambda: "{" + '"a":1,' * (900_000) + '"a":1}'),
    "many tags": ("t.yml", lambda: "- !!str a\n" * (M + M // 2)),
    "many directives": ("t.yml", lambda: "".join(f"%TAG !a{n}! tag:x,{n}:\n" for n in range(20_000)) + "---\na: 1\n"),
    "a long key": ("t.yml", lambda: "k" * (15 * M) + ": 1\n"),
    "many open quotes in flow": ("t.yml", lambda: "{a: '" * (3 * M)),
}


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc for the peak of memory")
@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_text_costs_little(what: str, tmp_path: Path) -> None:
    name, make = HOSTILE[what]
    path = tmp_path / "hostile"
    path.write_text(make(), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path), name], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    path.unlink()
    answer, seconds, megabytes = json.loads(done.stdout)
    assert answer == "read" or answer.startswith(name)
    assert seconds < SECONDS, answer
    assert megabytes < MEGABYTES, answer
