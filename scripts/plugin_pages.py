"""The generated parts of docs/plugins/: hooks, interfaces, keys, and the kit for tests, from the code and its docstrings."""

import ast
import importlib
import inspect
import os
import re
import subprocess
from pathlib import Path

from wfx import hookspecs, templates
from wfx.plugins import KINDS, PUBLISHED
from wfx.testing import WHERE, archives, plugin

ROOT = Path(__file__).resolve().parent.parent

PAGES = {
    "fetcher": "fetchers.md",
    "container-factory": "container-factories.md",
    "engine": "engines.md",
    "exporter": "exporters.md",
}
# What the page of a kind shows beside its own module: what is handed to a plugin, or comes back from it.
BESIDE = {
    "fetcher": {
        "wfx.references": ("Reference",),
        "wfx.net": ("Net", "Access", "TemporaryFailure", "AuthenticationNeeded"),
        "wfx.net.credentials": ("Credential",),
    },
    "container-factory": {
        "wfx.images.layouts": ("Image", "ImageFacts", "read_layout"),
        "wfx.images.unpacking": ("unpack_image",),
        "wfx.dockerline": ("read_docker_line", "ContainerStart", "ContainerMount", "ImageLook"),
    },
    "engine": {
        "wfx.descriptions": ("DocumentReference", "ImageNeed", "Software", "Tool", "Step", "Connection", "Description"),
        "wfx.events": ("StepEvent", "WorkflowForm", "EngineResult"),
        "wfx.drivers": ("Driver",),
        "wfx.providing": ("Provision", "python_environment", "environment_python"),
        "wfx.values": ("Parameter", "ValueType", "Field", "SecondaryFile"),
        "wfx.staging": ("StagedRun",),
        "wfx.runtimes": ("Runtime",),
    },
    "exporter": {
        "wfx.running": ("RunRecord", "Agent", "Publication"),
        "wfx.planning": ("Plan", "PlannedWorkflow", "PlannedInput", "PlannedImage"),
        "wfx.staging": ("Lock", "Locked", "StagedImage"),
        "wfx.net": ("Contact",),
    },
}
MODULES = {"fetcher": "wfx.fetching", "container-factory": "wfx.containers", "engine": "wfx.engines",
           "exporter": "wfx.exporting"}  # fmt: skip
# The core's own side of what stands in a plugin's module or is handed to it.
NOT_FOR_PLUGINS = {
    "Net": {"cancel", "close", "contacts", "credentials", "trusted"},
    "wfx.exporting": {"exporter_of"},
}
# Modules whose docstring says what all their classes have in common.
TOLD = ("wfx.values", "wfx.drivers", "wfx.providing", "wfx.dockerline")
SPECIAL = ("__init__", "__call__")


# -- hooks


def hooks():
    """Return a section for each hook."""
    return "\n\n".join(_hook(kind) for kind in KINDS)


def _hook(kind):
    group, name, people = KINDS[kind]
    function = getattr(hookspecs, name)
    node = next(n for n in _tree("wfx.hookspecs").body if isinstance(n, ast.FunctionDef) and n.name == name)
    doc = inspect.getdoc(function)
    fields = dict(re.findall(r"^:?(param \w+|return|versionadded): +(.*?)$", doc, re.M))
    arguments = [argument.arg for argument in node.args.args]
    rows = [(f"argument `{argument}`", fields[f"param {argument}"]) for argument in arguments] or [
        ("arguments", "none")
    ]
    rows += [
        ("returns", f"`{ast.unparse(node.returns)}`: {fields['return']}"),
        ("group of entry points", f"`{group}`"),
        ("interface", f"[{people}s]({PAGES[kind]})".replace("factorys", "factories")),
        ("since", fields["versionadded"]),
    ]
    return "\n\n".join([f"## {name}({', '.join(arguments)})", doc.partition("\n")[0], table(("", ""), rows)])


# -- interfaces


