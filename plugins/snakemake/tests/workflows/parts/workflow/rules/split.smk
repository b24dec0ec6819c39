checkpoint split:
    """Split the text into parts of so many lines."""
    input:
        config["text"],
    output:
        directory("parts"),
    shell:
        "mkdir {output}; split -l {config[lines]} {input} {output}/p."


rule upper:
    """Write a part in capitals."""
    input:
        "parts/p.{part}",
    output:
        protected("upper/{part}.txt"),
    script:
        "../scripts/upper.py"


def parts(wildcards):
    folder = checkpoints.split.get().output[0]
    found = glob_wildcards(folder + "/p.{part}").part
    return sorted(expand("upper/{part}.txt", part=found))


rule merge:
    """Put the parts together again."""
    input:
        parts,
    output:
        "out/merged.txt",
    shell:
        "cat {input} > {output}"
