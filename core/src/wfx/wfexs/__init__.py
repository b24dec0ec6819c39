"""What users of WfExS-backend have, read as it is: stage definitions and security contexts.

`wfx.wfexs.stages` turns a stage definition (`*.wfex.stage`) into a definition of wfx, and says item by item what has no
counterpart; `wfx.wfexs.contexts` turns security contexts into credentials. Source: the JSON Schemas of WfExS-backend,
`stage-definition.json` and `security-context.json`.
"""
