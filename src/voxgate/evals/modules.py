"""Python files of users, run as modules of their own; what goes wrong in them is said with its line."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from voxgate.core.errors import InvalidRequest, VoxgateError


def load_module(path: Path) -> ModuleType:
    """It can import what lies beside it. InvalidRequest with the place of an error in it."""
    if not path.is_file():
        raise InvalidRequest(f"There is no file {path}.")
    name = f"voxgate_eval_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InvalidRequest(f"{path} cannot be loaded.")
    folder = str(path.parent.resolve())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except VoxgateError as error:
        raise InvalidRequest(f"{_place(path, error)}: {error.message}") from error
    except Exception as error:  # whatever the user's file raises is an error of that file
        raise InvalidRequest(f"{_place(path, error)}: {type(error).__name__}: {error}") from error
    return module


def _place(path: Path, error: BaseException) -> str:
    """The last line of the file itself that led to the error."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{path}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f"{path}, line {own[-1]}" if own else str(path)