def interface(kind):
    """Return the interface of a kind: its classes with their attributes and methods, then what goes in and out."""
    module = importlib.import_module(MODULES[kind])
    names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
    hidden = NOT_FOR_PLUGINS.get(MODULES[kind], set())
    own = [
        node
        for node in _tree(MODULES[kind]).body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)) and node.name in names and node.name not in hidden
    ]
    root = _root(kind)
    classes = [node for node in own if isinstance(node, ast.ClassDef)]
    # The interface first, as a reader looks for it; then the values, in the order of the code.
    first = [node for node in classes if issubclass(getattr(module, node.name), root)]
    parts = [f"## The interface\n\nModule `{MODULES[kind]}`."]
    parts += [_class(node) for node in first]
    parts.append("## Values")
    parts += [_class(node) for node in classes if node not in first]
    functions = [node for node in own if isinstance(node, ast.FunctionDef)]
    if functions:
        parts.append("## Helpers")
        parts += [_function(node, "###") for node in functions]
    for name, wanted in BESIDE[kind].items():
        found = {node.name: node for node in _tree(name).body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
        parts.append(f"## From `{name}`")
        if name in TOLD:
            parts.append(_doc(_tree(name)))
        for node in (found[each] for each in wanted):
            parts.append(_class(node) if isinstance(node, ast.ClassDef) else _function(node, "###"))
    return "\n\n".join(parts)


def _root(kind):
    from wfx.plugins import INTERFACES

    module, name = INTERFACES[kind]
    return getattr(importlib.import_module(module), name)


def _class(node):
    bases = [ast.unparse(base) for base in node.bases]
    kinds = [base for base in bases if base not in ("ABC", "Protocol")]
    head = f"### {node.name}" + (f" ({', '.join(kinds)})" if kinds else "")
    parts = [head, _doc(node)]
    rows = list(_attributes(node))
    if rows:
        parts.append(table(("attribute", "type", "default", "meaning"), rows))
    hidden = NOT_FOR_PLUGINS.get(node.name, set())
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and (item.name in SPECIAL or item.name[0] != "_"):
            if item.name in hidden or (item.name in SPECIAL and not _has_doc(item)):
                continue
            parts.append(_function(item, "####"))
    return "\n\n".join(filter(None, parts))


def _attributes(node):
    for item, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(item, ast.AnnAssign) and not item.target.id.startswith("_"):
            kind = re.sub(r"^ClassVar\[(.*)\]$", r"\1", ast.unparse(item.annotation))
            default = "" if item.value is None else f"`{_default(item.value)}`"
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            meaning = " ".join(inspect.cleandoc(after.value.value).split()) if told else ""
            yield f"`{item.target.id}`", f"`{kind}`", default, meaning


def _default(node):
    text = ast.unparse(node)
    match = re.fullmatch(r"field\((?:default=(.*?)|default_factory=(dict|list|tuple))(?:, .*)?\)", text)
    return text if match is None else match[1] or {"dict": "{}", "list": "[]", "tuple": "()"}[match[2]]


def _function(node, mark):
    marks = {ast.unparse(decorator) for decorator in node.decorator_list}
    if "property" in marks:
        return f"{mark} {node.name}\n\n`{ast.unparse(node.returns)}`, read-only. {_doc(node)}"
    notes = ["to be written"] if "abstractmethod" in marks else []
    notes += ["of the class"] if "classmethod" in marks else []
    names = {"__init__": ("Making one", ""), "__call__": ("Calling it", "")}
    title, shown = names.get(node.name, (node.name, node.name))
    returns = f" -> {ast.unparse(node.returns)}" if node.returns is not None and node.name != "__init__" else ""
    signature = f"    {shown}({', '.join(_arguments(node.args))}){returns}"
    return "\n\n".join([f"{mark} {title}", signature, _notes(notes) + _doc(node)])


def _arguments(arguments):
    """Yield the arguments as they are written by hand, without the instance or class."""
    given = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(given) - len(arguments.defaults)) + arguments.defaults
    for argument, default in zip(given, defaults, strict=True):
        if argument.arg not in ("self", "cls"):
            yield _argument(argument, default)
    if arguments.vararg:
        yield f"*{_argument(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwarg:
        yield f"**{_argument(arguments.kwarg)}"


def _argument(argument, default=None):
    kind = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    return argument.arg + kind + (f" = {ast.unparse(default)}" if default is not None else "")


def _notes(notes):
    return f"*{', '.join(notes).capitalize()}.* " if notes else ""


def _has_doc(node):
    return ast.get_docstring(node) is not None


def _doc(node):
    """Return a docstring as Markdown: what it writes as a literal block is one here too."""
    text = ast.get_docstring(node) or ""
    return re.sub(r"::$", ":", re.sub(r"^::\n\n", "", text, flags=re.M), flags=re.M)


# -- keys


def members(folder):
    """Return the pyproject.toml of each plugin below a folder; of what git knows, where there is git."""
    found = sorted((ROOT / "plugins" / folder).glob("*/pyproject.toml"))
    listed = subprocess.run(["git", "ls-files", "plugins"], cwd=ROOT, capture_output=True, text=True, check=False)
    known = {ROOT / line for line in listed.stdout.splitlines()}
    return [path for path in found if path in known or not known]


def known_keys():
    """Return the table of well-known keys, as the core names a package to install."""
    folders = {path.parent.name: path.parent / "README.md" for folder in (".", "fetchers") for path in members(folder)}
    rows = []
    for kind, keys in PUBLISHED.items():
        for key, package in sorted(keys.items()):
            page = folders.get(package.removeprefix("wfx-"))
            link = f"[{package}]({os.path.relpath(page, ROOT / 'docs' / 'plugins')})" if page else package
            rows.append((KINDS[kind][2], f"`{key}`", link))
    return table(("kind", "key", "package"), rows)


