import pytest
import wfx_hf
from wfx.errors import FetchError
from wfx.fetching import Net, Reference
from wfx.testing import FetcherContract


class TestHub(FetcherContract):
    fetcher = wfx_hf.HubFetcher

    @pytest.fixture(autouse=True)
    def hub(self, place, monkeypatch):
        monkeypatch.setattr(wfx_hf, "HUB", place.url)

    def put(self, place, data):
        name = f"data-{len(place.resources)}.bin"
        place.add(f"/datasets/lab/reads/resolve/v1/{name}", data)
        return Reference(f"hf://datasets/lab/reads@v1/{name}")

    def missing(self, place):
        return Reference("hf://lab/model/none.bin")


def test_what_is_no_file_of_a_repository_is_refused():
    with pytest.raises(FetchError, match="it is not hf://"):
        wfx_hf.HubFetcher().open(Reference("hf://lab"), Net())
