/*
 * One word a line.
 */
process SPLIT {
    tag "${text.baseName}"
    label 'process_low'

    input:
    path text

    output:
    tuple val(text.baseName), path("${text.baseName}.words"), emit: words
    path "versions.yml"                                     , emit: versions

    script:
    """
    words.sh "$text" > "${text.baseName}.words"
    echo "split: ${task.process}" > versions.yml
    """
}