def kept_names():
    """Return the names that `wfx plugins new` refuses."""
    return ", ".join(f"`wfx-{name}`" for name in sorted(templates.OURS)) + "."


# -- the kit for tests


def rules(kind):
    """Return what an author gives to the contract of a kind, and the rules that come of it."""
    return _rules(_contract(kind))


def speaking():
    """Return the same for what speaks Docker's command line."""
    return _rules(_contract("speaking"))


def provided():
    """Return the same for engines that wfx provides."""
    return _rules(_contract("provided"))


def _rules(contract):
    given, tests = [], []
    for cls in reversed(contract.__mro__[:-1]):
        node = next(n for n in _tree(cls.__module__).body if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
        for name, _, default, meaning in _attributes(node):
            given.append((name, default or "to be given", meaning))
        for item in node.body:
            if not isinstance(item, ast.FunctionDef) or item.name[0] == "_":
                continue
            if item.name.startswith("test_"):
                tests.append((f"`{item.name}`", _one_line(item), _holds_for(getattr(cls, item.name))))
            elif item.name != "shape" and (
                item.name == "place" or not any("fixture" in ast.unparse(d) for d in item.decorator_list)
            ):
                needed = "NotImplementedError" in ast.unparse(item)
                names = ", ".join(a.arg for a in item.args.args[1:])
                given.append((f"`{item.name}({names})`", "to be written" if needed else "is there", _one_line(item)))
    # Where all rules are for everybody there is nothing to say of it.
    extra = any(row[2] for row in tests)
    rows = tests if extra else [row[:2] for row in tests]
    return "\n\n".join([
        table(("you give", "", "what it is"), given),
        table(("rule", "what it asks", "for")[: 3 if extra else 2], rows),
    ])  # fmt: skip


def _contract(kind):
    name = {"fetcher": "FetcherContract", "container-factory": "ContainerFactoryContract", "engine": "EngineContract",
            "exporter": "ExporterContract", "speaking": "SpeakingFactoryContract",
            "provided": "ProvidedEngineContract"}[kind]  # fmt: skip
    return getattr(importlib.import_module(f"wfx.testing.{WHERE[name]}"), name)


def _holds_for(function):
    shapes, needs = getattr(function, "applies", (frozenset(), frozenset()))
    return ", ".join([*sorted(shapes), *(f"`{need}`" for need in sorted(needs))])


def fixtures():
    """Return the table of the fixtures."""
    rows = [
        (f"`{node.name}`", f"`{ast.unparse(node.returns)}`", _one_line(node))
        for node in _tree(plugin.__name__).body
        if isinstance(node, ast.FunctionDef) and any("fixture" in ast.unparse(d) for d in node.decorator_list)
    ]
    return table(("fixture", "type", "what it is"), rows)


def kit():
    """Return the table of the modules of the kit."""
    rows = []
    for path in sorted((ROOT / "core" / "src" / "wfx" / "testing").iterdir()):
        name = path.stem if path.suffix == ".py" else path.name if (path / "__init__.py").exists() else ""
        if name and name[0] != "_":
            module = f"wfx.testing.{name}"
            rows.append((f"`{module}`", ast.get_docstring(_tree(module)).partition("\n")[0]))
    return table(("module", "what it has"), rows)


def server():
    """Return what the server of the kit does, and how it goes wrong."""
    found = {node.name: node for node in _tree("wfx.testing.servers").body if isinstance(node, ast.ClassDef)}
    return "\n\n".join(_class(found[name]) for name in ("FaultServer", "Resource", "Request"))


def commands():
    """Return what drives the command line in a test."""
    found = {node.name: node for node in _tree("wfx.testing.commands").body if isinstance(node, ast.ClassDef)}
    return "\n\n".join(_class(found[name]) for name in ("WfxRun", "Ran"))


def hostile():
    """Return the names of the hostile archives."""
    return ", ".join(f"`{archive}`" for archive in archives.HOSTILE) + "."


# -- inside


def _tree(module):
    """Return the syntax tree of a module; a new one each time, for it may be changed."""
    return ast.parse(inspect.getsource(importlib.import_module(module)))


def _one_line(node):
    return " ".join((ast.get_docstring(node) or "").split())


def table(headings, rows):
    """Return a Markdown table."""
    lines = ["| " + " | ".join(headings) + " |", "|" + "---|" * len(headings)]
    lines += [
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows
    ]
    return "\n".join(lines)


def _of(function, kind):
    return lambda: function(kind)


PARTS = {
    "hooks": hooks, "known-keys": known_keys, "kept-names": kept_names, "fixtures": fixtures, "kit": kit,
    "server": server, "wfx-run": commands, "hostile": hostile,
    **{f"interface-{kind}": _of(interface, kind) for kind in KINDS},
    **{f"rules-{kind}": _of(rules, kind) for kind in KINDS}, "rules-speaking": speaking, "rules-provided": provided,
}  # fmt: skip
