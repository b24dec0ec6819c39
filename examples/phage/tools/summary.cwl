#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Summary of all genomes
doc: Joins the tables of all genomes into one, a row a contig.

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
      location: ../scripts/phage.py
    inputBinding: {position: 1}
  compositions:
    type: File[]
    label: Compositions
    format: edam:format_3475
    inputBinding: {position: 3, prefix: --compositions}
  kmers:
    type: File[]
    label: k-mer spectra
    doc: In the order of the compositions.
    format: edam:format_3475
    inputBinding: {position: 3, prefix: --kmers}
  orfs:
    type: File
    label: Open reading frames of all genomes
    format: edam:format_3003
    inputBinding: {position: 3, prefix: --orfs}
arguments:
  - position: 2
    valueFrom: summary

stdout: summary.tsv
outputs:
  table:
    type: stdout
    label: Summary
    doc: "contig, length, gc_percent, orfs, longest_orf (codons), in_orfs_percent, most_frequent_kmer."
    format: edam:format_3475

s:license: https://spdx.org/licenses/Apache-2.0

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
