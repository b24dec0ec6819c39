"""(e) Placing 1 GiB that the store has into a run directory, against cp. The staging function is timed, not a process."""

import os
import shutil
import time

from pairs import folder, pair
from wfx.store import Store, hash_bytes_of

with folder() as work:
    data = work / "data"
    with open(data, "wb") as file:
        for _ in range(1024):
            file.write(os.urandom(2**20))
    with Store(work / "store") as store:
        temporary = store.temporary()
        shutil.copyfile(data, temporary)
        sha256, size = hash_bytes_of(temporary)
        store.commit(temporary, sha256, size)

        def ours() -> float:
            target = work / "placed"
            target.unlink(missing_ok=True)
            began = time.perf_counter()
            store.place(sha256, target, link=True)
            return time.perf_counter() - began

        def other() -> float:
            (work / "copied").unlink(missing_ok=True)
            began = time.perf_counter()
            shutil.copyfile(data, work / "copied")
            return time.perf_counter() - began

        pair("1 GiB staged again, against a copy", ours, other, "0.02")
