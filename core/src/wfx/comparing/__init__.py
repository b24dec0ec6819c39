"""Compare two runs: their outputs byte by byte and, where the bytes differ, by what the files mean.

`sides` reads what is compared from a crate, `comparators` are the ways in which two files may be the same, `judging`
holds one run against another, `pages` shows the result in a browser.
"""
