"""Signatures are those of AWS's documentation.

The first four are the examples of "Signature Calculations for the Authorization Header" in the API reference of S3, the last
one is get-vanilla of the published test suite.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from wfx_s3.signing import EMPTY, Keys, host_of, path_text, query_text, signed

KEYS = Keys("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
MOMENT = datetime(2013, 5, 24, tzinfo=UTC)
HOST = "https://examplebucket.s3.amazonaws.com"
WELCOME = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"


@pytest.mark.parametrize(
    ("method", "url", "headers", "payload", "signature"),
    [
        ("GET", f"{HOST}/test.txt", {"Range": "bytes=0-9"}, EMPTY,
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        ("PUT", f"{HOST}/{path_text('test$file.text')}",
         {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"}, WELCOME,
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        ("GET", f"{HOST}/?{query_text([('lifecycle', '')])}", {}, EMPTY,
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("GET", f"{HOST}/?{query_text([('prefix', 'J'), ('max-keys', '2')])}", {}, EMPTY,
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
    ids=["object", "put", "lifecycle", "list"],
)  # fmt: skip
def test_signatures_are_those_of_the_documentation(
    method: str, url: str, headers: dict[str, str], payload: str, signature: str
) -> None:
    made = signed(url, headers, KEYS, "us-east-1", MOMENT, method=method, payload=payload)
    assert made["Authorization"].rpartition("Signature=")[2] == signature


def test_the_signature_is_that_of_the_test_suite() -> None:
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    moment = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    made = signed("https://example.amazonaws.com/", {}, keys, "us-east-1", moment, service="service")
    assert made["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date,"
        " Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )


def test_a_session_token_is_signed_too() -> None:
    made = signed(HOST, {}, Keys("A", "B", "token"), "us-east-1", MOMENT)
    assert made["x-amz-security-token"] == "token"
    assert "x-amz-security-token," in made["Authorization"]


def test_secrets_are_in_no_representation() -> None:
    assert repr(Keys("A", "secret-b", "secret-c")) == "Keys(access_key='A')"


def test_what_is_sent_is_what_is_signed() -> None:
    assert path_text("a b/é+~*%2F") == "a%20b/%C3%A9%2B~%2A%252F"
    assert query_text([("b", "x y"), ("a", "/=")]) == "a=%2F%3D&b=x%20y"
    assert host_of("https://h:443/") == "h"
    assert host_of("http://[::1]:9000/") == "[::1]:9000"
