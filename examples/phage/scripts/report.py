# ruff: noqa: T201 (what is printed is the result)
"""Write one self-contained HTML page, plots as inline SVG, from the tables of scripts/phage.py.

The page depends on the tables alone: no date, no host, no script and nothing from elsewhere, so that two runs give the
same bytes.
"""

import argparse
from html import escape
from pathlib import Path

WIDTH, LEFT = 860, 56
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; background: #fff; max-width: 920px; margin: 2em auto;
  padding: 0 1em }
h1 { font-size: 1.6em } h2 { font-size: 1.2em; margin-top: 2em; border-top: 1px solid #d5dbe1; padding-top: 1em }
table { border-collapse: collapse; font-variant-numeric: tabular-nums } caption, .note { color: #52606d; text-align: left }
th, td { padding: .25em .9em .25em 0; text-align: right; border-bottom: 1px solid #e4e9ee }
th:first-child, td:first-child { text-align: left } svg { width: 100%; height: auto; display: block }
text { font: 11px system-ui, sans-serif; fill: #52606d } .axis { stroke: #9aa5b1 } .grid { stroke: #e4e9ee }
.gc { stroke: #0b6e99; fill: none; stroke-width: 1.4 } .skew { stroke: #b3402a; fill: none; stroke-width: 1.4 }
.forward { fill: #0b6e99 } .reverse { fill: #b3402a } .bar { fill: #7a5195 } figure { margin: 1em 0 }
"""


def table(path):
    """Return the rows of a tab-separated table as dictionaries."""
    lines = path.read_text().splitlines()
    names = lines[0].split("\t")
    return [dict(zip(names, line.split("\t"), strict=True)) for line in lines[1:]]


def by_contig(rows):
    """Group rows by their contig."""
    groups = {}
    for row in rows:
        groups.setdefault(row["contig"], []).append(row)
    return groups


def ticks(low, high, wanted=5):
    """Return round numbers that divide a range."""
    rough = (high - low) / wanted or 1
    power = 10.0 ** len(str(int(rough))) / 10 if rough >= 1 else 0.1
    step = next(m * power for m in (1, 2, 5, 10, 20) if m * power >= rough)
    first = -(-low // step) * step
    return [first + i * step for i in range(int((high - first) / step + 1e-9) + 1)]


def svg(height, label, *parts):
    """Return a picture with a text for those who do not see it."""
    body = "".join(parts)
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(label)}">{body}</svg>'


def line(xs, ys, length, top, height, css, unit):
    """Return a line plot over positions of a genome, with its axis on the left."""
    low, high = min(ys), max(ys)
    pad = (high - low) * 0.08 or 1
    low, high = low - pad, high + pad

    def place(x, y):
        return LEFT + x / length * (WIDTH - LEFT - 8), top + height - (y - low) / (high - low) * height

    parts = []
    for tick in ticks(low, high, 4):
        _, y = place(0, tick)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(a, b) for a, b in zip(xs, ys, strict=True)))
    parts.append(f'<polyline class="{css}" points="{points}"/>')
    parts.append(f'<text x="{LEFT}" y="{top - 5}">{escape(unit)}</text>')
    return "".join(parts)


def positions(length, y):
    """Return the axis of positions in kb."""
    parts = [f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 8}" y1="{y}" y2="{y}"/>']
    for tick in ticks(0, length / 1000, 8):
        x = LEFT + tick * 1000 / length * (WIDTH - LEFT - 8)
        parts.append(f'<text x="{x:.1f}" y="{y + 14}" text-anchor="middle">{tick:g} kb</text>')
    return "".join(parts)


def genome_map(orfs, length, top):
    """Return the open reading frames as boxes, one line a strand."""
    parts = []
    for name, start, end, strand, codons in orfs:
        x = LEFT + start / length * (WIDTH - LEFT - 8)
        width = max((end - start) / length * (WIDTH - LEFT - 8), 0.8)
        y, css = (top, "forward") if strand == "+" else (top + 16, "reverse")
        title = f"<title>{escape(name)} ({strand}), {codons} codons</title>"
        parts.append(f'<rect class="{css}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="12">{title}</rect>')
    for strand, y in (("+", top + 10), ("−", top + 26)):
        parts.append(f'<text x="{LEFT - 6}" y="{y}" text-anchor="end">{strand}</text>')
    return "".join(parts)


def landscape(name, windows, orfs):
    """Return the picture of one genome: GC content, cumulative GC skew, open reading frames."""
    length, width = int(windows[-1]["end"]), int(windows[0]["end"])
    # The rest at the end may be a few bases: its GC content would be noise.
    whole = [w for w in windows if 2 * (int(w["end"]) - int(w["start"])) >= width]
    middles = [(int(w["start"]) + int(w["end"])) / 2 for w in whole]
    return svg(
        360,
        f"GC content, cumulative GC skew and open reading frames along {name}",
        line(middles, [float(w["gc_percent"]) for w in whole], length, 20, 100, "gc", "GC content of each window (%)"),
        line(
            [0, *(int(w["end"]) for w in windows)], [0, *(int(w["cumulative_skew"]) for w in windows)], length, 150, 100,
            "skew", "Cumulative GC skew (G − C)",
        ),
        f'<text x="{LEFT}" y="278">Open reading frames: + above, − below</text>',
        genome_map(orfs, length, 286),
        positions(length, 328),
    )  # fmt: skip


def spectrum(words):
    """Return a histogram: how many different words occur how often, relative to the mean."""
    counts = [int(row["count"]) for row in words]
    mean = sum(counts) / len(counts) if counts else 1
    bins = [0] * 40
    for count in counts:
        bins[min(int(count / mean * 10), len(bins) - 1)] += 1
    top = max(bins) or 1
    step = (WIDTH - LEFT - 8) / len(bins)
    parts = []
    for number, value in enumerate(bins):
        height = 120 * value / top
        parts.append(
            f'<rect class="bar" x="{LEFT + number * step + 1:.1f}" y="{140 - height:.1f}" width="{step - 2:.1f}" '
            f'height="{height:.1f}"><title>{value} words</title></rect>'
        )
    for number in range(0, len(bins) + 1, 10):
        x = LEFT + number * step
        more = " or more" if number == len(bins) else ""
        anchor = "end" if more else "middle"
        parts.append(f'<text x="{x:.1f}" y="156" text-anchor="{anchor}">{number / 10:g}{more}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - 8}" y1="140" y2="140"/>')
    parts.append(
        f'<text x="{LEFT}" y="12">Different words (at most {top} in a bar), by count relative to the mean</text>'
    )
    return svg(164, "k-mer spectrum", *parts)


def main():
    """Write the page to stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--title", required=True)
    parser.add_argument("--summary", type=Path, required=True)
    parser.add_argument("--orfs", type=Path, required=True)
    parser.add_argument("--skews", type=Path, nargs="+", required=True)
    parser.add_argument("--kmers", type=Path, nargs="+", required=True)
    options = parser.parse_args()

    rows = table(options.summary)
    orfs = {}
    for text in options.orfs.read_text().splitlines():
        contig, start, end, name, _, strand, codons = text.split("\t")
        orfs.setdefault(contig, []).append((name, int(start), int(end), strand, codons))

    print(f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(options.title)}</title>')
    print(f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>')
    print(f"<h1>{escape(options.title)}</h1>")
    heads = {
        "contig": "Sequence", "length": "Length (bp)", "gc_percent": "GC (%)", "orfs": "ORFs",
        "longest_orf": "Longest ORF (codons)", "in_orfs_percent": "In ORFs (%)", "most_frequent_kmer": "Most frequent word",
    }  # fmt: skip
    print(
        "<table><thead><tr>" + "".join(f"<th>{escape(heads[name])}</th>" for name in rows[0]) + "</tr></thead><tbody>"
    )
    for row in rows:
        print("<tr>" + "".join(f"<td>{escape(value)}</td>" for value in row.values()) + "</tr>")
    print("</tbody></table>")
    print(
        '<p class="note">The cumulative GC skew often turns at the origin and at the terminus of replication. Counts of'
    )
    print("words join a word and its reverse complement.</p>")
    for skew, words in zip(options.skews, options.kmers, strict=True):
        for contig, windows in by_contig(table(skew)).items():
            print(f"<h2>{escape(contig)}</h2>")
            print(f"<figure>{landscape(contig, windows, orfs.get(contig, []))}</figure>")
        print(f"<figure>{spectrum(table(words))}</figure>")
    print("</body></html>")


if __name__ == "__main__":
    main()
