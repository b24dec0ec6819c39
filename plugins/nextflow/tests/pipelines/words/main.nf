#!/usr/bin/env nextflow
// Counts the words of texts: modules, a program in bin/, three ways to publish, a template of names.
nextflow.enable.dsl = 2

include { SPLIT                   } from './modules/local/split'
include { COUNT as COUNT_WORDS    } from './modules/local/count'
include { COUNT as COUNT_ALL      } from './modules/local/count'

workflow {
    texts = Channel.fromPath(params.texts, checkIfExists: true)
    SPLIT(texts)
    COUNT_WORDS(SPLIT.out.words)
    COUNT_ALL(COUNT_WORDS.out.counts.map { it[1] }.collectFile(name: 'all.txt', sort: true).map { ['all', it] })
}
