from __future__ import annotations

from wfx.testing.runtimes import docker_daemon

__all__ = ["docker_daemon"]
