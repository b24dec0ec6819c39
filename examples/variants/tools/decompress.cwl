#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Decompress
doc: Writes the text of a gzip file.

hints:
  - class: SoftwareRequirement
    packages:
      gzip:
        specs: ["https://www.gnu.org/software/gzip/"]

baseCommand: [gzip, --decompress, --stdout]
inputs:
  file:
    type: File
    label: Compressed file
    inputBinding: {position: 1}
  name:
    type: string
    label: Name of the result
    default: reference.fa
stdout: $(inputs.name)
outputs:
  text:
    type: stdout
    label: Decompressed file
    format: edam:format_1929

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
