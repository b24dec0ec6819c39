"""The driver: a program of its own that starts Nextflow and tells what it does. It needs nothing but Python's library."""
