# ruff: noqa: T201 (what is printed is the result)
"""Measure phage genomes: composition, GC skew, k-mers and open reading frames, one table on stdout.

Python's standard library is all it needs. Sequences are read as linear; letters other than A, C, G and T are counted as
`other` and end every k-mer and reading frame that they touch.
"""

import argparse
from collections import Counter
from pathlib import Path

COMPLEMENT = str.maketrans("ACGT", "TGCA")
STARTS = {"ATG", "GTG", "TTG"}  # the frequent ones of genetic code 11 (bacteria, archaea and their phages)
STOPS = {"TAA", "TAG", "TGA"}


def contigs(path):
    """Yield name and sequence of each contig of a FASTA file."""
    name, parts = None, []
    with open(path, encoding="ascii") as file:
        for line in file:
            if line.startswith(">"):
                if name is not None:
                    yield name, "".join(parts)
                name, parts = line[1:].split()[0], []
            else:
                parts.append(line.strip().upper())
    if name is None:
        raise SystemExit(f"{path}: no FASTA header")
    yield name, "".join(parts)


def show(*cells):
    """Print one row."""
    print(*cells, sep="\t")


def reverse_complement(sequence):
    """Return the other strand, 5' to 3'."""
    return sequence.translate(COMPLEMENT)[::-1]


def composition(options):
    """Count the letters of each contig."""
    show("contig", "length", "A", "C", "G", "T", "other", "gc_percent")
    for name, sequence in contigs(options.genome):
        counts = [sequence.count(letter) for letter in "ACGT"]
        known = sum(counts)
        gc = 100 * (counts[1] + counts[2]) / known if known else 0
        show(name, len(sequence), *counts, len(sequence) - known, f"{gc:.3f}")


def skew(options):
    """Measure GC content and GC skew, (G - C) / (G + C), in windows that follow each other without overlap."""
    show("contig", "start", "end", "gc_percent", "gc_skew", "cumulative_skew")
    for name, sequence in contigs(options.genome):
        cumulative = 0
        for start in range(0, len(sequence), options.window):
            window = sequence[start : start + options.window]
            g, c = window.count("G"), window.count("C")
            known = g + c + window.count("A") + window.count("T")
            cumulative += g - c
            gc = 100 * (g + c) / known if known else 0
            balance = (g - c) / (g + c) if g + c else 0
            show(name, start, start + len(window), f"{gc:.3f}", f"{balance:.5f}", cumulative)


def kmers(options):
    """Count the words of k letters over all contigs; a word and its reverse complement are one."""
    counts = Counter()
    for _, sequence in contigs(options.genome):
        seen = Counter(sequence[i : i + options.k] for i in range(len(sequence) - options.k + 1))
        for word, count in seen.items():
            if set(word) <= set("ACGT"):
                counts[min(word, reverse_complement(word))] += count
    show("kmer", "count")
    for word, count in sorted(counts.items()):
        show(word, count)


def orfs(options):
    """Find open reading frames in all six frames, from the first start codon after a stop to the next stop.

    Rows are BED6 and a seventh column, the number of codons without the stop.
    """
    for name, sequence in contigs(options.genome):
        length = len(sequence)
        for strand, text in (("+", sequence), ("-", reverse_complement(sequence))):
            for start, end in frames(text, options.minimum):
                first, last = (start, end) if strand == "+" else (length - end, length - start)
                show(name, first, last, f"{name}:{first + 1}-{last}", 0, strand, (end - start) // 3 - 1)


def frames(text, minimum):
    """Yield start and end (with the stop codon) of the reading frames of one strand."""
    for frame in range(3):
        start = None
        for position in range(frame, len(text) - 2, 3):
            codon = text[position : position + 3]
            if codon in STOPS:
                if start is not None and (position - start) // 3 >= minimum:
                    yield start, position + 3
                start = None
            elif not set(codon) <= set("ACGT"):
                start = None
            elif start is None and codon in STARTS:
                start = position


def summary(options):
    """Join the tables of all genomes into one, a row a genome, in the order given."""
    frames_of = {}
    for line in options.orfs.read_text().splitlines():
        cells = line.split("\t")
        frames_of.setdefault(cells[0], []).append((int(cells[1]), int(cells[2]), int(cells[6])))
    show("contig", "length", "gc_percent", "orfs", "longest_orf", "in_orfs_percent", "most_frequent_kmer")
    for table, words in zip(options.compositions, options.kmers, strict=True):
        counted = [line.split("\t") for line in words.read_text().splitlines()[1:]]
        word, count = max(counted, key=lambda row: (int(row[1]), row[0])) if counted else ("", "0")
        for line in table.read_text().splitlines()[1:]:
            name, length, *_, gc = line.split("\t")
            found = frames_of.get(name, [])
            longest = max((codons for _, _, codons in found), default=0)
            covered = 100 * covered_length(found) / int(length) if int(length) else 0
            show(name, length, gc, len(found), longest, f"{covered:.1f}", f"{word} ({count})")


def covered_length(intervals):
    """Return how many positions lie in at least one of the intervals."""
    total, reached = 0, 0
    for start, end, _ in sorted(intervals):
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total


def main():
    """Run one command."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    for function in (composition, skew, kmers, orfs):
        command = commands.add_parser(function.__name__, description=function.__doc__)
        command.set_defaults(function=function)
        command.add_argument("genome", type=Path)
        if function is skew:
            command.add_argument("--window", type=int, required=True)
        elif function is kmers:
            command.add_argument("-k", type=int, required=True)
        elif function is orfs:
            command.add_argument("--minimum", type=int, required=True, help="codons, without the stop")
    command = commands.add_parser("summary", description=summary.__doc__)
    command.set_defaults(function=summary)
    command.add_argument("--compositions", type=Path, nargs="+", required=True)
    command.add_argument("--kmers", type=Path, nargs="+", required=True)
    command.add_argument("--orfs", type=Path, required=True)
    options = parser.parse_args()
    for name in ("window", "k", "minimum"):
        if getattr(options, name, 1) < 1:
            parser.error(f"{name} must be at least 1")
    options.function(options)


if __name__ == "__main__":
    main()
