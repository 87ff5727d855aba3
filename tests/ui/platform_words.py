"""What the platform can say to a person: the patterns of its sentences, and its codes, read off its own code."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

from app.data import language_names, languages, personal_data
from app.domain import base_models, errors
from app.domain.wording import Said

APP = Path(__file__).parents[2] / "app"
TOLD_OF_RUNS = ("train/evaluation.py", "train/headline.py", "train/slices.py")
SPEAKING = ("api", "auth", "client", "data", "domain", "services", "tasks", *TOLD_OF_RUNS)
"""Whose sentences reach a page as they are; of a run, a page shows what the code of its failure means."""
SILENT = {
    *(f"client/{name}.py" for name in ("address", "connection", "credentials", "sse", "transfers")),
    *(f"data/{name}.py" for name in ("chunks", "class_files", "exporting", "hub", "label_review")),
    *(f"services/{name}.py" for name in ("audit_checkpoints", "checkpoints", "experiments", "export", "label_errors")),
    *(f"services/{name}.py" for name in ("recording", "registration", "secrets", "start_lock", "training")),
    *(f"services/{name}.py" for name in ("data_child", "verification")),
    "data/store_files.py",
    *(f"tasks/{name}.py" for name in ("broker", "heartbeat")),
}
"""What only a command on this machine says, and what the API tells in other words."""
FAILING = ("db", "lora", "models", "runs", "serving", "train")
"""Whose errors reach a page by their code."""
ADVISING = ("lora", "models", "train")
"""What a person can do about whose failures."""
CODE = re.compile(r"[a-z_]+\.[a-z_]+|conflict|not_found")
MARKS = {"say", "words"}
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, Exception)}


def trees(*names: str) -> Iterator[tuple[Path, ast.Module]]:
    """The code in these packages and files; without any, what speaks to people."""
    for name in names or SPEAKING:
        for path in [APP / name] if name.endswith(".py") else sorted((APP / name).rglob("*.py")):
            if path.relative_to(APP).as_posix() not in SILENT:
                yield path, ast.parse(path.read_text(encoding="utf-8"))


def patterns() -> set[str]:
    """Every sentence that may reach a page, with its places in braces."""
    said = {text for _, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Call) for text in _of(node)}
    return said | _advice()


def _advice() -> set[str]:
    """What a failed run is told to do about it; that it has numbers in it is not kept."""
    calls = [node for _, tree in trees(*ADVISING) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    hints = [one.value for call in calls if _called(call) in ERRORS for one in call.keywords if one.arg == "hint"]
    marked = [call.args[0] for call in calls if _called(call) == "words"]
    return {Said.of(plain, None).sentence.pattern for text in (*hints, *marked) for plain in constants(text)}


def unsaid() -> list[str]:
    """Where an error's sentence has numbers or names in it and they are not kept apart."""
    return [
        f"{path.relative_to(APP)}:{text.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _called(node) in ERRORS
        for text in _texts(node)
        if isinstance(text, ast.JoinedStr)
    ]


def _of(call: ast.Call) -> Iterator[str]:
    """The patterns in one call: what is said, and the plain sentences of errors and findings, which say themselves."""
    if _called(call) in MARKS and call.args:
        yield from constants(call.args[0])
    elif _called(call) in ERRORS:
        for text in _texts(call):
            yield from (Said.of(plain, None).sentence.pattern for plain in constants(text))
    elif _called(call) == "add" and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "findings":
        for text in call.args[1:3]:
            yield from (Said.of(plain, None).sentence.pattern for plain in constants(text))


def _texts(call: ast.Call) -> list[ast.expr]:
    return [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "hint")]


def _called(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def constants(node: ast.expr) -> list[str]:
    """Every text an expression of plain texts can be."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and node.value else []
    if isinstance(node, ast.IfExp):
        return [*constants(node.body), *constants(node.orelse)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return ["".join(parts) for parts in product(constants(node.left), constants(node.right))]
    return []


def codes() -> set[str]:
    """Every code of an error or a failed task the platform can answer with."""
    found = {kind.code for name, kind in vars(errors).items() if name in ERRORS}
    for _, tree in trees(*SPEAKING, *FAILING):
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            given = [one.value for one in call.keywords if one.arg in ("code", "error_code")]
            texts = [*given, *(call.args if _called(call) in ("problem", "_failure") else [])]
            found |= {code for text in texts for code in constants(text) if CODE.fullmatch(code)}
    return found


def names() -> set[str]:
    """What is put into sentences and is no name of somebody's own: languages, scripts, kinds of data, roles."""
    kinds = {kind for kind, _, _ in personal_data._FORMS}
    scripts = {*languages._SCRIPTS.values(), languages.OTHER}
    known = {one.language for one in base_models.CATALOG.values()}
    return {
        *known,
        *language_names.NAMES.values(),
        language_names.OTHER,
        *scripts,
        *kinds,
        "text",
        "label",
        "training",
    } | {
        "evaluation",
        ", ",
    }
