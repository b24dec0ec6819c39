"""Validate crates with roc-validator, without the network: for the tests of exporters.

The JSON-LD contexts that it needs are taken from `WFX_CONTEXTS`, or from `../shared/cases/contexts` beside the
repository: `ro-crate-V.jsonld` is `https://w3id.org/ro/crate/V/context`, `terms-X.jsonld` is
`https://w3id.org/ro/terms/X` and `https://w3id.org/ro/terms/X/context`.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from wfx.exporting import Finding
from wfx.testing.requirements import require

Level = Literal["REQUIRED", "RECOMMENDED", "OPTIONAL"]

FALSE_POSITIVES = {
    "process-run-crate-0.5_5.1": "wants a web address as @id of every workflow, and the main one lies in the crate",
    "workflow-ro-crate-1.0_6.1": "wants a README.md about the crate even where there is no README.md",
    "workflow-ro-crate-1.0_6.2": "wants a media type of the README.md even where there is none",
}
"""Checks at RECOMMENDED that no crate of a local workflow can pass: identifier → why."""
PERSONAL = {
    "ro-crate-1.1_22.2": "author of the root",
    "ro-crate-1.1_22.3": "publisher of the root",
    "ro-crate-1.1_30.2": "affiliation of the author",
    "ro-crate-1.1_30.3": "affiliation of the author, as an entity",
    "process-run-crate-0.5_8.6": "agent of an action",
}
"""Checks at RECOMMENDED that only a person can answer: identifier → what of."""


def validate(
    crate: Path, profile: str = "provenance-run-crate", level: Level = "REQUIRED", *, metadata_only: bool = False
) -> list[Finding]:
    """Return what roc-validator finds at `level` and above; an empty list is a clean bill.

    Skips the test where the validator or the contexts are absent (with CI=true it fails). Known false positives are
    left out.
    """
    cache = contexts_cache()
    from rocrate_validator import services
    from rocrate_validator.models import Severity

    settings = services.ValidationSettings(
        rocrate_uri=str(crate), profile_identifier=profile, requirement_severity=level, offline=True, cache_path=cache,
        skip_checks=list(FALSE_POSITIVES), metadata_only=metadata_only,
    )  # fmt: skip
    result = services.validate(settings)
    return [
        Finding(
            "error"
            if issue.severity.name == "REQUIRED"
            else "warning"
            if issue.severity.name == "RECOMMENDED"
            else "note",
            issue.check.identifier,
            " ".join(str(issue.message or issue.check.name).split()),
            str(getattr(issue, "violatingEntity", "") or ""),
        )
        for issue in result.get_issues(getattr(Severity, level))
        if issue.check.identifier not in FALSE_POSITIVES
    ]


@functools.cache
def contexts_cache() -> Path:
    """Return the path of a cache with the contexts, in the form that the validator reads; one for the process."""
    require(importlib.util.find_spec("rocrate_validator") is not None, "roc-validator is not installed")
    contexts = contexts_folder()
    require(contexts is not None, "no JSON-LD contexts for roc-validator: set WFX_CONTEXTS to their folder")
    assert contexts is not None
    folder = Path(tempfile.mkdtemp(prefix="wfx-contexts-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    seed(folder / "contexts", contexts)
    return folder / "contexts"


def contexts_folder() -> Path | None:
    """Return where the contexts lie; None where nobody has any."""
    stated = os.environ.get("WFX_CONTEXTS")
    if stated:
        return Path(stated) if Path(stated).is_dir() else None
    candidates = (parent.parent / "shared" / "cases" / "contexts" for parent in (Path.cwd(), *Path(__file__).parents))
    return next((folder for folder in candidates if (folder / "ro-crate-1.1.jsonld").is_file()), None)


def seed(cache: Path, contexts: Path) -> None:
    """Write the contexts into the SQLite file `cache` + `.sqlite`, as answers of their addresses."""
    import requests
    import requests_cache
    import urllib3

    session = requests_cache.CachedSession(
        cache_name=str(cache), expire_after=-1, backend="sqlite", allowable_codes=(200, 302, 404)
    )
    for url, file in _addresses(contexts):
        body, headers = file.read_bytes(), {"Content-Type": "application/ld+json"}
        response = requests.Response()
        response.status_code, response.url = 200, url
        response._content = body  # noqa: SLF001 (there is no other way to make one without a connection)
        response.headers.update(headers)
        response.request = requests.Request("GET", url, headers={"Accept": "application/ld+json"}).prepare()
        response.raw = urllib3.HTTPResponse(
            body=io.BytesIO(body), status=200, headers=headers, preload_content=False, request_url=url
        )
        session.cache.save_response(response)
    session.cache.close()  # type: ignore[no-untyped-call]


def _addresses(contexts: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(contexts.glob("*.jsonld")):
        kind, _, name = file.stem.partition("-")
        if kind == "ro":
            yield f"https://w3id.org/ro/crate/{name.removeprefix('crate-')}/context", file
        else:
            yield f"https://w3id.org/ro/terms/{name}", file
            yield f"https://w3id.org/ro/terms/{name}/context", file
