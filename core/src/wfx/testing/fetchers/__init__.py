"""The contract of fetchers: what a plugin's author inherits to see that wfx can rely on his fetcher.

::

    class TestIpfs(FetcherContract):
        fetcher = IpfsFetcher

        @pytest.fixture(autouse=True)
        def gateway(self, place, monkeypatch):
            monkeypatch.setattr("wfx_ipfs.GATEWAY", place.url + "/ipfs/")

        def put(self, place, data):
            name = f"Qm{len(place.resources)}"
            place.add(f"/ipfs/{name}", data)
            return Reference(f"ipfs://{name}")

        def missing(self, place):
            return Reference("ipfs://QmNone")
"""

from __future__ import annotations

from wfx.testing.contracts import check_keys
from wfx.testing.fetchers.access import AccessRules
from wfx.testing.fetchers.author import drain, read
from wfx.testing.fetchers.content import ContentRules
from wfx.testing.fetchers.failures import FailureRules

__all__ = ["FetcherContract", "drain", "read"]


class FetcherContract(ContentRules, FailureRules, AccessRules):
    """What wfx relies on in a fetcher; a subclass gives the class and says how things are put where it reads.

    The rules, of which a fetcher gets those of its shape, each a test of its own:

    - the bytes come as they are, with their digest; an empty file is a file; a large one is not held in memory
      (stream, tree);
    - what is missing is a ReferenceNotFound that names the reference; an error has its cause chained to it; after a
      failure nothing is left behind, and never is anything written but into the folder that was given (tree);
    - it goes on at an offset, and says truly where it begins; bytes that have changed since are not spliced; several
      threads may open at once (stream);
    - a body that ends too early is an error; a transfer that is broken off ends within a moment (stream, tree);
    - credentials are those of the gate for the place's origin, and go to no other; a refusal is AccessDenied and no
      content; secrets are in no message, log or representation;
    - offline no socket is opened;
    - a pin means the same thing again (tree); the user's own file is left as it is (local); better references are
      absolute and lead to no file of this machine (resolver);
    - the keys are the names of the package's entry points.

    `place` is a `FaultServer`, over which a subclass may put a fixture of its own: a folder, another server. Then
    `faults` says which of `cut`, `stall`, `change`, `guard` and `redirect` are overridden as well; a rule that needs
    another is not run.
    """

    def test_its_keys_are_the_entry_points(self) -> None:
        """Name in pyproject.toml what the classes have as `keys`, no more and no less."""
        check_keys(self.fetcher, "fetcher")
