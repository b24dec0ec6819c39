"""What kind of file it is: media types by name, and the formats that workflows state."""

from __future__ import annotations

import mimetypes
import re

UNKNOWN = "application/octet-stream"
# What RO-Crate's validator takes for a media type (RFC 6838 §4.2, narrowed).
MEDIA_TYPE = re.compile(r"\w+/\w[\w.\-]*(\+\w[\w.\-]*)?")

# Names that the standard library does not know, or knows differently on each system.
BY_SUFFIX = {
    ".bai": UNKNOWN, ".bam": "application/x-bam", ".bcf": "application/x-bcf", ".bed": "text/x-bed",
    ".bz2": "application/x-bzip2", ".cram": "application/x-cram", ".crai": UNKNOWN, ".csv": "text/csv",
    ".cwl": "text/x+yaml", ".dict": "text/plain", ".err": "text/plain", ".fa": "text/x-fasta", ".fai": "text/plain",
    ".fasta": "text/x-fasta", ".fastq": "text/x-fastq", ".fna": "text/x-fasta", ".faa": "text/x-fasta",
    ".fq": "text/x-fastq", ".gb": "text/x-genbank", ".gff": "text/x-gff", ".gff3": "text/x-gff3", ".gtf": "text/x-gtf",
    ".gz": "application/gzip", ".h5": "application/x-hdf5", ".h5ad": "application/x-hdf5", ".hdf5": "application/x-hdf5",
    ".html": "text/html", ".jpeg": "image/jpeg", ".jpg": "image/jpeg", ".json": "application/json",
    ".jsonl": "application/jsonl", ".log": "text/plain", ".maf": "text/x-maf", ".md": "text/markdown",
    ".nwk": "text/x-nh", ".out": "text/plain", ".owl": "application/rdf+xml", ".parquet": "application/vnd.apache.parquet",
    ".pdb": "chemical/x-pdb", ".pdf": "application/pdf", ".png": "image/png", ".py": "text/x-python", ".r": "text/x-r",
    ".rdf": "application/rdf+xml", ".sam": "text/x-sam", ".sh": "application/x-sh", ".svg": "image/svg+xml",
    ".tar": "application/x-tar", ".tbi": UNKNOWN, ".tif": "image/tiff", ".tiff": "image/tiff",
    ".toml": "application/toml", ".tsv": "text/tab-separated-values", ".ttl": "text/turtle", ".txt": "text/plain",
    ".vcf": "text/x-vcf", ".wig": "text/x-wig", ".xml": "application/xml", ".yaml": "application/yaml",
    ".yml": "application/yaml", ".zip": "application/zip", ".zst": "application/zstd",
}  # fmt: skip

EDAM = re.compile(r"https?://edamontology\.org/(format_\d+)")
# Labels of the EDAM formats that are met most, so that a reader need not look them up.
EDAM_LABELS = {
    "format_1196": "SMILES", "format_1475": "PDB", "format_1476": "PDB", "format_1910": "Newick", "format_1915": "Format",
    "format_1929": "FASTA", "format_1930": "FASTQ", "format_1936": "GenBank format", "format_1964": "plain text format",
    "format_1975": "GFF3", "format_2306": "GTF", "format_2330": "Textual format", "format_2331": "HTML",
    "format_2332": "XML", "format_2333": "Binary format", "format_2572": "BAM", "format_2573": "SAM",
    "format_3003": "BED", "format_3006": "bigWig", "format_3016": "VCF", "format_3020": "BCF", "format_3256": "N-Triples",
    "format_3261": "RDF/XML", "format_3327": "BAI", "format_3462": "CRAM", "format_3464": "JSON", "format_3475": "TSV",
    "format_3508": "PDF", "format_3547": "Image format", "format_3579": "JPG", "format_3590": "HDF5",
    "format_3603": "PNG", "format_3604": "SVG", "format_3617": "MAF", "format_3671": "Text", "format_3700": "Tabix index",
    "format_3750": "YAML", "format_3752": "CSV", "format_3987": "ZIP format", "format_3989": "GZIP format",
}  # fmt: skip


def media_type(name: str, stated: str | None = None) -> str:
    """Return the media type of a file by its name; what a place stated serves where the name says nothing."""
    lower = name.lower()
    suffix = "." + lower.rpartition(".")[2] if "." in lower.strip(".") else ""
    found = BY_SUFFIX.get(suffix) or mimetypes.types_map.get(suffix)
    if found is None and stated:
        candidate = stated.partition(";")[0].strip().lower()
        found = candidate if MEDIA_TYPE.fullmatch(candidate) else None
    return found or UNKNOWN


def format_label(iri: str) -> str:
    """Return a name for a format's IRI."""
    match = EDAM.fullmatch(iri)
    if match:
        return EDAM_LABELS.get(match[1], f"EDAM {match[1]}")
    return iri.rstrip("/").rpartition("/")[2].rpartition("#")[2] or iri
