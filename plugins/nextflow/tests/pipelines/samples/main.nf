// A samplesheet, a subworkflow, an optional input: the shape of nf-core's pipelines.
include { PREPARE } from './subworkflows/local/prepare'
include { ALIGN   } from './modules/local/align/main'

workflow SAMPLES {
    take:
    sheet
    reference

    main:
    rows = Channel.fromPath(sheet).splitCsv(header: true).map { row ->
        [[id: row.sample, single: !row.reads_2], row.reads_2 ? [file(row.reads_1), file(row.reads_2)] : [file(row.reads_1)]]
    }
    PREPARE(rows)
    ALIGN(PREPARE.out.reads, reference ? file(reference, checkIfExists: true) : [])

    emit:
    aligned = ALIGN.out.aligned
}

workflow {
    if (!params.input) {
        error "give a samplesheet with --input"
    }
    SAMPLES(params.input, params.reference)
}
