"""A certificate authority for one test, to serve https on loopback. It needs the program `openssl`."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from wfx.testing.requirements import require_program


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority, and a server's certificate signed by it."""

    bundle: Path
    """The authority's own certificate: who trusts it trusts the server."""
    certificate: Path
    key: Path

    def server(self) -> ssl.SSLContext:
        """Return the context for a server (`FaultServer(tls=…)`)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


def make_authority(folder: Path, *names: str) -> Authority:
    """Make an authority, and a certificate for loopback and for these host names, valid for two days."""
    openssl = require_program("openssl")
    folder.mkdir(parents=True, exist_ok=True)
    alternatives = ",".join(["IP:127.0.0.1", "DNS:localhost", *(f"DNS:{name}" for name in names)])
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    (folder / "server.cnf").write_text(f"subjectAltName={alternatives}\nbasicConstraints=CA:FALSE\n")
    for command in (
        ["req", "-x509", *key, "-days", "2", "-subj", "/CN=An authority of a test", "-keyout", "ca.key", "-out", "ca.pem",
         "-addext", "keyUsage=critical,keyCertSign"],
        ["req", *key, "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr"],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-extfile", "server.cnf", "-out", "server.pem"],
    ):  # fmt: skip
        subprocess.run([openssl, *command], cwd=folder, check=True, capture_output=True, timeout=60)
    return Authority(folder / "ca.pem", folder / "server.pem", folder / "server.key")
