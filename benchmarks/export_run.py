"""Export a run with 1 GiB of inputs that no compression makes smaller, against cp and sync; and as a bag."""

import os
import shutil
import subprocess

from pairs import WFX, clean_home, folder, pair, wall

SIZE = 2**30
TOOL = """\
cwlVersion: v1.2
class: CommandLineTool
baseCommand: [wc, -c]
inputs: {reads: {type: File, inputBinding: {}}}
outputs: {count: stdout}
stdout: count.txt
"""

with folder() as work:
    (work / "count.cwl").write_text(TOOL)
    with open(work / "reads.bam", "wb") as file:
        for _ in range(SIZE // 2**20):
            file.write(os.urandom(2**20))
    env = clean_home(work / "home")
    subprocess.run(
        [WFX, "run", "-q", "count.cwl", "-i", "reads=@reads.bam", "-o", "run"], cwd=work, env=env, check=True,
        capture_output=True,
    )  # fmt: skip
    subprocess.run(["sync"], check=True)
    staged = work / "run/inputs/reads/reads.bam"

    def exported(form: str) -> float:
        target = work / "exported"
        if target.is_dir():
            shutil.rmtree(target)
        target.unlink(missing_ok=True)
        return wall([WFX, "export", "-q", "run", "--form", form, "-o", "exported"], cwd=work, env=env)

    def copied() -> float:
        return wall(["sh", "-c", f"rm -f {work}/F; cp {staged} {work}/F && sync {work}/F"])

    pair("1 GiB of inputs into a zip, against cp and sync", lambda: exported("zip"), copied, "1.3")
    pair("the same into a folder", lambda: exported("directory"), copied, "1.3")
    pair("the same into a bag, with its sha512", lambda: exported("bagit"), copied, "none")
