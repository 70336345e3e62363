"""Hash JSON values, files, folders and plugin code, and cache small results in files on disk."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import platform
from contextlib import suppress
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UserError
from .files import write_whole
from .renamed import under_former_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

PACKAGE = Path(__file__).parent
"""Folder of the package `ftbench`."""
MAX_FILES = 5_000_000
"""Largest number of files of a folder."""


def digest(value: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Return the cache folder: `$FTBENCH_CACHE`, or `ftbench` in the user's cache folder."""
    own = os.environ.get("FTBENCH_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(own) if own else Path(base) / "ftbench"


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, cached by path and identity of the content."""
    found: str = remembered("hashes", f"{path.resolve()}:{_state(path)}", lambda: read_sha256(path))
    return found


def remembered(kind: str, key: str, make: Callable[[], Any], cache: Path | None = None) -> Any:
    """Return the result of `make`, cached in a file on disk; an unreadable or unwritable file only costs time.

    Args:
        kind: name of the subfolder for such files.
        key: everything the result depends on.
        make: computes the result, a JSON value.
        cache: folder that contains the subfolders; by default the cache folder.
    """
    note = (cache or cache_folder()) / kind / hashlib.sha256(key.encode()).hexdigest()[:32]
    with suppress(OSError, ValueError, KeyError, TypeError):
        known = json.loads(note.read_text(encoding="utf-8"))
        if known["key"] == key and known["check"] == _check(known["found"]):
            return known["found"]
    found = make()
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        write_whole(note, json.dumps({"key": key, "found": found, "check": _check(found)}), durable=False)
    return found


def is_remembered(kind: str, key: str) -> bool:
    """Return whether `remembered` has a result, without computing it."""

    def fail() -> None:
        raise LookupError

    try:
        remembered(kind, key, fail)
    except LookupError:
        return False
    return True


def _check(found: Any) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def _state(path: Path) -> str:
    """Return what changes whenever a file's content does: also the inode and the time of the last change to it.

    Swapped files may have the same size and modification time, which any program can set.
    """
    found = path.stat()
    return f"{found.st_size}:{found.st_mtime_ns}:{found.st_ctime_ns}:{found.st_ino}"


def folder_sha256(folder: Path, suffixes: Sequence[str]) -> str:
    """Return a hash of names and contents of all files below a folder with one of the suffixes.

    The hash is cached by names, sizes, inodes and times.

    Raises:
        UserError: the folder has too many files.
    """
    found = [path for path in files_below(folder)[0] if path.suffix.lower() in suffixes]
    names = [str(path.relative_to(folder)) for path in found]
    key = digest([str(folder.resolve()), [[name, _state(path)] for name, path in zip(names, found, strict=True)]])

    def read() -> str:
        return digest([[name, read_sha256(path)] for name, path in zip(names, found, strict=True)])

    known: str = remembered("folders", key, read)
    return known


def files_below(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the regular files below a folder, and the entries that are neither these nor folders; both sorted.

    Links are followed, but each folder is read once: by its own name if it is below `folder`, and otherwise by the
    first link to it. Further links to it are among the other entries, with pipes, devices and links to nothing. The
    file systems of the kernel, which have no end, are not read.

    Raises:
        UserError: a folder cannot be read, or there are more than `MAX_FILES` files.
    """
    known: set[tuple[int, int]] = set()
    kernel = {Path(name).stat().st_dev for name in ("/proc", "/sys") if Path(name).is_dir()}
    folders, links = [folder], list[Path]()
    files: list[Path] = []
    others: list[Path] = []
    while folders or links:
        place = folders.pop() if folders else links.pop(0)
        try:
            status = place.stat()
            if status.st_dev in kernel or (status.st_dev, status.st_ino) in known:
                others.append(place)
                continue
            known.add((status.st_dev, status.st_ino))
            with os.scandir(place) as entries:
                kinds: dict[str, list[Path]] = {"file": files, "folder": folders, "link": links}
                for entry in sorted(entries, key=lambda entry: entry.name):
                    kinds.get(_kind(entry), others).append(Path(entry.path))
        except OSError as error:
            raise UserError(f"{place}: cannot be read: {error.strerror}") from None
        if len(files) > MAX_FILES:
            raise UserError(f"{folder}: has more than {MAX_FILES:,} files; choose a smaller folder")
    return sorted(files), sorted(others)


def _kind(entry: os.DirEntry[str]) -> str:
    """Return `file`, `folder`, `link` if it is a link to a folder, and otherwise an empty text."""
    with suppress(OSError):  # a link to itself
        if entry.is_dir():
            return "link" if entry.is_symlink() else "folder"
        return "file" if entry.is_file() else ""
    return ""


def core_sha256() -> str:
    """Return the hash of all of ftbench's own code, which is part of every cache key."""
    return folder_sha256(PACKAGE, (".py",))


def read_sha256(path: Path) -> str:
    """Read a file and return its SHA-256."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_hash(classes: Iterable[type], read: dict[str, tuple[str, list[str]] | None] | None = None) -> str:
    """Hash the source of the classes' modules and of the modules of the same package that those import.

    No module is imported. Docstrings, comments, layout, the attribute `about` of strategies and the method
    `metric_names` of tasks do not count.

    Args:
        classes: the classes.
        read: modules read by earlier calls, extended by this one: several hashes then read each file once.
    """
    read = {} if read is None else read
    seen: dict[str, str] = {}
    pending = [cls.__module__ for cls in classes]
    while pending:
        module = pending.pop()
        if module in seen:
            continue
        if module not in read:
            read[module] = _current_module(module)
        found = read[module]
        if found is not None:
            seen[module], siblings = found
            pending.extend(siblings)
    return digest(sorted(seen.items()))


def _current_module(module: str) -> tuple[str, list[str]] | None:
    """Return the hash and imports of a module as its file is now; None if it has no Python source."""
    source = _source(module)
    if source is None:
        return None
    return _module(f"{module}:{source}:{_state(source)}:{platform.python_version()}", module, source)


@cache
def _module(key: str, module: str, source: Path) -> tuple[str, list[str]]:
    """Return the hash of a module's bare code and the modules of the same package it imports, cached by `key`."""

    def read() -> tuple[str, list[str]]:
        tree = ast.parse(source.read_text(encoding="utf-8"))
        package = module if source.name == "__init__.py" else module.rpartition(".")[0]
        siblings = list(_siblings(tree, module, package))
        return hashlib.sha256(_bare(tree).encode()).hexdigest(), siblings

    digest, siblings = remembered("module code", key, read)
    return digest, siblings


def _source(module: str) -> Path | None:
    import sys

    origin = getattr(sys.modules.get(module), "__file__", None)
    if origin is None:
        spec = find_spec(module)
        origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _siblings(tree: ast.AST, module: str, package: str) -> Iterable[str]:
    top = module.partition(".")[0]
    if not package or top == "ftbench":
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = resolve_name("." * node.level + (node.module or ""), package) if node.level else node.module or ""
            if base.partition(".")[0] != top:
                continue
            # find_spec of a submodule would import the parent, so look only inside packages.
            names = [f"{base}.{alias.name}" for alias in node.names] if _is_package(base) else []
            inside = [name for name in names if _is_module(name)]
            # `from . import pieces` takes nothing from the package but the module.
            outside = [] if names == inside and f"{module}.".startswith(f"{base}.") else [base]
            yield from (name for name in [*outside, *inside] if name != top and _is_module(name))


@cache
def _is_package(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.submodule_search_locations is not None


@cache
def _is_module(name: str) -> bool:
    with suppress(ModuleNotFoundError, ValueError):
        return find_spec(name) is not None
    return False


def forget_modules() -> None:
    """Clear cached module lookups, because another version of a plugin may contain other modules."""
    _is_package.cache_clear()
    _is_module.cache_clear()


def _bare(tree: ast.Module) -> str:
    under_former_names(tree)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [s for s in body if not _is_for_readers(s)]
            node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]  # the node has a body: it was just read
    return ast.unparse(tree)


def _is_for_readers(statement: ast.stmt) -> bool:
    """Return whether a statement changes no result: a docstring, or a description that `code_hash` leaves out."""
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.FunctionDef):
        return statement.name == "metric_names"
    return (
        isinstance(statement, ast.AnnAssign)
        and isinstance(statement.target, ast.Name)
        and statement.target.id == "about"
    )
