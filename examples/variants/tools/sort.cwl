#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Sort alignments
doc: Sorts alignments by position.

hints:
  - class: SoftwareRequirement
    packages:
      samtools:
        specs: ["https://identifiers.org/RRID:SCR_002105"]
        version: ["1.16.1"]

baseCommand: [samtools, sort, --no-PG, -O, bam, -o, sorted.bam]
inputs:
  alignments:
    type: File
    label: Alignments
    format: edam:format_2573
    inputBinding: {position: 1}
outputs:
  sorted:
    type: File
    label: Sorted alignments
    format: edam:format_2572
    outputBinding:
      glob: sorted.bam

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
