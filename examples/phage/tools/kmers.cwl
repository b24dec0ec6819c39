#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: k-mer spectrum of a genome
doc: Counts the words of k letters over all contigs; a word and its reverse complement are one.

requirements:
  - class: ResourceRequirement
    coresMin: 1
    ramMin: 256
hints:
  - class: SoftwareRequirement
    packages:
      python:
        specs: ["https://identifiers.org/RRID:SCR_008394"]

baseCommand: python3

inputs:
  script:
    type: File
    label: The program
    default:
      class: File
      location: ../scripts/phage.py
    inputBinding: {position: 1}
  genome:
    type: File
    label: Genome
    doc: FASTA; one or more contigs.
    inputBinding: {position: 3}
  k:
    type: int
    label: Length of a word
    inputBinding: {position: 4, prefix: -k}
arguments:
  - position: 2
    valueFrom: kmers

stdout: $(inputs.genome.nameroot).kmers.tsv
outputs:
  table:
    type: stdout
    label: k-mer spectrum
    doc: "A row a word: kmer, count."
    format: edam:format_3475

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
