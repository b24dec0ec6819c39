#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Genotype likelihoods
doc: Computes genotype likelihoods at each position.

requirements:
  - class: InitialWorkDirRequirement
    # Relative names keep the paths of this machine out of the headers that the program writes.
    listing: [$(inputs.reference), $(inputs.alignments)]
hints:
  - class: SoftwareRequirement
    packages:
      bcftools:
        specs: ["https://identifiers.org/RRID:SCR_005227"]
        version: ["1.16"]

baseCommand: [bcftools, mpileup, --no-version, -O, b]
inputs:
  reference:
    type: File
    label: Reference genome with its index
    format: edam:format_1929
    secondaryFiles: [.fai]
  alignments:
    type: File
    label: Sorted alignments with their index
    format: edam:format_2572
    secondaryFiles: [.bai]
arguments:
  - {prefix: -f, valueFrom: $(inputs.reference.basename)}
  - $(inputs.alignments.basename)
stdout: likelihoods.bcf
outputs:
  likelihoods:
    type: stdout
    label: Genotype likelihoods
    format: edam:format_3020

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
