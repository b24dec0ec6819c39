#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Composition of a genome
doc: Counts the letters of each contig of a FASTA file, with its length and GC content.

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
arguments:
  - position: 2
    valueFrom: composition

stdout: $(inputs.genome.nameroot).composition.tsv
outputs:
  table:
    type: stdout
    label: Composition
    doc: "A row a contig: contig, length, A, C, G, T, other, gc_percent."
    format: edam:format_3475

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
