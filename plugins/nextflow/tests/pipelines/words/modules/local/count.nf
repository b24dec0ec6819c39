process COUNT {
    tag "$id"

    input:
    tuple val(id), path(words)

    output:
    tuple val(id), path("*.counts"), emit: counts

    script:
    def least = params.least as int
    """
    sort $words | uniq -c | awk '\$1 >= $least { print \$2, \$1 }' > "${id}.counts"
    echo "counted $id" >&2
    """
}
