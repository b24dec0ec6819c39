rule align:
    """Align the read pairs; the log has the alignment rate."""
    input:
        index=rules.index_reference.output,
        reads_1=config["reads_1"],
        reads_2=config["reads_2"],
    output:
        alignments=temp("results/alignments.sam"),
        log="results/bowtie2.log",
    threads: config["threads"]
    shell:
        "bowtie2 --reorder -p {threads} -x reference/reference.fa -1 {input.reads_1} -2 {input.reads_2}"
        " > {output.alignments} 2> {output.log}"


rule sort_alignments:
    """Sort the alignments by position."""
    input:
        "results/alignments.sam",
    output:
        "results/sorted.bam",
    shell:
        "samtools sort --no-PG -O bam -o {output} {input}"


rule index_alignments:
    """Index the sorted alignments."""
    input:
        "results/sorted.bam",
    output:
        "results/sorted.bam.bai",
    shell:
        "samtools index {input}"
