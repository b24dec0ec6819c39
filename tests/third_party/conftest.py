# Strangers' plugins are no part of the workspace: tests/test_third_party.py installs each and runs its tests.
collect_ignore_glob = ["*/tests/*"]
