#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: Workflow
label: Variants of a haploid genome
doc: |
  Aligns read pairs to a small haploid genome with bowtie2, sorts the alignments with samtools, and calls variants with
  bcftools. The programs are taken from PATH.

inputs:
  reference:
    type: File
    label: Reference genome
    doc: FASTA, compressed with gzip.
  reads_1:
    type: File
    label: First reads of the pairs
    doc: FASTQ, may be compressed with gzip.
  reads_2:
    type: File
    label: Second reads of the pairs
    doc: FASTQ, in the order of the first reads.

steps:
  decompress:
    label: Decompress the reference
    run: tools/decompress.cwl
    in:
      file: reference
    out: [text]
  index_reference:
    label: Index the reference for alignment
    run: tools/bowtie2-build.cwl
    in:
      reference: decompress/text
    out: [indexed]
  faidx:
    label: Index the reference by position
    run: tools/faidx.cwl
    in:
      reference: decompress/text
    out: [indexed]
  align:
    label: Align the reads
    run: tools/bowtie2.cwl
    in:
      reference: index_reference/indexed
      reads_1: reads_1
      reads_2: reads_2
    out: [alignments, log]
  sort_alignments:
    label: Sort the alignments
    run: tools/sort.cwl
    in:
      alignments: align/alignments
    out: [sorted]
  index_alignments:
    label: Index the alignments
    run: tools/index.cwl
    in:
      alignments: sort_alignments/sorted
    out: [indexed]
  pileup:
    label: Compute genotype likelihoods
    run: tools/pileup.cwl
    in:
      reference: faidx/indexed
      alignments: index_alignments/indexed
    out: [likelihoods]
  call:
    label: Call variants
    run: tools/call.cwl
    in:
      likelihoods: pileup/likelihoods
    out: [variants]

outputs:
  alignments:
    type: File
    label: Sorted alignments with their index
    format: edam:format_2572
    secondaryFiles: [.bai]
    outputSource: index_alignments/indexed
  variants:
    type: File
    label: Variants
    format: edam:format_3016
    outputSource: call/variants
  alignment_rate:
    type: File
    label: Alignment rate
    format: edam:format_2330
    outputSource: align/log

s:name: Variants of a haploid genome
s:license: https://spdx.org/licenses/Apache-2.0
s:keywords: [variant calling, alignment, bowtie2, samtools, bcftools]

$namespaces:
  edam: http://edamontology.org/
  s: https://schema.org/
