from __future__ import annotations

from wfx.testing.runtimes import podman_storage

__all__ = ["podman_storage"]
