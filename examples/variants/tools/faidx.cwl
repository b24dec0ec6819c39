#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Index a reference by position
doc: Writes the .fai index with which programs read parts of a FASTA file.

requirements:
  - class: InitialWorkDirRequirement
    # Relative names keep the paths of this machine out of the headers that the program writes.
    listing: [$(inputs.reference)]
hints:
  - class: SoftwareRequirement
    packages:
      samtools:
        specs: ["https://identifiers.org/RRID:SCR_002105"]
        version: ["1.16.1"]

baseCommand: [samtools, faidx]
inputs:
  reference:
    type: File
    label: Reference genome
    format: edam:format_1929
arguments:
  - $(inputs.reference.basename)
outputs:
  indexed:
    type: File
    label: Reference genome with its index
    format: edam:format_1929
    secondaryFiles: [.fai]
    outputBinding:
      glob: $(inputs.reference.basename)

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
