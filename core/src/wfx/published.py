"""Our own published distributions and their keys, so that one that is missing can be named. Never guess beyond this."""

from __future__ import annotations

PACKAGES: dict[str, dict[str, str]] = {
    "fetcher": {
        "wfx-azure": "abfs abfss az",
        "wfx-b2share": "b2share",
        "wfx-dataverse": "dataverse dataverse+http dataverse+https",
        "wfx-doi": "arxiv curie doi hdl isbn orcid pmc pmid pubmed ror rrid",
        "wfx-drs": "drs drs-object+http drs-object+https",
        "wfx-figshare": "figshare",
        "wfx-file": "data file",
        "wfx-fsspec": "*",
        "wfx-ftp": "ftp ftps",
        "wfx-galaxy": "galaxy+http galaxy+https",
        "wfx-git": "gh git+file git+git git+http git+https git+ssh",
        "wfx-gs": "gs",
        "wfx-htsget": "htsget htsgets",
        "wfx-http": "http https",
        "wfx-oci": "docker library oras",
        "wfx-osf": "osf",
        "wfx-s3": "s3",
        "wfx-sftp": "sftp ssh",
        "wfx-swh": "swh swh-content swh-tree",
        "wfx-trs": "dockstore trs workflowhub",
        "wfx-webdav": "dav davs webdav webdavs",
        "wfx-zenodo": "zenodo",
    },
    "container-factory": {
        "wfx-docker": "docker",
        "wfx-podman": "podman",
        "wfx-singularity": "singularity",
    },
    "engine": {
        "wfx-cwl": "cwl.cwltool",
        "wfx-galaxy": "galaxy.galaxy",
        "wfx-nextflow": "nextflow.nextflow",
        "wfx-snakemake": "snakemake.snakemake",
    },
    "exporter": {
        "wfx-bagit": "bagit bagit-zip",
        "wfx-ro-crate": "directory ro-crate zip",
    },
}
"""Kind → distribution → its keys, separated by blanks."""

PUBLISHED: dict[str, dict[str, str]] = {
    kind: {key: package for package, keys in packages.items() for key in keys.split()}
    for kind, packages in PACKAGES.items()
}
"""Kind → key → distribution."""
