# ruff: noqa: F821, SIM115 (Snakemake puts the object `snakemake` there)
import sys

print("upper", snakemake.wildcards.part, file=sys.stderr)
open(snakemake.output[0], "w").write(open(snakemake.input[0]).read().upper())
