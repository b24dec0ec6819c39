include { TRIM } from '../../../modules/local/trim/main'

workflow PREPARE {
    take:
    reads // channel: [ val(meta), [ reads ] ]

    main:
    TRIM(reads)

    emit:
    reads = TRIM.out.reads
}
