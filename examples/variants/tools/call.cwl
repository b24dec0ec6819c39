#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Call variants
doc: Calls variants of a haploid genome.

hints:
  - class: SoftwareRequirement
    packages:
      bcftools:
        specs: ["https://identifiers.org/RRID:SCR_005227"]
        version: ["1.16"]

baseCommand: [bcftools, call, --no-version, --multiallelic-caller, --variants-only, --ploidy, "1", -O, v]
inputs:
  likelihoods:
    type: File
    label: Genotype likelihoods
    format: edam:format_3020
    inputBinding: {position: 1}
stdout: variants.vcf
outputs:
  variants:
    type: stdout
    label: Variants
    format: edam:format_3016

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
