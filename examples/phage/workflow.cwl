#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: Workflow
label: Portrait of phage genomes
doc: |
  Measures genomes side by side: length and GC content, GC skew along the sequence, the spectrum of k-mers and the open
  reading frames of all six frames. Each genome is measured by itself; the results are merged into two tables and one
  HTML page with plots. It needs Python 3 and GNU coreutils, nothing else.

requirements:
  - class: ScatterFeatureRequirement

inputs:
  genomes:
    type: File[]
    label: Genomes
    # No format here: an engine would refuse files whose format nobody states, as in `-i genomes=@mine.fasta`.
    doc: FASTA files, one genome each.
  title:
    type: string
    label: Title of the report
    default: Phage genomes
  window:
    type: int
    label: Width of a window
    doc: Over which GC content and GC skew are measured, in bases.
    default: 500
  k:
    type: int
    label: Length of a word
    doc: Of the k-mer spectrum.
    default: 4
  minimum_orf:
    type: int
    label: Shortest open reading frame
    doc: In codons, without the stop.
    default: 100

steps:
  count_letters:
    label: Count letters
    run: tools/composition.cwl
    scatter: genome
    in:
      genome: genomes
    out: [table]
  measure_skew:
    label: Measure GC skew
    run: tools/skew.cwl
    scatter: genome
    in:
      genome: genomes
      window: window
    out: [table]
  count_kmers:
    label: Count k-mers
    run: tools/kmers.cwl
    scatter: genome
    in:
      genome: genomes
      k: k
    out: [table]
  find_orfs:
    label: Find open reading frames
    run: tools/orfs.cwl
    scatter: genome
    in:
      genome: genomes
      minimum: minimum_orf
    out: [frames]
  merge_orfs:
    label: Merge open reading frames
    run: tools/sort-orfs.cwl
    in:
      frames: find_orfs/frames
    out: [merged]
  summarise:
    label: Summarise
    run: tools/summary.cwl
    in:
      compositions: count_letters/table
      kmers: count_kmers/table
      orfs: merge_orfs/merged
    out: [table]
  write_report:
    label: Write the report
    run: tools/report.cwl
    in:
      title: title
      summary: summarise/table
      orfs: merge_orfs/merged
      skews: measure_skew/table
      kmers: count_kmers/table
    out: [page]

outputs:
  report:
    type: File
    label: Report
    doc: An HTML page with the summary and a plot of each genome.
    format: edam:format_2331
    outputSource: write_report/page
  summary:
    type: File
    label: Summary
    doc: A row a contig.
    format: edam:format_3475
    outputSource: summarise/table
  orfs:
    type: File
    label: Open reading frames
    doc: Of all genomes, the longest first.
    format: edam:format_3003
    outputSource: merge_orfs/merged
  kmers:
    type: File[]
    label: k-mer spectra
    doc: One a genome.
    format: edam:format_3475
    outputSource: count_kmers/table

s:name: Portrait of phage genomes
s:license: https://spdx.org/licenses/Apache-2.0
s:keywords: [bacteriophage, genome, GC skew, k-mer, open reading frame]

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
