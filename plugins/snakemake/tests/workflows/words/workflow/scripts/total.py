# ruff: noqa: F821, SIM115 (Snakemake puts the object `snakemake` there)
with open(snakemake.output[0], "w") as out:
    print(sum(int(open(path).read()) for path in snakemake.input.counts), file=out)
