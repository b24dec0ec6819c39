process ALIGN {
    tag "$meta.id"
    publishDir "${params.outdir}/aligned", mode: 'copy'

    input:
    tuple val(meta), path(reads)
    path reference

    output:
    tuple val(meta), path("*.aligned.txt"), emit: aligned

    script:
    def against = reference ? "grep -x -F -f $reference" : "cat"
    """
    ($against $reads || true) > ${meta.id}.aligned.txt
    """
}
