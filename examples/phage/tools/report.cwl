#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Report
doc: Writes one self-contained HTML page with the summary and a plot of each genome.

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
      location: ../scripts/report.py
    inputBinding: {position: 1}
  title:
    type: string
    label: Title of the page
    inputBinding: {position: 2, prefix: --title}
  summary:
    type: File
    label: Summary of all genomes
    format: edam:format_3475
    inputBinding: {position: 2, prefix: --summary}
  orfs:
    type: File
    label: Open reading frames of all genomes
    format: edam:format_3003
    inputBinding: {position: 2, prefix: --orfs}
  skews:
    type: File[]
    label: GC skews
    format: edam:format_3475
    inputBinding: {position: 2, prefix: --skews}
  kmers:
    type: File[]
    label: k-mer spectra
    doc: In the order of the GC skews.
    format: edam:format_3475
    inputBinding: {position: 2, prefix: --kmers}

stdout: report.html
outputs:
  page:
    type: stdout
    label: Report
    doc: An HTML page that needs nothing else.
    format: edam:format_2331

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
