rule count:
    """Count the words of a sample."""
    input:
        lambda wildcards: config["samples"][wildcards.sample],
    output:
        "results/counts/{sample}.txt",
    log:
        "logs/count/{sample}.log",
    params:
        flag=config["flag"],
    benchmark:
        "benchmarks/count/{sample}.tsv"
    shell:
        "(wc {params.flag} < {input} | tr -d ' ' > {output}; echo counted {wildcards.sample} >&2) 2> {log}"


rule total:
    input:
        counts=expand("results/counts/{sample}.txt", sample=config["samples"]),
    output:
        "results/total.txt",
    script:
        "../scripts/total.py"
