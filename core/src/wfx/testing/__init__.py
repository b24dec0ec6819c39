"""The kit for testing wfx and its plugins: loopback servers with faults, hosts, crates, and what a test requires."""
