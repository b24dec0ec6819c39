"""(d) 1,000 files of 4 KiB, fetched, hashed and committed durably, against aria2c -j16 (which does neither)."""

import os
import shutil

from pairs import WFX, clean_home, folder, nginx, pair, program, wall

COUNT = 1000

with folder() as work:
    root = work / "www"
    root.mkdir()
    for n in range(COUNT):
        (root / f"f{n}").write_bytes(os.urandom(4096))
    with nginx(root, work) as url:
        urls = [f"{url}/f{n}" for n in range(COUNT)]
        listing = work / "urls"
        listing.write_text("\n".join(urls))

        def bare() -> float:
            shutil.rmtree(work / "A", ignore_errors=True)
            return wall([program("aria2c"), "-q", "-j16", "-d", str(work / "A"), "-i", str(listing)])

        pair(
            "1,000 files of 4 KiB, against aria2c -j16",
            lambda: wall([WFX, "fetch", "-q", *urls], env=clean_home(work / "home")), bare, "1.0",
        )  # fmt: skip
