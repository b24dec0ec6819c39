"""Checksums that hashlib does not have are those that others compute, however the bytes are divided."""

from __future__ import annotations

import hashlib
import io
import random

import google_crc32c
import pytest
from wfx import checksums
from wfx.errors import IntegrityError
from wfx.expectations import hold
from wfx.fetching import Expected, Reference

# RFC 9260 has none; these are RFC 3720's (appendix B.4), whose bytes are written there the other way round.
EXAMPLES = {
    bytes(32): "8a9136aa",
    b"\xff" * 32: "62a8ab43",
    bytes(range(32)): "46dd794e",
    bytes(range(31, -1, -1)): "113fdb5c",
    b"123456789": "e3069283",
    b"": "00000000",
}


@pytest.mark.parametrize("data", EXAMPLES, ids=["zeros", "ones", "up", "down", "digits", "nothing"])
def test_crc32c_is_that_of_the_specification(data: bytes) -> None:
    assert f"{checksums.in_python(data, 0):08x}" == EXAMPLES[data]
    made = checksums.new("crc32c")
    made.update(data)
    assert made.hexdigest() == EXAMPLES[data]


def test_python_alone_comes_to_what_the_library_does_wherever_the_bytes_are_divided() -> None:
    data = random.Random(7).randbytes(10_000)
    for cut in (0, 1, 7, 8, 9, 4096, 9_999, 10_000):
        value = checksums.in_python(data[cut:], checksums.in_python(data[:cut], 0))
        assert value == google_crc32c.value(data)


@pytest.mark.parametrize(
    ("algorithm", "checksum"),
    [
        ("adler32", "11e60398"),
        ("crc32", "cbf43926"),
        ("trunc512", hashlib.sha512(b"123456789").hexdigest()[:48]),
        ("md5", hashlib.md5(b"123456789").hexdigest()),
    ],
)
def test_the_others_have_their_known_values(algorithm: str, checksum: str) -> None:
    assert checksums.known(algorithm)
    data = b"123456789" if algorithm != "adler32" else b"Wikipedia"
    assert checksums.of_file(io.BytesIO(data), algorithm) == checksum


def test_what_is_no_algorithm_is_not_known() -> None:
    assert not any(checksums.known(name) for name in ("etag", "md4000", "", "shake_128"))


def test_a_stated_crc32c_is_held(tmp_path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"123456789")
    sha256 = hashlib.sha256(b"123456789").hexdigest()
    hold(path, sha256, 9, Expected(checksums=(("crc32c", "E3069283"),)), Reference("drs://x/y"))
    with pytest.raises(IntegrityError, match="its crc32c is e3069283 where e3069284 is stated"):
        hold(path, sha256, 9, Expected(checksums=(("crc32c", "e3069284"),)), Reference("drs://x/y"))
