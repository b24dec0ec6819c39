"""What the page's sections share: the record, the metadata, and how values, files and times are shown."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wfx.running import RunRecord
from wfx.values import JsonValue, Parameter
from wfx.valuetypes import type_name

from wfx_ro_crate.describing import complete
from wfx_ro_crate.files import basename
from wfx_ro_crate.graph import DESCRIPTOR, Cleaner, path_id
from wfx_ro_crate.markup import Content, Markup, join, link, tag
from wfx_ro_crate.restating import left_out_id
from wfx_ro_crate.timeline import Clock

MOST_ITEMS = 12
LONGEST_TEXT = 600
TAIL_BYTES, TAIL_LINES = 16_384, 30


class View:
    """A run as the page shows it. Sizes and digests come from the metadata, so that no file is read again."""

    def __init__(self, record: RunRecord, directory: Path, document: Mapping[str, Any]) -> None:
        self.record, self.directory = record, directory
        self.entities: dict[str, dict[str, Any]] = {e["@id"]: e for e in document["@graph"]}
        self.clean = Cleaner(directory)
        self.events = complete(record.events, record)
        self.clock = Clock.of(record.started, record.ended, self.events)

    def short(self, value: str, most: int) -> str:
        """Return a text as it may be shown, cut where it is longer than a reader wants."""
        value = self.clean(value)
        return value if len(value) <= most else f"{value[:most]}… ({len(value)} characters)"

    def time(self, moment: str) -> Markup:
        """Show a time in UTC."""
        try:
            time = datetime.datetime.fromisoformat(moment).astimezone(datetime.UTC)
        except ValueError:
            return tag("span", moment)
        return tag("time", f"{time:%Y-%m-%d %H:%M:%S} UTC", datetime=time.isoformat(timespec="seconds"))

    def file(self, path: str, name: str) -> Content:
        """Link to a file where it is in the crate."""
        identifier = path_id(path)
        return link(identifier, self.clean(name)) if identifier in self.entities else self.clean(name)

    def pairs(self, pairs: Sequence[tuple[str, Content]]) -> Markup:
        """Show names and what belongs to each."""
        shown = [
            (tag("dt", key), tag("dd", self.clean(v) if isinstance(v, str) and not isinstance(v, Markup) else join(v)))
            for key, v in pairs
        ]
        return tag("dl", shown, class_="pairs")

    def tail(self, log: str) -> Content:
        """Show the end of a log that is in the crate."""
        if not log or path_id(log) not in self.entities:
            return None
        try:
            with (self.directory / log).open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - TAIL_BYTES))
                found = file.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
        except OSError:
            return None
        return [
            tag("p", "The end of its log, ", self.file(log, log), ":", class_="small"),
            tag("pre", self.clean("\n".join(found)), tabindex="0"),
        ]

    def table(
        self, names: Sequence[str], parameters: Mapping[str, Parameter], values: Mapping[str, JsonValue]
    ) -> Markup:
        """Show parameters with their values."""
        rows = []
        for name in names:
            parameter = parameters.get(name)
            kind = type_name(parameter.type) if parameter else ""
            label = "\n".join(dict.fromkeys(filter(None, (parameter.label, parameter.doc)))) if parameter else ""
            rows.append(
                tag(
                    "tr",
                    tag(
                        "td",
                        tag("span", self.clean(name), class_="name"),
                        tag("div", tag("code", self.short(kind, 120)), class_="small") if kind else None,
                        tag("div", self.short(label, 240), class_="small") if label else None,
                    ),
                    tag("td", self.value(values.get(name))),
                )
            )
        head = tag("thead", tag("tr", tag("th", "Name", scope="col"), tag("th", "Value", scope="col")))
        return tag("table", head, tag("tbody", rows), class_="stack")

    def value(self, value: JsonValue, depth: int = 0) -> Content:
        """Show a value: files as links, records as pairs, long lists cut."""
        if value is None:
            return tag("span", "none", class_="none")
        if isinstance(value, dict) and value.get("class") in ("File", "Directory"):
            return self.file_value(value)
        if depth > 4:
            return tag("span", "…")
        if isinstance(value, list):
            if not value:
                return tag("span", "an empty list", class_="none")
            items = [tag("li", self.value(item, depth + 1)) for item in value[:MOST_ITEMS]]
            if len(value) > MOST_ITEMS:
                items.append(
                    tag("li", f"and {len(value) - MOST_ITEMS} more, all in ", link(DESCRIPTOR), class_="small")
                )
            return tag("ul", items, class_="plain")
        if isinstance(value, dict):
            pairs = list(value.items())[:MOST_ITEMS]
            return tag(
                "dl",
                [(tag("dt", self.clean(k)), tag("dd", self.value(v, depth + 1))) for k, v in pairs],
                class_="pairs",
            )
        if isinstance(value, bool):
            return tag("code", "true" if value else "false")
        return (
            tag("code", self.short(str(value), LONGEST_TEXT))
            if value != ""
            else tag("span", "an empty text", class_="none")
        )

    def file_value(self, value: Mapping[str, JsonValue]) -> Content:
        """Show a file or folder: a link where the crate has it, its size, origin and digest."""
        place, name = value.get("location"), basename(value)
        folder = value.get("class") == "Directory"
        identifier = path_id(place, folder=folder) if isinstance(place, str) and place else ""
        entity = self.entities.get(identifier, {})
        shown: list[Content] = []
        gone = self.entities.get(left_out_id(place + ("/" if folder else ""))) if isinstance(place, str) else None
        if gone is not None:
            shown += [self.clean(name), tag("span", " (left out of this crate)", class_="small")]
            entity = gone
        elif entity:
            shown.append(link(identifier, self.clean(name) + ("/" if folder else "")))
        else:
            shown += [self.clean(name), tag("span", " (not in the crate)", class_="small")]
        size = entity.get("contentSize") or value.get("size")
        if isinstance(size, (str, int)) and str(size).isdigit():
            shown.append(tag("span", f" {size_of(int(size))}", class_="small"))
        if gone is not None and gone.get("contentUrl"):
            shown.append(tag("div", "to be had from ", link(str(gone["contentUrl"])), class_="small"))
        elif entity.get("url"):
            shown.append(tag("div", "from ", link(str(entity["url"])), class_="small"))
        if entity.get("sha256"):
            shown.append(tag("div", "sha256 ", tag("code", str(entity["sha256"])), class_="digest"))
        companions = value.get("secondaryFiles")
        if isinstance(companions, list) and companions:
            inner = [tag("li", self.file_value(c)) for c in companions[:MOST_ITEMS] if isinstance(c, dict)]
            shown.append(tag("div", "with", tag("ul", inner, class_="plain"), class_="small"))
        return shown


def size_of(number: int) -> str:
    """Return a number of bytes for people."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    units = iter(("kB", "MB", "GB", "TB"))
    unit = next(units)
    value /= 1000
    while value >= 999.95 and (larger := next(units, None)):
        unit, value = larger, value / 1000
    return f"{value:.1f} {unit}"
