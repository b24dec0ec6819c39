"""Ask a service and read its answer: passports where they are given, patience where it asks for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from wfx.documents import load_document
from wfx.errors import AccessDenied, DocumentError, FetchError, WfxError
from wfx.fetching import Net
from wfx.net import TemporaryFailure
from wfx.net.headers import retry_after_of
from wfx.redaction import redact

LARGEST_ANSWER: Final = 32 * 2**20
JSON: Final = {"Accept": "application/json"}


def ask(net: Net, url: str) -> Any:
    """Return the JSON of an address. Raises FetchError for what is none; 202 is a failure that may be over soon."""
    return _read(net, url, {}, None)


def ask_object(net: Net, url: str, name: str, *, everywhere: bool) -> dict[str, Any]:
    """Return the object of an address, showing the passports that are given for it (DRS 1.2, by POST).

    `name` is its identifier by host, for which credentials may be given too; with `everywhere` those for all of `drs://`
    count. Where access is refused, what the server says that it takes stands in the remedy (DRS 1.3, OPTIONS).
    """
    passports, headers = _proof(net, url, name, everywhere)
    try:
        answer = _read(net, url, headers, {"passports": passports} if passports else None)
    except AccessDenied as error:
        taken = _taken(net, url)
        if taken:
            error.remedy = f"the server takes {taken}; {error.remedy}" if error.remedy else f"it takes {taken}"
        raise
    if not isinstance(answer, dict):
        raise FetchError("the repository's answer is not understood", where=url, why="it is no object")
    return answer


def _proof(net: Net, url: str, name: str, everywhere: bool) -> tuple[list[str], dict[str, str]]:
    """Return the passports and the headers for an object; what is given for its address the gate sends by itself."""
    by_address, by_name = net.credential(url), net.credential(name)
    if by_name is not None and not everywhere and by_name == net.credential("drs://"):
        by_name = None
    passports = [*(by_name.passports if by_name is not None else ())]
    if not passports and by_address is not None:
        passports = [*by_address.passports]
    return passports, by_name.headers() if by_name is not None and by_address is None else {}


def _read(net: Net, url: str, headers: Mapping[str, str], sent: Mapping[str, Any] | None) -> Any:
    if sent is None:
        body = net.http(url, headers={**JSON, **headers})
    else:
        data = json.dumps(sent).encode()
        headers = {**JSON, **headers, "Content-Type": "application/json"}
        body = net.http(url, headers=headers, method="POST", data=data)
    content = body.read(LARGEST_ANSWER)
    if body.status == 202:
        raise TemporaryFailure(
            "the repository is not ready yet (202)", where=body.url, retry_after=retry_after_of(body.headers)
        )
    try:
        return load_document(content, "answer.json").value
    except DocumentError as error:
        raise FetchError("the answer is no JSON", where=body.url, why=error.what) from error


def _taken(net: Net, url: str) -> str:
    """Return the kinds of proof that a server says it takes for an object; empty where it does not say."""
    try:
        answer = load_document(net.http(url, headers=JSON, method="OPTIONS").read(LARGEST_ANSWER), "answer.json").value
    except WfxError:
        return ""
    if not isinstance(answer, dict):
        return ""
    kinds = answer.get("supported_types")
    issuers = answer.get("passport_auth_issuers")
    said = ", ".join(str(kind) for kind in kinds[:8]) if isinstance(kinds, list) else ""
    if said and isinstance(issuers, list) and issuers:
        said += f" (passports of {', '.join(str(each) for each in issuers[:8])})"
    return redact(" ".join(said.split()))[:400]
