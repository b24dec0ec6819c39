#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Index alignments
doc: Writes the .bai index of sorted alignments.

requirements:
  - class: InitialWorkDirRequirement
    # Relative names keep the paths of this machine out of the headers that the program writes.
    listing: [$(inputs.alignments)]
hints:
  - class: SoftwareRequirement
    packages:
      samtools:
        specs: ["https://identifiers.org/RRID:SCR_002105"]
        version: ["1.16.1"]

baseCommand: [samtools, index]
inputs:
  alignments:
    type: File
    label: Sorted alignments
    format: edam:format_2572
arguments:
  - $(inputs.alignments.basename)
outputs:
  indexed:
    type: File
    label: Sorted alignments with their index
    format: edam:format_2572
    secondaryFiles: [.bai]
    outputBinding:
      glob: $(inputs.alignments.basename)

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
