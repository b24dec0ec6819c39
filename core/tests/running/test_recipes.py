from __future__ import annotations

import pytest
from wfx.errors import ContainerError
from wfx.imageneeds import ImageSource
from wfx.recipes import bases_of, check, with_bases

TEXT = """\
ARG WHICH="debian:12"
FROM --platform=linux/amd64 ${WHICH} AS build
RUN make
# FROM nothing:1
from $WHICH
COPY --from=build /a /a
COPY --from=0 /b /b
COPY --chown=0 --from=alpine:3 /c /c
FROM scratch
"""


def test_the_bases_are_those_that_are_no_stage() -> None:
    assert bases_of(TEXT) == ["debian:12", "alpine:3"]


def test_the_bases_are_replaced_and_nothing_else() -> None:
    text = with_bases(TEXT, {"debian:12": "wfx.local/debian:a", "alpine:3": "wfx.local/alpine:b"})
    assert "FROM --platform=linux/amd64 wfx.local/debian:a AS build\n" in text
    assert "from wfx.local/debian:a\n" in text
    assert "COPY --chown=0 --from=wfx.local/alpine:b /c /c\n" in text
    assert "COPY --from=build /a /a\n" in text
    assert "# FROM nothing:1\n" in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FROM a\nADD https://example.org/x /x\n", "line 2"),
        ("FROM a\nCOPY x /x\n", "copies files"),
        ("FROM a\nADD $WHERE /x\n", "copies files"),
        ("FROM a\nRUN --mount=type=tmpfs,target=/t --network=host true\n", "more than a build gets"),
        ("RUN true\n", "no base image"),
    ],
)
def test_what_cannot_be_built_is_refused(text: str, says: str) -> None:
    with pytest.raises(ContainerError, match=says):
        check(ImageSource("dockerFile:1", "recipe", recipe=text), network=False)


def test_with_a_network_it_may_fetch() -> None:
    check(ImageSource("dockerFile:1", "recipe", recipe="FROM a\nADD https://example.org/x /x\n"), network=True)
