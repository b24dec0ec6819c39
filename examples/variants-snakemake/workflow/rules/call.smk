rule pileup:
    """Compute genotype likelihoods at each position."""
    input:
        reference="reference/reference.fa",
        reference_index="reference/reference.fa.fai",
        alignments="results/sorted.bam",
        alignments_index="results/sorted.bam.bai",
    output:
        temp("results/likelihoods.bcf"),
    shell:
        "bcftools mpileup --no-version -O b -f {input.reference} {input.alignments} > {output}"


rule call:
    """Call variants of a haploid genome."""
    input:
        "results/likelihoods.bcf",
    output:
        "results/variants.vcf",
    shell:
        "bcftools call --no-version --multiallelic-caller --variants-only --ploidy 1 -O v {input} > {output}"
