"""Signatures as cosign's specification has them, made with the openssl program: whose they are, and of which image."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from wfx.errors import AccessDenied, PolicyError, UsageError
from wfx.fetching import Reference
from wfx.images import Platform
from wfx.session import Session
from wfx.testing.images import MadeImage, make_artifact, make_image, make_index
from wfx.testing.registries import Registry
from wfx.testing.requirements import require_program
from wfx_oci import ArtifactFetcher, ImageFetcher, LibraryFetcher

PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"
ANNOTATION = "dev.cosignproject.cosign/signature"
ARTIFACT = "application/vnd.dev.cosign.artifact.sig.v1+json"
KINDS = {
    "ecdsa": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "ed25519": ["-algorithm", "ED25519"],
}


def openssl(*arguments: str | Path) -> bytes:
    program = require_program("openssl")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, check=True).stdout


@dataclass
class Signer:
    """A pair of keys, which openssl has made and signs with."""

    folder: Path
    kind: str = "ecdsa"
    private: Path = field(init=False)
    public: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.private = self.folder / "key.pem"
        openssl("genpkey", *KINDS[self.kind], "-out", self.private)
        self.public = openssl("pkey", "-in", self.private, "-pubout")

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(openssl("pkey", "-in", self.private, "-pubout", "-outform", "DER")).hexdigest()

    def sign(self, payload: bytes) -> bytes:
        data = self.folder / "payload"
        data.write_bytes(payload)
        if self.kind == "ed25519":
            return openssl("pkeyutl", "-sign", "-inkey", self.private, "-rawin", "-in", data)
        return openssl("dgst", "-sha256", "-sign", self.private, data)


def payload_of(digest: str, **critical: Any) -> bytes:
    about = {
        "identity": {"docker-reference": "registry.example.org/wfx/tools"}, "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }  # fmt: skip
    return json.dumps({"critical": about | critical, "optional": None}).encode()


def signatures(pairs: Sequence[tuple[bytes, bytes]], *, media_type: str = PAYLOAD, subject: str = "") -> MadeImage:
    """Return the manifest with signatures, as `cosign sign` pushes it."""
    made = MadeImage()
    layers = [
        made.add(payload, media_type, annotations={ANNOTATION: base64.b64encode(signature).decode()})
        for payload, signature in pairs
    ]
    config = made.add_json(
        {"architecture": "", "created": "0001-01-01T00:00:00Z", "os": "", "config": {},
         "rootfs": {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}},
        "application/vnd.oci.image.config.v1+json",
    )  # fmt: skip
    manifest = {"schemaVersion": 2, "mediaType": made.media_type, "config": config, "layers": layers}
    if subject:
        manifest |= {"artifactType": ARTIFACT, "subject": {"mediaType": made.media_type, "digest": subject, "size": 1}}
    made.digest = made.add_json(manifest, made.media_type)["digest"]
    return made


@pytest.fixture
def session(open_session: Callable[..., Session]) -> Session:
    return open_session()


@pytest.fixture
def ann(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "ann")


@pytest.fixture
def eve(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "eve")


@pytest.fixture
def image(registry: Registry) -> MadeImage:
    made = make_image(platform=str(Platform.here()))
    registry.push("wfx/tools", "1", made)
    return made


def attach(registry: Registry, digest: str, *pairs: tuple[bytes, bytes], **more: str) -> None:
    registry.push("wfx/tools", f"{digest.replace(':', '-')}.sig", signatures(pairs, **more))


def ask(session: Session, registry: Registry, *keys: bytes, name: str = "wfx/tools:1") -> str:
    reference = Reference(f"docker://{registry.host}/{name}")
    fetcher = ImageFetcher()
    return fetcher.signer(reference, fetcher.pin(reference, session.net).reference, keys, session.net)


@pytest.mark.parametrize("kind", KINDS)
def test_an_image_that_is_signed_names_the_key(
    session: Session, registry: Registry, image: MadeImage, tmp_path: Path, kind: str
) -> None:
    signer = Signer(tmp_path / "signer", kind)
    payload = payload_of(image.digest)
    attach(registry, image.digest, (payload, signer.sign(payload)))
    assert ask(session, registry, signer.public) == signer.fingerprint


def test_one_of_several_keys_is_enough_and_other_signatures_do_no_harm(
    session: Session, registry: Registry, image: MadeImage, ann: Signer, eve: Signer
) -> None:
    payload = payload_of(image.digest)
    attach(registry, image.digest, (payload, eve.sign(payload)), (b"{}", b"x"), (payload, ann.sign(payload)))
    assert ask(session, registry, ann.public) == ann.fingerprint
    assert ask(session, registry, eve.public, ann.public) == eve.fingerprint


def test_an_image_without_a_signature_is_refused(
    session: Session, registry: Registry, image: MadeImage, ann: Signer
) -> None:
    with pytest.raises(PolicyError, match="no signature"):
        ask(session, registry, ann.public)


def test_a_signature_of_another_key_is_refused(
    session: Session, registry: Registry, image: MadeImage, ann: Signer, eve: Signer
) -> None:
    payload = payload_of(image.digest)
    attach(registry, image.digest, (payload, eve.sign(payload)))
    with pytest.raises(PolicyError, match="of no key that you trust"):
        ask(session, registry, ann.public)


def test_a_true_signature_of_another_image_is_refused(
    session: Session, registry: Registry, image: MadeImage, ann: Signer
) -> None:
    other = "sha256:" + "0" * 64
    payload = payload_of(other)
    attach(registry, image.digest, (payload, ann.sign(payload)))
    with pytest.raises(PolicyError, match=other):
        ask(session, registry, ann.public)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda payload, signature: (payload + b" ", signature), id="the payload"),
        pytest.param(lambda payload, signature: (payload, signature[:-1] + bytes([signature[-1] ^ 1])), id="its end"),
        pytest.param(lambda payload, signature: (payload, b""), id="empty"),
        pytest.param(lambda payload, signature: (payload, signature * 2), id="twice"),
    ],
)
def test_what_was_changed_after_it_was_signed_is_refused(
    session: Session, registry: Registry, image: MadeImage, ann: Signer, change: Callable[..., tuple[bytes, bytes]]
) -> None:
    payload = payload_of(image.digest)
    attach(registry, image.digest, change(payload, ann.sign(payload)))
    with pytest.raises(PolicyError):
        ask(session, registry, ann.public)


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"no json", b'{"critical": null}', b"[" * 100_000, payload_of("sha256:" + "1" * 64, type="a letter")],
    ids=["a list", "no JSON", "nothing critical", "deep", "another type"],
)
def test_what_was_signed_is_no_statement_about_an_image(
    session: Session, registry: Registry, image: MadeImage, ann: Signer, payload: bytes
) -> None:
    attach(registry, image.digest, (payload, ann.sign(payload)))
    with pytest.raises(PolicyError):
        ask(session, registry, ann.public)


def test_a_signature_of_the_index_is_one_of_each_image_in_it(session: Session, registry: Registry, ann: Signer) -> None:
    mine, other = make_image(platform=str(Platform.here())), make_image(platform="linux/s390x")
    index = make_index({str(Platform.here()): mine, "linux/s390x": other})
    registry.push("wfx/tools", "1", index)
    payload = payload_of(index.digest)
    attach(registry, index.digest, (payload, ann.sign(payload)))
    assert ask(session, registry, ann.public) == ann.fingerprint
    assert ask(session, registry, ann.public, name=f"wfx/tools@{index.digest}") == ann.fingerprint
    # By its own digest alone nobody knows of the index.
    with pytest.raises(PolicyError):
        ask(session, registry, ann.public, name=f"wfx/tools@{mine.digest}")


def test_an_index_that_does_not_list_the_image_says_nothing_of_it(
    session: Session, registry: Registry, image: MadeImage, ann: Signer
) -> None:
    pinned = ImageFetcher().pin(Reference(f"docker://{registry.host}/wfx/tools:1"), session.net).reference
    # The tag has moved on since.
    index = make_index({str(Platform.here()): make_image([{"new": b"1"}], platform=str(Platform.here()))})
    registry.push("wfx/tools", "1", index)
    payload = payload_of(index.digest)
    attach(registry, index.digest, (payload, ann.sign(payload)))
    with pytest.raises(PolicyError):
        ImageFetcher().signer(
            Reference(f"docker://{registry.host}/wfx/tools:1"), pinned, [ann.public], session.net
        )  # fmt: skip


def test_a_signature_that_refers_to_the_image_counts(
    session: Session, registry: Registry, image: MadeImage, ann: Signer
) -> None:
    payload = payload_of(image.digest)
    made = signatures([(payload, ann.sign(payload))], subject=image.digest)
    registry.push("wfx/tools", "elsewhere", made)
    entry = {"mediaType": made.media_type, "digest": made.digest, "size": 1, "artifactType": ARTIFACT}
    other = {**entry, "artifactType": "application/vnd.cyclonedx", "digest": "sha256:" + "2" * 64}
    listing = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [other, entry]}
    registry.add(f"/v2/wfx/tools/referrers/{image.digest}", json.dumps(listing).encode())
    assert ask(session, registry, ann.public) == ann.fingerprint


def test_an_artifact_is_signed_as_an_image_is(session: Session, registry: Registry, ann: Signer) -> None:
    made = make_artifact({"tools.sif": b"SIF"})
    registry.push("wfx/tools", "1", made)
    payload = payload_of(made.digest)
    attach(registry, made.digest, (payload, ann.sign(payload)))
    reference = Reference(f"oras://{registry.host}/wfx/tools:1")
    pinned = ArtifactFetcher().pin(reference, session.net).reference
    assert ArtifactFetcher().signer(reference, pinned, [ann.public], session.net) == ann.fingerprint


def test_a_place_that_knows_of_no_signatures_has_none(session: Session, ann: Signer) -> None:
    reference = Reference("library://lab/tools/x:1")
    with pytest.raises(PolicyError, match="knows of no signatures"):
        LibraryFetcher().signer(reference, reference, [ann.public], session.net)


@pytest.mark.parametrize("key", [b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b""])
def test_a_key_that_is_none_is_said(session: Session, registry: Registry, image: MadeImage, key: bytes) -> None:
    with pytest.raises(UsageError, match="cosign_keys"):
        ask(session, registry, key)


def test_a_registry_that_refuses_to_tell_is_not_one_without_signatures(
    session: Session, registry: Registry, image: MadeImage, ann: Signer
) -> None:
    payload = payload_of(image.digest)
    attach(registry, image.digest, (payload, ann.sign(payload)))
    registry.manifest("wfx/tools", f"{image.digest.replace(':', '-')}.sig").status = 403
    with pytest.raises(AccessDenied):
        ask(session, registry, ann.public)


def test_no_more_signatures_are_looked_at_than_count(
    session: Session, registry: Registry, image: MadeImage, ann: Signer
) -> None:
    payload = payload_of(image.digest)
    noise = [(b"%d" % number, b"x") for number in range(150)]
    attach(registry, image.digest, *noise, (payload, ann.sign(payload)))
    with pytest.raises(PolicyError):
        ask(session, registry, ann.public)
    assert len([path for path in registry.asked_blobs("wfx/tools") if path]) < 150


def test_a_signature_in_the_tag_of_referrers_counts(
    session: Session, registry: Registry, image: MadeImage, ann: Signer
) -> None:
    # What cosign writes to a registry that knows of no referrers (OCI distribution specification 1.1).
    payload = payload_of(image.digest)
    made = signatures([(payload, ann.sign(payload))], subject=image.digest)
    registry.push("wfx/tools", "elsewhere", made)
    index = MadeImage(media_type="application/vnd.oci.image.index.v1+json")
    entry = {"mediaType": made.media_type, "digest": made.digest, "size": 1, "artifactType": ARTIFACT}
    listing = {"schemaVersion": 2, "mediaType": index.media_type, "manifests": [entry]}
    index.digest = index.add_json(listing, index.media_type)["digest"]
    registry.push("wfx/tools", image.digest.replace(":", "-"), index)
    assert ask(session, registry, ann.public) == ann.fingerprint


@pytest.mark.parametrize("version", ["2", "3"])
def test_what_the_cosign_program_has_signed_is_verified(
    session: Session, registry: Registry, eve: Signer, version: str
) -> None:
    # Of cosign 2.5.3 and 3.1.3, as pushed: `cosign sign --key cosign.key --tlog-upload=false`.
    made = json.loads(Path(__file__).with_name(f"signed_by_cosign_{version}.json").read_text())
    signature = MadeImage()
    for data in (made["manifest"], *made["blobs"].values(), *filter(None, [made.get("index")])):
        signature.add(data.encode(), "")
    signature.digest = f"sha256:{hashlib.sha256(made['manifest'].encode()).hexdigest()}"
    tag = made["image"].replace(":", "-")
    registry.push("wfx/tools", f"{tag}.sig" if version == "2" else "bundle", signature)
    if version == "3":
        signature.digest = f"sha256:{hashlib.sha256(made['index'].encode()).hexdigest()}"
        registry.push("wfx/tools", tag, signature)
    pinned = Reference(f"docker://{registry.host}/wfx/tools@{made['image']}")
    key = made["public"].encode()
    found = ImageFetcher().signer(pinned, pinned, [eve.public, key], session.net)
    der = subprocess.run(
        [require_program("openssl"), "pkey", "-pubin", "-outform", "DER"], input=key, capture_output=True, check=True
    ).stdout
    assert found == hashlib.sha256(der).hexdigest()
    with pytest.raises(PolicyError):
        ImageFetcher().signer(pinned, pinned, [eve.public], session.net)


BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
IN_TOTO = "application/vnd.in-toto+json"
SIGNED = "https://sigstore.dev/cosign/sign/v1"


def statement_of(digest: str, predicate: str = SIGNED) -> bytes:
    subject = [{"digest": {"sha256": digest.removeprefix("sha256:")}}]
    return json.dumps({
        "_type": "https://in-toto.io/Statement/v1", "subject": subject, "predicateType": predicate, "predicate": {},
    }).encode()  # fmt: skip


def attach_bundle(registry: Registry, digest: str, signer: Signer, statement: bytes, kind: str = IN_TOTO) -> None:
    """Push a bundle as cosign's bundle specification has it, its envelope encoded as DSSE says."""
    encoded = b" ".join([b"DSSEv1", str(len(kind)).encode(), kind.encode(), str(len(statement)).encode(), statement])
    envelope = {
        "payload": base64.b64encode(statement).decode(), "payloadType": kind,
        "signatures": [{"sig": base64.b64encode(signer.sign(encoded)).decode()}],
    }  # fmt: skip
    bundle = {"mediaType": BUNDLE, "verificationMaterial": {"publicKey": {"hint": "x"}}, "dsseEnvelope": envelope}
    made = MadeImage()
    layer = made.add_json(bundle, BUNDLE)
    config = made.add(b"{}", "application/vnd.oci.empty.v1+json")
    subject = {"mediaType": made.media_type, "digest": digest, "size": 1}
    manifest = {"schemaVersion": 2, "mediaType": made.media_type, "artifactType": BUNDLE, "config": config,
                "layers": [layer], "subject": subject}  # fmt: skip
    made.digest = made.add_json(manifest, made.media_type)["digest"]
    registry.push("wfx/tools", "bundle", made)
    entry = {"mediaType": made.media_type, "digest": made.digest, "size": 1, "artifactType": BUNDLE}
    listing = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry]}
    registry.add(f"/v2/wfx/tools/referrers/{digest}", json.dumps(listing).encode())


def test_a_bundle_that_refers_to_the_image_counts(
    session: Session, registry: Registry, image: MadeImage, ann: Signer, eve: Signer
) -> None:
    attach_bundle(registry, image.digest, ann, statement_of(image.digest))
    assert ask(session, registry, ann.public) == ann.fingerprint
    with pytest.raises(PolicyError, match="of no key that you trust"):
        ask(session, registry, eve.public)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        pytest.param(statement_of("sha256:" + "3" * 64), IN_TOTO, id="of another image"),
        pytest.param(None, "text/plain", id="of another kind"),
        pytest.param("attestation", IN_TOTO, id="an attestation about it"),
        pytest.param(b"[]", IN_TOTO, id="no statement"),
    ],
)
def test_a_bundle_that_says_something_else_does_not_count(
    session: Session, registry: Registry, image: MadeImage, ann: Signer, statement: bytes | str | None, kind: str
) -> None:
    if not isinstance(statement, bytes):
        predicate = "https://slsa.dev/provenance/v1" if statement else SIGNED
        statement = statement_of(image.digest, predicate)
    attach_bundle(registry, image.digest, ann, statement, kind)
    with pytest.raises(PolicyError):
        ask(session, registry, ann.public)
