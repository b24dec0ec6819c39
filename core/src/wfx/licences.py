"""Licences: the SPDX identifier of a licence's text, and of the names that people give it."""

from __future__ import annotations

import re

__all__ = ["licence_of_text", "spdx"]

MOST = 4000
"""Characters of a text that are looked at: it says early which licence it is."""
# In this order: the first that fits. The texts of the GNU licences do not say whether a later version will do.
TEXTS = (
    (r"GNU AFFERO GENERAL PUBLIC LICENSE Version 3", "AGPL-3.0-only"),
    (r"GNU LESSER GENERAL PUBLIC LICENSE Version 3", "LGPL-3.0-only"),
    (r"GNU LESSER GENERAL PUBLIC LICENSE Version 2\.1", "LGPL-2.1-only"),
    (r"GNU GENERAL PUBLIC LICENSE Version 3", "GPL-3.0-only"),
    (r"GNU GENERAL PUBLIC LICENSE Version 2", "GPL-2.0-only"),
    (r"Apache License,? Version 2\.0", "Apache-2.0"),
    (r"Mozilla Public License,? Version 2\.0", "MPL-2.0"),
    (r"EUROPEAN UNION PUBLIC LICENCE v\. ?1\.2", "EUPL-1.2"),
    (r"Artistic License 2\.0", "Artistic-2.0"),
    (r"Boost Software License - Version 1\.0", "BSL-1.0"),
    (r"CC0 1\.0 Universal", "CC0-1.0"),
    (r"Attribution-ShareAlike 4\.0 International", "CC-BY-SA-4.0"),
    (r"Attribution-NonCommercial 4\.0 International", "CC-BY-NC-4.0"),
    (r"Attribution 4\.0 International", "CC-BY-4.0"),
    (r"This is free and unencumbered software released into the public domain", "Unlicense"),
    (r"Permission to use, copy, modify, and/or distribute this software for any purpose", "ISC"),
    (r"Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    (r"Redistribution and use in source and binary forms.*Neither the name", "BSD-3-Clause"),
    (r"Redistribution and use in source and binary forms", "BSD-2-Clause"),
)
NAMES = {
    "mit": "MIT", "mit license": "MIT", "the mit license": "MIT", "apache 2.0": "Apache-2.0", "apache-2": "Apache-2.0",
    "apache license 2.0": "Apache-2.0", "apache license, version 2.0": "Apache-2.0", "apache2": "Apache-2.0",
    "apache 2": "Apache-2.0", "bsd-3": "BSD-3-Clause", "bsd 3-clause": "BSD-3-Clause", "bsd 2-clause": "BSD-2-Clause",
    "gplv3": "GPL-3.0-only", "gplv3+": "GPL-3.0-or-later", "gplv2": "GPL-2.0-only", "gplv2+": "GPL-2.0-or-later",
    "lgplv3": "LGPL-3.0-only", "agplv3": "AGPL-3.0-only", "cc0": "CC0-1.0", "cc-by": "CC-BY-4.0", "mpl 2.0": "MPL-2.0",
    "gpl-3.0": "GPL-3.0-only", "gpl-2.0": "GPL-2.0-only", "lgpl-3.0": "LGPL-3.0-only", "agpl-3.0": "AGPL-3.0-only",
    "gpl-3.0+": "GPL-3.0-or-later", "gpl-2.0+": "GPL-2.0-or-later",
}  # fmt: skip
ADDRESS = re.compile(
    r"https?://(?:www\.)?(?:spdx\.org/licenses|opensource\.org/licen[cs]es?)/([A-Za-z0-9.+\-]+?)(?:\.html|\.json|/)?"
)


def licence_of_text(text: str) -> str:
    """Return the SPDX identifier of a licence's text; empty for one that is not known."""
    head = " ".join(text[:MOST].split())
    return next((name for pattern, name in TEXTS if re.search(pattern, head, re.I)), "")


def spdx(stated: str) -> str:
    """Return the SPDX identifier that a name or address stands for; what is not known stays as it is stated."""
    stated = " ".join(stated.split())
    found = ADDRESS.fullmatch(stated)
    name = found[1] if found else stated
    return NAMES.get(name.lower(), name)
