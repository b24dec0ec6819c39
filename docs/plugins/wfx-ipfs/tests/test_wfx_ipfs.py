import pytest
import wfx_ipfs
from wfx.fetching import Reference
from wfx.testing.fetchers import FetcherContract


class TestIpfs(FetcherContract):
    fetcher = wfx_ipfs.IpfsFetcher

    @pytest.fixture(autouse=True)
    def gateway(self, place, monkeypatch):
        monkeypatch.setattr(wfx_ipfs, "GATEWAY", f"{place.url}/ipfs/")

    def put(self, place, data):
        name = f"bafy{len(place.resources)}/reads.fq"
        place.add(f"/ipfs/{name}", data)
        return Reference(f"ipfs://{name}")

    def missing(self, place):
        return Reference("ipfs://bafynone/reads.fq")
