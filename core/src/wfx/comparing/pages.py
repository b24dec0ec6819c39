"""A comparison as a page for a browser: static, without scripts, every text escaped."""

from __future__ import annotations

from html import escape

from wfx.comparing.judging import Comparison

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%;margin:1rem 0}th,td{border-bottom:1px solid #ddd;padding:.4rem .6rem;
text-align:left;vertical-align:top;overflow-wrap:anywhere}.verdict{font-size:1.25rem;font-weight:600}
.identical,.equivalent,.yes{color:#0a6b2d}.different,.missing,.added,.unknown,.no{color:#a61b1b}code{font-size:.85em}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}
.identical,.equivalent,.yes{color:#6fdc8c}.different,.missing,.added,.unknown,.no{color:#ff8389}}
"""


def page(found: Comparison) -> str:
    """Return the whole page."""
    rows = "".join(
        f"<tr><td>{_text(c.output)}</td><td>{_text(c.file)}</td><td class={c.verdict}>{c.verdict}</td>"
        f"<td>{_text(c.by)}</td><td>{_text(c.detail)}</td></tr>\n"
        for c in found.outputs
    )
    others = "".join(
        f"<tr><td>{c.kind}</td><td>{_text(c.name)}</td><td><code>{_text(c.first)}</code></td>"
        f"<td><code>{_text(c.second)}</code></td></tr>\n"
        for c in found.circumstances
    )
    circumstances = (
        f"<h2>What else differs</h2>\n<table><thead><tr><th scope=col>Kind<th scope=col>Name<th scope=col>First"
        f"<th scope=col>Second</tr></thead><tbody>\n{others}</tbody></table>\n"
        if others
        else "<p>Workflow, inputs, engine and images are the same.</p>\n"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_text(found.summary())}</title><style>{STYLE}</style></head>\n<body>\n<h1>Comparison of two runs</h1>\n"
        f'<p class="verdict {"yes" if found.reproduced else "no"}">{_text(found.summary())}</p>\n'
        f"<p>First: <code>{_text(found.first)}</code> {_text(found.identifiers[0])}<br>"
        f"Second: <code>{_text(found.second)}</code> {_text(found.identifiers[1])}</p>\n"
        f"<h2>Outputs</h2>\n<table><thead><tr><th scope=col>Output<th scope=col>File<th scope=col>Verdict"
        f"<th scope=col>Compared by<th scope=col>Detail</tr></thead><tbody>\n{rows}</tbody></table>\n"
        f"{circumstances}</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return escape("".join(c if c.isprintable() else " " for c in text))
