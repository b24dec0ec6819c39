// Writes the text of a gzip file.
process DECOMPRESS {
    input:
    path compressed

    output:
    path 'reference.fa', emit: text

    script:
    """
    gzip --decompress --stdout $compressed > reference.fa
    """
}

// Builds the FM index of a genome.
process INDEX_REFERENCE {
    input:
    path reference

    output:
    path "${reference}.*bt2", emit: index

    script:
    """
    bowtie2-build --quiet $reference $reference
    """
}

// Writes the .fai index with which programs read parts of a FASTA file.
process FAIDX {
    input:
    path reference

    output:
    path "${reference}.fai", emit: index

    script:
    """
    samtools faidx $reference
    """
}
