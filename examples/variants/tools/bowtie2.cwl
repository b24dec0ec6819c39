#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Align reads
doc: Aligns read pairs to a genome; the log has the alignment rate.

requirements:
  - class: InitialWorkDirRequirement
    # Relative names keep the paths of this machine out of the headers that the program writes.
    listing: [$(inputs.reference), $(inputs.reads_1), $(inputs.reads_2)]
hints:
  - class: SoftwareRequirement
    packages:
      bowtie2:
        specs: ["https://identifiers.org/RRID:SCR_016368"]
        version: ["2.5.0"]

baseCommand: bowtie2
inputs:
  reference:
    type: File
    label: Reference genome with its FM index
    format: edam:format_1929
    secondaryFiles: [.1.bt2, .2.bt2, .3.bt2, .4.bt2, .rev.1.bt2, .rev.2.bt2]
  reads_1:
    type: File
    label: First reads of the pairs
  reads_2:
    type: File
    label: Second reads of the pairs
arguments:
  - {prefix: -x, valueFrom: $(inputs.reference.basename)}
  - {prefix: "-1", valueFrom: $(inputs.reads_1.basename)}
  - {prefix: "-2", valueFrom: $(inputs.reads_2.basename)}
stdout: alignments.sam
stderr: bowtie2.log
outputs:
  alignments:
    type: stdout
    label: Alignments
    format: edam:format_2573
  log:
    type: stderr
    label: Alignment rate
    format: edam:format_2330

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
