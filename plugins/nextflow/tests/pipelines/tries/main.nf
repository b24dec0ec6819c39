// A task that fails and is tried again, one whose failure is ignored, one that may end the run; optional outputs.
params.fail = false
params.words = ['one', 'two']
params.outdir = 'results'

process TRIED {
    tag "$word"
    errorStrategy 'retry'
    maxRetries 2
    publishDir "${params.outdir}/tried", mode: 'copy'

    input:
    val word

    output:
    tuple val(word), path("${word}.txt"), emit: made
    path "extra.txt", optional: true, emit: extra

    script:
    """
    echo "attempt ${task.attempt} of $word" >&2
    [ ${task.attempt} -gt 1 ] || [ $word != two ] || exit 7
    echo $word > ${word}.txt
    """
}

process IGNORED {
    errorStrategy 'ignore'

    input:
    tuple val(word), path(text)

    output:
    path 'never.txt'

    script:
    """
    true
    """
}

process LAST {
    publishDir "${params.outdir}", mode: 'copy'

    input:
    path texts

    output:
    path 'last.txt'

    script:
    """
    cat ${texts} | sort > last.txt
    ${params.fail ? 'echo "the last one is told to fail" >&2; exit 9' : ''}
    """
}

workflow {
    TRIED(Channel.fromList(params.words))
    IGNORED(TRIED.out.made)
    LAST(TRIED.out.made.map { it[1] }.collect(sort: true))
}
