"""A Galaxy server as bioblend knows it, reached through wfx's gate to the network.

bioblend has the calls; how they travel is the gate's: policy, proxies, certificates, the journal of hosts, and the
credentials of the server's origin. The key is never in this package's hands: it is chosen by the gate, and sent to the
server's origin alone, as the header that the user configured (`x-api-key`) or as a bearer token.
"""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests
from bioblend.galaxy import GalaxyInstance
from wfx.errors import FetchError
from wfx.net import Net, TemporaryFailure

if TYPE_CHECKING:
    from wfx.fetching import Span
    from wfx.net.http import HttpBody

logger = logging.getLogger(__name__)

PATIENCE = 900.0
"""Seconds for which a server that does not answer is waited for: a restart of a large one takes minutes."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
LARGEST_ANSWER = 256 * 2**20
NOT_A_KEY = "the gate to the network sends it"


class Server(GalaxyInstance):
    """bioblend's client, whose requests go through `Net`; reads are repeated while the server is away."""

    def __init__(self, net: Net, url: str, *, patience: float = PATIENCE, key: str = "") -> None:
        """`key` is that of a private server, which no configuration knows."""
        super().__init__(url=url, key=NOT_A_KEY)
        self._own = {"x-api-key": key} if key else {}
        self.net = net
        self.patience = patience

    # -- what bioblend calls

    def make_get_request(self, url: str, **kwargs: Any) -> requests.Response:
        """See bioblend; raises FetchError and its subclasses in place of what requests raises."""
        return self._response(self._repeated(lambda: self._send("GET", url, kwargs.get("params"), None)))

    def make_post_request(
        self, url: str, payload: Any = None, params: dict[str, Any] | None = None, files_attached: bool = False
    ) -> Any:
        """See bioblend. It is sent once: whether a call that was cut off took effect, only its caller can find out."""
        assert not files_attached, "files go up by wfx_galaxy.uploading"
        return self._json(self._send("POST", url, params, payload))

    def post_again(self, path: str, payload: Any) -> Any:
        """Post to `/api/PATH`, and once more where that was cut off: for what may be done twice without harm."""
        return self._json(self._repeated(lambda: self._send("POST", f"{self.url}/{path}", None, payload)))

    def make_put_request(self, url: str, payload: Any = None, params: dict[str, Any] | None = None) -> Any:
        """See bioblend."""
        return self._json(self._repeated(lambda: self._send("PUT", url, params, payload)))

    def make_patch_request(self, url: str, payload: Any = None, params: dict[str, Any] | None = None) -> Any:
        """See bioblend."""
        return self._json(self._send("PATCH", url, params, payload))

    def make_delete_request(
        self, url: str, payload: Any = None, params: dict[str, Any] | None = None
    ) -> requests.Response:
        """See bioblend."""
        return self._response(self._repeated(lambda: self._send("DELETE", url, params, payload)))

    # -- what bioblend has no call for

    def get(self, path: str, **params: Any) -> Any:
        """Ask for `/api/PATH`; parameters without a value are left out."""
        given = {name: value for name, value in params.items() if value is not None}
        return self.make_get_request(f"{self.url}/{path}", params=given).json()

    def open(self, url: str, span: Span | None = None) -> HttpBody:
        """Open a stream of bytes, a dataset's."""
        return self.http(url, span)

    def http(
        self, url: str, span: Span | None = None, *, headers: Mapping[str, str] | None = None, method: str = "GET",
        data: bytes | None = None,
    ) -> HttpBody:  # fmt: skip
        """Ask the server; see `wfx.net.Net.http`."""
        return self.net.http(url, span, headers={**self._own, **(headers or {})}, method=method, data=data)

    # -- the way there

    def _send(self, method: str, url: str, params: Any, payload: Any) -> HttpBody:
        address = f"{url}{'&' if '?' in url else '?'}{urlencode(_plain(params), doseq=True)}" if params else url
        data = None if payload is None else json.dumps(payload).encode()
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if data is not None else {})
        return self.http(address, headers=headers, method=method, data=data)

    def _repeated(self, ask: Callable[[], HttpBody]) -> HttpBody:
        return repeated(ask, self.patience)

    def _response(self, body: HttpBody) -> requests.Response:
        answer = requests.Response()
        answer.status_code = body.status
        answer.headers.update(body.headers)
        answer.raw = io.BytesIO(body.read(LARGEST_ANSWER))
        answer.url = body.url
        return answer

    def _json(self, body: HttpBody) -> Any:
        data = body.read(LARGEST_ANSWER)
        try:
            return json.loads(data) if data else None
        except ValueError as error:
            raise FetchError("the server's answer is no JSON", where=body.url, why=str(error)) from error


def repeated(ask: Callable[[], HttpBody], patience: float) -> HttpBody:
    """Ask until there is an answer, or until `patience` seconds are over; a server's own wish to wait is heeded."""
    deadline = time.monotonic() + patience
    pause = FIRST_PAUSE
    while True:
        try:
            return ask()
        except TemporaryFailure as error:
            wait = max(pause, error.retry_after or 0.0)
            if time.monotonic() + wait > deadline:
                raise
            logger.info("%s: asking again in %.0f s", error, wait)
            time.sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)


def _plain(params: Any) -> dict[str, Any]:
    """Return parameters as a query has them: a truth is `true`, not Python's `True`."""
    items = params.items() if isinstance(params, dict) else params
    return {
        name: str(value).lower() if isinstance(value, bool) else value for name, value in items if value is not None
    }


__all__ = ["Server", "repeated"]
