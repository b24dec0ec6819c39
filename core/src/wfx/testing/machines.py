"""A machine of a test's own: empty HOME and temporary folder, no settings, credentials or proxies of the user's."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

FOREIGN = ("WFX_", "GIT_", "XDG_")


def private_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lead HOME, TMPDIR, the configuration and the working directory into `folder`, which is made; return it.

    Variables that would change what wfx or git does are taken out: `WFX_…`, `GIT_…`, proxies, `NETRC`.
    """
    places = {name: folder / name for name in ("home", "tmp", "cwd")}
    for place in places.values():
        place.mkdir(parents=True)
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower().endswith("_proxy") or name in ("NETRC", "REQUESTS_CA_BUNDLE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(places["home"]))
    monkeypatch.setenv("TMPDIR", str(places["tmp"]))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(places["cwd"])
    return folder
