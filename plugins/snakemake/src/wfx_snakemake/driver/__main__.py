"""Start the driver from its folder."""

import os
import sys

if not __package__:
    # Python has put this folder on the path, where its modules would shadow those of others; its parent takes the
    # place for as long as it takes to find the package.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if sys.argv[1:2] == ["--wfx-job"]:
        from driver import spawned  # type: ignore[import-not-found]

        del sys.path[0]
        spawned.main(sys.argv[2:])
    else:
        from driver.conversation import main  # type: ignore[import-not-found]

        del sys.path[0]
        main()
