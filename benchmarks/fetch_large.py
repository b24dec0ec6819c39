"""(c) 1 GiB over loopback http into the store, against curl and sync; and from a server limited per connection."""

import os
import subprocess

from pairs import WFX, clean_home, folder, nginx, pair, program, wall

SIZE = 2**30
LIMITED = 2**30

with folder() as work:
    root = work / "www"
    root.mkdir()
    for name, size in (("large", SIZE), ("limited", LIMITED)):
        with open(root / name, "wb") as file:
            for _ in range(size // 2**20):
                file.write(os.urandom(2**20))
    subprocess.run(["sync"], check=True)
    with nginx(root, work) as url:
        pair(
            "1 GiB with sha256 into the store, against curl -o F && sync F",
            lambda: wall([WFX, "fetch", "-q", f"{url}/large"], env=clean_home(work / "home")),
            lambda: wall(["sh", "-c", f"rm -f {work}/F; curl -s -o {work}/F {url}/large && sync {work}/F"]),
            "1.3",
        )
    clean_home(work / "home")
    with nginx(root, work, limit="40m") as url:
        aria2c = [program("aria2c"), "-q", "-x8", "-s8", "-k1M", "--file-allocation=none", "--allow-overwrite=true"]
        pair(
            "1 GiB from a server limited to 40 MB/s a connection, against aria2c -x8",
            lambda: wall([WFX, "fetch", "-q", f"{url}/limited"], env=clean_home(work / "home")),
            lambda: wall([*aria2c, "-d", str(work), "-o", "A", f"{url}/limited"]),
            "1.05",
        )
