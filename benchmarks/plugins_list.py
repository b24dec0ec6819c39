"""(k) CPU time of `wfx plugins list` with 30 more plugins installed, 5 of them heavy, against 5 more."""

import os

from pairs import WFX, cpu, folder, pair
from wfx.testing.crowds import write_crowd

with folder() as work:
    for count in (5, 30):
        write_crowd(work / str(count), count, heavy=5)

    def listed(count: int) -> float:
        os.environ["PYTHONPATH"] = str(work / str(count))
        return cpu([WFX, "plugins", "list"])

    pair("wfx plugins list with 30 more plugins, against 5 more (CPU)", lambda: listed(30), lambda: listed(5), "2", 15)
