#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Open reading frames of a genome
doc: Finds open reading frames in all six frames, from the first start codon (ATG, GTG, TTG) after a stop to the next stop.

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
  minimum:
    type: int
    label: Shortest open reading frame
    doc: In codons, without the stop.
    inputBinding: {position: 4, prefix: --minimum}
arguments:
  - position: 2
    valueFrom: orfs

stdout: $(inputs.genome.nameroot).orfs.bed
outputs:
  frames:
    type: stdout
    label: Open reading frames
    doc: "BED6 and a seventh column, the number of codons without the stop."
    format: edam:format_3003

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
