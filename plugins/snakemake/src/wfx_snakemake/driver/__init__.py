"""The driver of Snakemake: a program of its own that never imports wfx, so that Snakemake's versions never meet ours.

It is started as `python -s FOLDER`, with an interpreter that needs Snakemake only. That is why its modules name each
other relatively: to itself the folder is the package `driver`, to wfx's tests it is `wfx_snakemake.driver`.
"""
