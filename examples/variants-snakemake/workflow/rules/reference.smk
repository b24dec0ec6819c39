rule decompress:
    """Decompress the reference."""
    input:
        config["reference"],
    output:
        "reference/reference.fa",
    shell:
        "gzip --decompress --stdout {input} > {output}"


rule index_reference:
    """Build the FM index of the genome."""
    input:
        "reference/reference.fa",
    output:
        multiext(
            "reference/reference.fa",
            ".1.bt2",
            ".2.bt2",
            ".3.bt2",
            ".4.bt2",
            ".rev.1.bt2",
            ".rev.2.bt2",
        ),
    shell:
        "cd reference && bowtie2-build --quiet reference.fa reference.fa"


rule faidx:
    """Index the reference by position."""
    input:
        "reference/reference.fa",
    output:
        "reference/reference.fa.fai",
    shell:
        "samtools faidx {input}"
