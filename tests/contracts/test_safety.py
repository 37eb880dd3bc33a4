"""What the code of the service never does, whoever asks it to: read as a tree, so that no path is missed."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICE = ROOT / "service"
SOURCES = {path.relative_to(SERVICE).as_posix(): ast.parse(path.read_text()) for path in SERVICE.rglob("*.py")}

NOBODY: dict[str, str] = {}

_RUN_WHAT_THEY_READ = "pickle marshal shelve dill cloudpickle joblib yaml torch runpy"
_FETCH = "urllib.request urllib3 requests httpx httpx2 aiohttp ftplib smtplib"
_START_PROGRAMS = "subprocess multiprocessing pty cffi"

# Who may import it all the same, and why.
MODULES: dict[str, dict[str, str]] = {
    **dict.fromkeys(f"{_RUN_WHAT_THEY_READ} {_FETCH} {_START_PROGRAMS}".split(), NOBODY),
    "http.client": {"command_line/health.py": "asks the service at its own address, on the command line"},
    "ctypes": {"memory.py": "gives memory back to the system"},
}

_OF_THE_LANGUAGE = "eval exec compile __import__ input breakpoint importlib.import_module"
_OF_THE_SYSTEM = "os.system os.popen os.spawnv os.posix_spawn os.execv os.fork asyncio.create_subprocess_shell"
_CONNECT = "socket.create_connection asyncio.open_connection"
_OF_MODELS = ".register_custom_ops_library"  # ONNX Runtime: code of a model's own
_OF_ARRAYS = "np.load numpy.load"  # NumPy: pickles

# Who may call it all the same, and why.
CALLS: dict[str, dict[str, str]] = {
    **dict.fromkeys(f"{_OF_THE_LANGUAGE} {_OF_THE_SYSTEM} {_CONNECT} {_OF_MODELS} {_OF_ARRAYS}".split(), NOBODY),
    "os.execve": {"workers/launch.py": "becomes the supervisor"},
    "asyncio.create_subprocess_exec": {"workers/supervisor.py": "starts workers"},
}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in a file, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(tree: ast.AST) -> Iterator[str]:
    """Every function that is called, as it is written, as `np.load`; of a method of an object its name, as `.load`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)
            if isinstance(node.func, ast.Attribute):
                yield f".{node.func.attr}"


def uses(trees: dict[str, ast.Module], module: str) -> set[str]:
    """The files that import a module, or a part of it."""
    return {
        path
        for path, tree in trees.items()
        if any(name == module or name.startswith(f"{module}.") for name in imported(tree))
    }


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_imported_by_nobody_else(module: str) -> None:
    """Nothing runs what it reads, fetches what it is told to, or starts a program."""
    assert uses(SOURCES, module) == set(MODULES[module])


@pytest.mark.parametrize("function", CALLS)
def test_a_function_is_called_by_nobody_else(function: str) -> None:
    """Nor by a function that does it without a module of its own."""
    assert {path for path, tree in SOURCES.items() if function in called(tree)} == set(CALLS[function])


def test_the_reader_sees_what_it_looks_for() -> None:
    """However it is written: a check that sees nothing would never fail."""
    tree = ast.parse("def f():\n    from urllib import request\n    import pickle as p\n    np.load(x)\n    eval(y)")
    assert {"urllib.request", "pickle"} <= set(imported(tree))
    assert {"np.load", ".load", "eval"} <= set(called(tree))


def test_names_of_modules_never_come_from_data() -> None:
    """Entry points of packages that are installed are loaded, and one package is looked for."""
    assert uses(SOURCES, "importlib") == {"command_line/__init__.py", "http/routes/documentation.py"}
