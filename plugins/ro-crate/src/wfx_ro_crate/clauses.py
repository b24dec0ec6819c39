"""Where each of our own rules stands: specification, version, and section."""

from __future__ import annotations

JSON_LD = "RO-Crate 1.1, RO-Crate JSON-LD"
ENTITIES = "RO-Crate 1.1, Common principles for RO-Crate entities"
ROOT = "RO-Crate 1.1, Root Data Entity"
DATA = "RO-Crate 1.1, Data Entities"
PATHS = "RO-Crate 1.1, Data Entities, Encoding file paths"
MAIN = "Workflow RO-Crate 1.0, Main Workflow"
PROCESS = "Process Run Crate 0.5, Requirements: action"
CONTEXT = "Process Run Crate 0.5, JSON-LD context"
WORKFLOW = "Workflow Run Crate 0.5, Requirements: ComputationalWorkflow"
PARAMETER = "Workflow Run Crate 0.5, Requirements: FormalParameter"
PROVENANCE = "Provenance Run Crate 0.5, Requirements"

CLAUSES = {
    "context": JSON_LD, "graph": JSON_LD, "nested": JSON_LD, "single-value": JSON_LD, "duplicate-id": JSON_LD,
    "entity-id": ENTITIES, "entity-type": ENTITIES, "dangling": ENTITIES,
    "descriptor": ROOT, "descriptor-type": ROOT, "descriptor-version": ROOT, "root": ROOT, "root-type": ROOT,
    "root-name": ROOT, "root-description": ROOT, "root-datepublished": ROOT, "root-license": ROOT,
    "root-author": "RO-Crate 1.1, Contextual Entities, People",
    "root-publisher": "RO-Crate 1.1, Contextual Entities, Publisher",
    "path": DATA, "missing": DATA, "not-listed": DATA, "local-path": DATA, "size": DATA, "unlisted": DATA,
    "folder-id": DATA, "unreadable": DATA, "encoding": PATHS,
    "sha256": "Workflow Run RO-Crate terms, sha256",
    "main-entity": MAIN, "main-type": MAIN, "main-language": MAIN,
    "main-howto": f"{PROVENANCE}: ComputationalWorkflow", "workflow-tools": f"{PROVENANCE}: ComputationalWorkflow",
    "tool-action": f"{PROVENANCE}: tool", "step-workflow": f"{PROVENANCE}: HowToStep",
    "step-tool": f"{PROVENANCE}: HowToStep", "control": f"{PROVENANCE}: ControlAction, OrganizeAction, ParameterConnection",
    "action-instrument": PROCESS, "action-status": PROCESS, "action-error": PROCESS, "action-time": PROCESS,
    "action-agent": PROCESS, "main-action": WORKFLOW, "run-context": CONTEXT, "run-version": CONTEXT,
    "parameter-type": PARAMETER, "parameter-example": PARAMETER, "parameter-back": PARAMETER,
}  # fmt: skip
