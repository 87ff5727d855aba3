"""What the source of the product must not do, read from its syntax; `make check` has Bandit look for the rest."""

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

UNPICKLERS = {"pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle", "pty"}
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "subprocess.getoutput",
    "subprocess.getstatusoutput", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "pd.read_pickle",
    "pandas.read_pickle", "tempfile.mktemp", "torch.hub.load", "torch.jit.load", "xml.etree.ElementTree.parse",
}  # fmt: skip
FORBIDDEN_ARGUMENTS = {
    "shell": True,
    "allow_pickle": True,
    "trust_remote_code": True,
    "weights_only": False,
    "verify": False,
}
ALLOWED: dict[str, str] = {}
"""sha256 of a call that is allowed, and why: it no longer is when it changes. There is none."""


def faults_in(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, text and what is wrong, of each call or import that must not be."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            wrong = ["unpickles"] if {name.split(".")[0] for name in modules} & UNPICKLERS else []
        else:
            wrong = list(_wrong_with(node)) if isinstance(node, ast.Call) else []
        if wrong:
            text = ast.get_source_segment(source, node) or ""
            if hashlib.sha256(text.encode()).hexdigest() not in ALLOWED:
                yield node.lineno, text, ", ".join(wrong)


def _wrong_with(call: ast.Call) -> Iterator[str]:
    name = ast.unparse(call.func)
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in FORBIDDEN_CALLS:
        yield name
    for argument, value in FORBIDDEN_ARGUMENTS.items():
        if isinstance(given.get(argument), ast.Constant) and given[argument].value is value:
            yield f"{argument}={value}"
    if name == "torch.load" and "weights_only" not in given:
        yield "torch.load without weights_only"
    if name.endswith(".from_pretrained") and name.startswith("AutoModel") and "use_safetensors" not in given:
        yield "weights that may be pickled"


def test_the_source_calls_nothing_that_runs_what_it_reads(repository: Path) -> None:
    files = [*sorted((repository / "app").rglob("*.py")), repository / "train_lora_v2.py"]
    assert len(files) > 200
    faults = [
        f"{path.relative_to(repository)}:{line}: {why}: {text}"
        for path in files
        for line, text, why in faults_in(path.read_text())
    ]
    assert faults == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from pickle import loads", "import joblib.numpy_pickle", "torch.load(path)", "eval(text)",
        "torch.load(path, weights_only=False)", "np.load(path, allow_pickle=True)", "subprocess.run(text, shell=True)",
        "yaml.load(text, Loader=yaml.Loader)", "AutoModel.from_pretrained(path)", "os.system(text)",
        "AutoConfig.from_pretrained(path, trust_remote_code=True)", "requests.get(url, verify=False)",
    ],
)  # fmt: skip
def test_each_of_those_calls_would_be_found(source: str) -> None:
    assert list(faults_in(source))


def test_what_is_harmless_is_not_found() -> None:
    harmless = (
        "model.eval()\nnp.load(path)\nyaml.safe_load(text)\ntorch.load(path, weights_only=True)\nre.compile(text)"
    )
    assert list(faults_in(harmless)) == []
