"""Run Common Workflow Language workflows with cwltool in wfx."""

__version__ = "0.1.0"
