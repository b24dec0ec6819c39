#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Index a reference for alignment
doc: Builds the FM index of a genome beside it.

requirements:
  - class: InitialWorkDirRequirement
    # Relative names keep the paths of this machine out of the headers that the program writes.
    listing: [$(inputs.reference)]
hints:
  - class: SoftwareRequirement
    packages:
      bowtie2:
        specs: ["https://identifiers.org/RRID:SCR_016368"]
        version: ["2.5.0"]

baseCommand: [bowtie2-build, --quiet]
inputs:
  reference:
    type: File
    label: Reference genome
    format: edam:format_1929
arguments:
  - $(inputs.reference.basename)
  - $(inputs.reference.basename)
outputs:
  indexed:
    type: File
    label: Reference genome with its FM index
    format: edam:format_1929
    secondaryFiles: [.1.bt2, .2.bt2, .3.bt2, .4.bt2, .rev.1.bt2, .rev.2.bt2]
    outputBinding:
      glob: $(inputs.reference.basename)

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
