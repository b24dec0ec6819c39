#!/usr/bin/env nextflow
// Variants of a haploid genome: bowtie2 aligns read pairs, samtools sorts and indexes them, bcftools calls variants.

include { DECOMPRESS; INDEX_REFERENCE; FAIDX      } from './modules/reference'
include { ALIGN; SORT_ALIGNMENTS; INDEX_ALIGNMENTS } from './modules/align'
include { PILEUP; CALL                             } from './modules/call'

workflow {
    reads = Channel.of([file(params.reads_1, checkIfExists: true), file(params.reads_2, checkIfExists: true)])

    DECOMPRESS(file(params.reference, checkIfExists: true))
    INDEX_REFERENCE(DECOMPRESS.out.text)
    FAIDX(DECOMPRESS.out.text)

    ALIGN(INDEX_REFERENCE.out.index.first(), reads)
    SORT_ALIGNMENTS(ALIGN.out.alignments)
    INDEX_ALIGNMENTS(SORT_ALIGNMENTS.out.sorted)

    PILEUP(DECOMPRESS.out.text, FAIDX.out.index, SORT_ALIGNMENTS.out.sorted, INDEX_ALIGNMENTS.out.index)
    CALL(PILEUP.out.likelihoods)
}
