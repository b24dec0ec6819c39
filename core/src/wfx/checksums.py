"""Checksums that places state: those of hashlib, and `crc32c`, `crc32`, `adler32` and `trunc512` beside them.

Object stores state crc32c (RFC 9260 appendix B) where others state md5, older archives the two of zlib; trunc512 is the
first 24 bytes of SHA-512, as GA4GH has it. crc32c is computed by the package google-crc32c where it is installed, and by
Python alone where not: 18 MB/s in place of 3 GB/s where it was measured.
"""

from __future__ import annotations

import hashlib
import importlib
import zlib
from collections.abc import Callable
from functools import cache
from io import RawIOBase
from typing import Protocol

__all__ = ["OTHERS", "known", "new", "of_file"]

BLOCK = 1024 * 1024
POLYNOMIAL = 0x82F63B78
"""Castagnoli's, reflected."""


class Hash(Protocol):
    """The part of hashlib's objects that is used."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""

    def hexdigest(self) -> str:
        """Return the checksum of all so far, in lower-case hex."""


class _Cyclic:
    """A checksum of 32 bits, by a function that goes on from the last value."""

    def __init__(self, step: Callable[[bytes, int], int], start: int = 0) -> None:
        self._step, self._value = step, start

    def update(self, data: bytes, /) -> None:
        self._value = self._step(data, self._value)

    def hexdigest(self) -> str:
        return f"{self._value:08x}"


class _Truncated:
    """The beginning of another checksum."""

    def __init__(self, whole: Hash, digits: int) -> None:
        self._whole, self._digits = whole, digits

    def update(self, data: bytes, /) -> None:
        self._whole.update(data)

    def hexdigest(self) -> str:
        return self._whole.hexdigest()[: self._digits]


def known(algorithm: str) -> bool:
    """Say whether `new` makes a checksum of this name."""
    return algorithm in OTHERS or (algorithm in hashlib.algorithms_available and not algorithm.startswith("shake"))


def new(algorithm: str) -> Hash:
    """Return an empty checksum of a `known` algorithm."""
    if algorithm in OTHERS:
        return OTHERS[algorithm]()
    # The older algorithms are for telling bytes apart, as their publishers do, not for security.
    return hashlib.new(algorithm, usedforsecurity=False)


def of_file(file: RawIOBase, algorithm: str) -> str:
    """Return the checksum of an open file, from where it stands, in lower-case hex."""
    found, buffer = new(algorithm), memoryview(bytearray(BLOCK))
    while count := file.readinto(buffer):
        found.update(bytes(buffer[:count]))
    return found.hexdigest()


@cache
def _crc32c() -> Callable[[bytes, int], int]:
    try:
        quick: Callable[[int, bytes], int] = importlib.import_module("google_crc32c").extend
    except ImportError:
        return in_python
    return lambda data, value: quick(value, data)


@cache
def _tables() -> tuple[tuple[int, ...], ...]:
    first = []
    for number in range(256):
        value = number
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        first.append(value)
    tables = [first]
    for _ in range(7):
        tables.append([first[value & 255] ^ value >> 8 for value in tables[-1]])
    return tuple(tuple(table) for table in tables)


def in_python(data: bytes, value: int) -> int:
    """Return the crc32c of what had `value`, and `data` behind it: eight bytes a step, by as many tables."""
    t0, t1, t2, t3, t4, t5, t6, t7 = _tables()
    value ^= 0xFFFFFFFF
    whole = len(data) & ~7
    for at in range(0, whole, 8):
        word = value ^ int.from_bytes(data[at : at + 4], "little")
        value = (
            t7[word & 255] ^ t6[word >> 8 & 255] ^ t5[word >> 16 & 255] ^ t4[word >> 24]
            ^ t3[data[at + 4]] ^ t2[data[at + 5]] ^ t1[data[at + 6]] ^ t0[data[at + 7]]
        )  # fmt: skip
    for byte in data[whole:]:
        value = t0[(value ^ byte) & 255] ^ value >> 8
    return value ^ 0xFFFFFFFF


OTHERS: dict[str, Callable[[], Hash]] = {
    "adler32": lambda: _Cyclic(zlib.adler32, 1),
    "crc32": lambda: _Cyclic(zlib.crc32),
    "crc32c": lambda: _Cyclic(_crc32c()),
    "trunc512": lambda: _Truncated(hashlib.sha512(), 48),
}
"""What hashlib does not have."""
