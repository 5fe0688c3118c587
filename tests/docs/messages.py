"""The texts of warnings and errors in the program's source, with … where something varies."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from docs.pages import ROOT
from rancheros_ec2_metadata.errors import Ec2MetadataError, UsageError

VARIES = "…"
PACKAGE = ROOT / "rancheros_ec2_metadata"
# Which argument is the text. `report_end` writes the last line of a run that cannot do so itself.
FUNCTIONS = {"warning": 0, "error": 1, "report_end": 0}
# Exceptions whose text follows another: `no label is set: …`.
REASONS = {"NoAnswerError", "RefusedError", "_RefusedError", "CannotMergeError", "CannotEditError"}
# They answer a command, or a fake EC2's client; they are no lines of a log.
LEFT_OUT = ("check", "fake_ec2")


def messages() -> set[str]:
    """Return the text of each warning and error that the program can log."""
    found = (text for file in sorted(PACKAGE.rglob("*.py")) for text in _in_file(file))
    texts = {re.sub(f"{VARIES}+", VARIES, text) for text in found}
    return {text for text in texts if text.strip(f"{VARIES}: ")}


def _in_file(file: Path) -> Iterator[str]:
    path = file.relative_to(ROOT).with_suffix("").parts
    if path[1] in LEFT_OUT or file.name in ("__init__.py", "__main__.py"):
        return
    module = importlib.import_module(".".join(path))
    tree = ast.parse(file.read_text("utf-8"))
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            yield from _in_function(module, function)


def _in_function(module: ModuleType, function: ast.FunctionDef) -> Iterator[str]:
    inner = [x for node in function.body for x in ast.walk(node)]
    for call in inner:
        if isinstance(call, ast.Call) and (text := _text_of(module, call)) is not None:
            yield from _templates(text, module, _names_before(inner, call.lineno))


def _names_before(nodes: list[ast.AST], line: int) -> dict[str, ast.expr]:
    """Return the last text of each name, but of those that were given other things too."""
    texts, others, targets = dict[str, tuple[int, ast.expr]](), set[str](), set[ast.Name]()
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value):
                targets.add(target)
                if not isinstance(value, ast.Constant | ast.JoinedStr | ast.IfExp | ast.BinOp):
                    others.add(name)
                elif texts.get(name, (0,))[0] <= node.lineno <= line:
                    texts[name] = (node.lineno, value)
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node not in targets:
            others.add(node.id)
    return {name: value for name, (_, value) in texts.items() if name not in others}


def _text_of(module: ModuleType, call: ast.Call) -> ast.expr | None:
    """Return the argument of a call that is a message; None where the call makes none."""
    if not isinstance(call.func, ast.Name):
        return None
    name, at = call.func.id, 0
    if name in FUNCTIONS:
        at = FUNCTIONS[name]
    elif name not in REASONS:
        kind = vars(module).get(name)
        if not isinstance(kind, type) or not issubclass(kind, Ec2MetadataError):
            return None
        if issubclass(kind, UsageError):  # it is nothing's cause in a run
            return None
    return call.args[at] if len(call.args) > at else None


def _templates(node: ast.AST, module: ModuleType, names: dict[str, ast.expr]) -> list[str]:
    found = [VARIES]
    match node:
        case ast.Constant(value=str(text)):
            found = [text]
        case ast.JoinedStr(values=parts):
            found = [""]
            for part in parts:
                more = _templates(part, module, names)
                found = [text + one for text in found for one in more]
        case ast.FormattedValue(value=value, format_spec=spec):
            constant = _constant(value, module)
            if isinstance(constant, str | int | float):
                form = ast.literal_eval(spec.values[0]) if isinstance(spec, ast.JoinedStr) else ""
                found = [format(constant, form)]
            else:
                found = _templates(value, module, names)
        case ast.IfExp(body=one, orelse=other):
            found = [*_templates(one, module, names), *_templates(other, module, names)]
        case ast.Name(id=name) if name in names:
            others = {other: value for other, value in names.items() if other != name}
            found = _templates(names[name], module, others)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            ends = _templates(right, module, names)
            found = [one + end for one in _templates(left, module, names) for end in ends]
    return found


def _constant(node: ast.AST, module: ModuleType) -> object:
    """Return what a name of the module, or of one that it imports, stands for."""
    match node:
        case ast.Name(id=name) if name.isupper():
            return vars(module).get(name)
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if attribute.isupper():
            return getattr(vars(module).get(name), attribute, None)
    return None
