process TRIM {
    tag "$meta.id"
    publishDir "${params.outdir}/trimmed", mode: 'copy'

    input:
    tuple val(meta), path(reads)

    output:
    tuple val(meta), path("${meta.id}.trimmed.txt"), emit: reads

    script:
    """
    cat $reads | cut -c 1-${params.keep} > ${meta.id}.trimmed.txt
    """
}
