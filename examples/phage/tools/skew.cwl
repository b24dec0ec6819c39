#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: GC skew of a genome
doc: Measures GC content and GC skew, (G - C) / (G + C), in windows that follow each other without overlap.

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
  window:
    type: int
    label: Width of a window
    doc: In bases.
    inputBinding: {position: 4, prefix: --window}
arguments:
  - position: 2
    valueFrom: skew

stdout: $(inputs.genome.nameroot).skew.tsv
outputs:
  table:
    type: stdout
    label: GC skew
    doc: "A row a window: contig, start (from 0), end, gc_percent, gc_skew, cumulative_skew."
    format: edam:format_3475

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
