// Aligns read pairs to a genome; the log has the alignment rate.
process ALIGN {
    publishDir params.outdir, mode: 'copy', pattern: 'bowtie2.log'

    input:
    path index
    tuple path(reads_1), path(reads_2)

    output:
    path 'alignments.sam', emit: alignments
    path 'bowtie2.log'   , emit: log

    script:
    """
    bowtie2 -x reference.fa -1 $reads_1 -2 $reads_2 > alignments.sam 2> bowtie2.log
    """
}

// Sorts alignments by position.
process SORT_ALIGNMENTS {
    publishDir params.outdir, mode: 'copy'

    input:
    path alignments

    output:
    path 'alignments.bam', emit: sorted

    script:
    """
    samtools sort --no-PG -o alignments.bam $alignments
    """
}

// Writes the .bai index of sorted alignments.
process INDEX_ALIGNMENTS {
    publishDir params.outdir, mode: 'copy'

    input:
    path alignments

    output:
    path "${alignments}.bai", emit: index

    script:
    """
    samtools index $alignments
    """
}
