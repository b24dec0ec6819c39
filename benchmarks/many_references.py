"""(h) 100,000 small references in one definition: time against a tenth of them, memory, open files, lines of progress.

The server is a process of its own and answers from memory; give another number as an argument: `many_references.py 20000`.
"""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from pairs import WFX, clean_home, folder

TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [echo, done]
inputs: {files: {type: "File[]"}}
outputs: {out: stdout}
stdout: out.txt
"""
SERVER = r"""
import asyncio
class Answer(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.rest = transport, b""
    def data_received(self, data):
        self.rest += data
        while b"\r\n\r\n" in self.rest:
            head, _, self.rest = self.rest.partition(b"\r\n\r\n")
            body = head.split(b" ", 2)[1] + b"\n"
            fields = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: \"%s\"\r\n\r\n"
            self.transport.write(fields % (len(body), body[1:-1]) + body)
async def main():
    server = await asyncio.get_running_loop().create_server(Answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


class Watch(threading.Thread):
    """Looks at a process while it runs: peak memory in kB, and open files."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.memory, self.files = pid, 0, 0

    def run(self) -> None:
        """Look ten times a second, until it is gone."""
        while True:
            try:
                status = Path(f"/proc/{self.pid}/status").read_text()
                self.memory = max(self.memory, int(status.partition("VmHWM:")[2].split()[0]))
                self.files = max(self.files, len(os.listdir(f"/proc/{self.pid}/fd")))
            except (OSError, IndexError):
                return
            time.sleep(0.1)


def staged(work: Path, url: str, count: int) -> tuple[float, Watch, float]:
    """Stage so many references into an empty store; return CPU seconds, what was seen, and lines of progress a second."""
    (work / "tool.cwl").write_text(TOOL)
    definition = work / f"many{count}.json"
    items = [{"file": f"{url}/{count}/{n}.txt"} for n in range(count)]
    definition.write_text(json.dumps({"wfx": 1, "workflow": "tool.cwl", "inputs": {"files": items}}))
    command = [WFX, "stage", "-v", str(definition), "-o", str(work / f"run{count}")]
    began = time.perf_counter()
    process = subprocess.Popen(command, env=clean_home(work / f"home{count}"), stderr=subprocess.PIPE, text=True)
    watch = Watch(process.pid)
    watch.start()
    assert process.stderr is not None
    seconds: dict[int, int] = {}
    for _ in process.stderr:
        now = int(time.perf_counter() - began)
        seconds[now] = seconds.get(now, 0) + 1
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"wfx stage ends with {os.waitstatus_to_exitcode(status)}")
    print(f"{count:,} references: {time.perf_counter() - began:.1f} s", flush=True)
    return used.ru_utime + used.ru_stime, watch, max(seconds.values(), default=0)


def main() -> None:
    """Measure, and print the figures beside their goals."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    server = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}"
        with folder() as work:
            small, _, _ = staged(work, url, count // 10)
            large, watch, lines = staged(work, url, count)
            print(f"processor time {small:.1f} s and {large:.1f} s, ratio {large / small:.1f} (goal 12)")
            print(f"memory at {count:,}: {watch.memory / 1000:.0f} MB (goal 500); open files {watch.files} (goal 700)")
            print(f"at most {lines} lines of progress in a second (goal 10)")
    finally:
        server.kill()
        server.wait()


if __name__ == "__main__":
    main()
