"""Groovy as text: where its strings and comments are, so that the rest can be searched without being taken in by them.

Nothing is evaluated. What this module cannot tell apart (a slash that may begin a pattern or divide) it takes for the
harmless one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "s": " "}
ESCAPE = re.compile(r"\\(u+[0-9a-fA-F]{4}|.)", re.S)
# What may stand before a slash that begins a pattern.
BEFORE_PATTERN = set("=(,[!~:?&|{;\n")


class Unbalanced(Exception):
    """A bracket, string or comment without its end."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.what, self.line = what, line


@dataclass(frozen=True, slots=True)
class Source:
    """A script: its text, and the same with all strings and comments made blank, character for character."""

    text: str
    bare: str
    """Quotes stay, what is between them does not."""

    @classmethod
    def of(cls, text: str) -> Source:
        """Read a script. Raises Unbalanced."""
        return cls(text, _Scanner(text).bare())

    def line(self, position: int) -> int:
        """Return the line, from 1."""
        return self.text.count("\n", 0, position) + 1

    def closing(self, position: int) -> int:
        """Return where the bracket that opens at `position` closes."""
        depth = 0
        for match in re.compile(r"[()\[\]{}]").finditer(self.bare, position):
            depth += 1 if match[0] in OPENERS else -1
            if depth == 0:
                return match.start()
        raise Unbalanced(f"'{self.bare[position]}' is never closed", self.line(position))

    def string(self, position: int) -> tuple[str, int, bool] | None:
        """Return the string that begins at `position`, where it ends, and whether something is put into it."""
        for quote in ('"""', "'''", '"', "'"):
            if self.bare.startswith(quote, position):
                end = self.bare.index(quote, position + len(quote))
                raw = self.text[position + len(quote) : end]
                filled = quote[0] == '"' and re.search(r"(?<!\\)\$[{A-Za-z_]", raw) is not None
                return raw if filled else unescaped(raw), end + len(quote), filled
        return None


def unescaped(text: str) -> str:
    """Return what a string literal stands for."""

    def one(match: re.Match[str]) -> str:
        body = match[1]
        return chr(int(body.lstrip("u"), 16)) if body[0] == "u" and len(body) > 1 else ESCAPES.get(body, body)

    return ESCAPE.sub(one, text)


class _Scanner:
    """Goes through a script once."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out = list(text)

    def bare(self) -> str:
        position = self._code(0, "")
        assert position >= len(self.text)
        return "".join(self.out)

    def _line(self, position: int) -> int:
        return self.text.count("\n", 0, position) + 1

    def _blank(self, start: int, end: int) -> None:
        for index in range(start, min(end, len(self.out))):
            if self.out[index] != "\n":
                self.out[index] = " "

    def _code(self, position: int, until: str) -> int:
        """Read code up to the bracket `until`, or to the end; return the position behind it."""
        text, stack = self.text, [(until, position - 1)] if until else []
        while position < len(text):
            char = text[position]
            if text.startswith("//", position) or (position == 0 and text.startswith("#!")):
                end = text.find("\n", position)
                end = len(text) if end < 0 else end
                self._blank(position, end)
                position = end
            elif text.startswith("/*", position):
                end = text.find("*/", position + 2)
                if end < 0:
                    raise Unbalanced("a comment is never closed", self._line(position))
                self._blank(position, end + 2)
                position = end + 2
            elif char in "\"'":
                position = self._string(position)
            elif char == "/" and self._begins_pattern(position):
                position = self._pattern(position)
            elif char in OPENERS:
                stack.append((OPENERS[char], position))
                position += 1
            elif char in CLOSERS:
                if not stack:
                    raise Unbalanced(f"'{char}' closes nothing", self._line(position))
                if stack[-1][0] != char:
                    opened = stack[-1][1]
                    raise Unbalanced(f"'{text[opened]}' is never closed", self._line(opened))
                stack.pop()
                position += 1
                if until and not stack:
                    return position
            else:
                position += 1
        if stack:
            opened = stack[-1][1]
            raise Unbalanced(f"'{text[opened]}' is never closed", self._line(opened))
        return position

    def _string(self, position: int) -> int:
        text = self.text
        quote = text[position]
        long = text.startswith(quote * 3, position)
        mark = quote * 3 if long else quote
        start = position = position + len(mark)
        begun = start - len(mark)
        while position < len(text):
            if text[position] == "\\":
                position += 2
            elif text.startswith(mark, position):
                self._blank(start, position)
                return position + len(mark)
            elif quote == '"' and text.startswith("${", position):
                position = self._code(position + 2, "}")
            elif text[position] == "\n" and not long:
                break
            else:
                position += 1
        raise Unbalanced("a string is never closed", self._line(begun))

    def _begins_pattern(self, position: int) -> bool:
        before = self.text[:position].rstrip(" \t")
        if before and before[-1] not in BEFORE_PATTERN and not before.endswith("return"):
            return False
        end = re.compile(r"(?<!\\)[/\n]").search(self.text, position + 1)
        return end is not None and end[0] == "/"

    def _pattern(self, position: int) -> int:
        end = re.compile(r"(?<!\\)/").search(self.text, position + 1)
        assert end is not None
        self._blank(position + 1, end.start())
        return end.end()
