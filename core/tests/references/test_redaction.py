"""Secrets that the redactor knows of, and all that looks like one, are in no text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wfx.redaction import MARK, Redactor, redact_uri

CANARY = "c4n4ry-s3cret"


@pytest.mark.parametrize(
    "text",
    [
        f"https://u:{CANARY}@h/x",
        f"abfss://{CANARY}:x@h/x",
        f"abfss://c:{CANARY}@h/x",
        f"cloning https://{CANARY}@h/x and more",
        f"'https://u:p@{CANARY}@h'",
        f"<https://h/x?token={CANARY}>",
        f"https://h/x?a=1&sig={CANARY}&b=2",
        f"https://h/x?X-Amz-Security-Token={CANARY}#f",
        f"https://h/cb#access_token={CANARY}",
        f"GET https://h/?password={CANARY}",
        f"Authorization: Bearer {CANARY}",
        f"{{'Authorization': 'Basic {CANARY}', 'Accept': '*/*'}}",
        f"authorization={CANARY}",
        f"Set-Cookie: session={CANARY}; Path=/",
        f"Private-Token: {CANARY}",
        f"X-Api-Key:{CANARY}",
        f"one\nCookie: {CANARY}\ntwo",
    ],
)
def test_what_looks_like_a_secret_is_replaced(text: str) -> None:
    assert CANARY not in Redactor()(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://h/x?page=2&sort=name",
        "doi:10.5281/zenodo.1",
        "a@b.org wrote http://h/a@b",
        "the cookie jar and the authorization of the user",
        "key: value",
        "https://h/x?q=a:b@c",
        "reads of abfss://container-1@account.dfs.core.windows.net/x",
    ],
)
def test_an_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor()(text) == text


def test_a_secret_that_was_learnt_is_replaced_everywhere() -> None:
    redactor = Redactor([CANARY])
    assert redactor(f"x{CANARY}y {CANARY}") == f"x{MARK}y {MARK}"


@pytest.mark.parametrize("shown", ["p%40ss%2Fword%21x", "p%40ss/word%21x", "p@ss/word!x"])
def test_a_secret_is_replaced_in_its_quoted_forms_too(shown: str) -> None:
    assert shown not in Redactor(["p@ss/word!x"])(f"proxy said: {shown}")


def test_a_long_secret_is_replaced_before_a_part_of_it() -> None:
    assert Redactor(["secret", "secret-and-more"])("secret-and-more") == MARK


def test_a_short_word_is_no_secret() -> None:
    assert Redactor(["run"])("run it") == "run it"


@given(st.text("ab:/?#&=@ tokensig%\n", max_size=60))
@settings(deadline=None, max_examples=100)
def test_a_redacted_text_stays_as_it_is(text: str) -> None:
    redactor = Redactor([CANARY])
    once = redactor(f"https://{text}{CANARY}")
    assert CANARY not in once
    assert redactor(once) == once
    assert redact_uri(redact_uri(text)) == redact_uri(text)


@pytest.mark.parametrize(
    "text", ["x" * 3_000_000, "a." * 1_000_000, "https://" + "a" * 1_000_000, "x" * 1_000_000 + "://u:p@h"]
)
def test_a_very_long_word_is_read_in_linear_time(text: str) -> None:
    began = time.process_time()
    Redactor([CANARY])(text)
    assert time.process_time() - began < 10
