#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Merge open reading frames
doc: Merges the open reading frames of all genomes into one table, the longest first, with sort of GNU coreutils.

requirements:
  - class: EnvVarRequirement
    envDef:
      LC_ALL: C
  - class: ResourceRequirement
    coresMin: 1
    ramMin: 256
hints:
  - class: SoftwareRequirement
    packages:
      coreutils:
        specs: ["https://www.gnu.org/software/coreutils/"]

baseCommand: [sort, "--key=7,7nr", "--key=1,1", "--key=2,2n"]

inputs:
  frames:
    type: File[]
    label: Open reading frames
    format: edam:format_3003
    inputBinding: {position: 1}

stdout: orfs.bed
outputs:
  merged:
    type: stdout
    label: Open reading frames of all genomes
    doc: BED6 and a seventh column, the number of codons without the stop; the longest first.
    format: edam:format_3003

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
