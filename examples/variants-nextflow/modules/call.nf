// Computes genotype likelihoods.
process PILEUP {
    input:
    path reference
    path faidx
    path alignments
    path index

    output:
    path 'likelihoods.bcf', emit: likelihoods

    script:
    """
    bcftools mpileup --no-version -O b -f $reference -o likelihoods.bcf $alignments
    """
}

// Calls variants of a haploid genome.
process CALL {
    publishDir params.outdir, mode: 'copy'

    input:
    path likelihoods

    output:
    path 'variants.vcf', emit: variants

    script:
    """
    bcftools call --no-version --multiallelic-caller --variants-only --ploidy 1 -O v -o variants.vcf $likelihoods
    """
}
