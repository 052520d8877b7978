"""The project's own code in a snapshot: by source if the source gave the answers, else by value."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import cloudpickle

from jupyter_deploy.domain.capture.findings import Finding
from jupyter_deploy.domain.errors import NotCapturable
from jupyter_deploy.environments.module_origins import ModuleLocation, local_module, locate
from jupyter_deploy.environments.module_sources import compiled, edited, imports_in, is_as_written, is_same
from jupyter_deploy.serving.project_code import FOLDER, globals_of
from jupyter_deploy.system.digests import copy_hashed

# The limit of data next to the code of one package; a model's own data is seldom part of a package.
DATA_LIMIT = 64 * 2**20

_CODE = (".py", ".pyi", ".so", ".pyd")
# Files of tools and editors; a saved notebook would change the snapshot at every run.
_LEFT_OUT = ("__pycache__", "node_modules")
_SUFFIXES_LEFT_OUT = (".pyc", ".pyo", ".ipynb", ".egg-info", ".dist-info")

# Names of a bento's own modules.
_TAKEN = ("serving", "service")
EDITED = "edited-module"
CHECKS_OF_CODE = ("project-code", EDITED, "train-mode")

_STAND_IN = frozenset({"jupyter_deploy", "jupyter_deploy.connection", "jupyter_deploy.serving_role"})


class ProjectCode:
    """Decides for each local module that a model refers to how it is captured.

    By source, as a file under ``code/`` that is imported at serving, together with its local imports. By value if the
    source did not give the answers: the module, or one that it imports, was edited since its import, was changed from
    the notebook, or cannot be imported at serving.

    Parameters
    ----------
    changed
        Modules that differ in a clean process, with a description of the difference.
    """

    def __init__(self, changed: Mapping[str, str] | None = None) -> None:
        self._changed = dict(changed or {})
        self._by_value: dict[str, str] = {}
        self._by_source: set[str] = set()
        self._needed: dict[str, None] = {}
        self._foreign = {"__main__", "builtins"}
        self._imports: dict[str, tuple[str, ...]] = {}
        self._reasons: dict[str, str | None] = {}
        self._edited: dict[str, Finding] = {}
        self._registered: list[ModuleType] = []
        self._notes: list[Finding] = []

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return the findings: modules captured by source, and modules that differ from their files."""
        return (*self._notes, *self._edited.values())

    def note_train_mode(self, kinds: Iterable[str]) -> None:
        """Add a finding for torch modules in train mode within the model."""
        self._notes += [
            Finding(
                check="train-mode",
                severity="warning",
                message=f"a {kind} within the model is in train mode: its answers depend on "
                + ("chance" if "Norm" not in kind else "the other rows of the batch"),
                remedy="call the module's .eval() before you deploy",
            )
            for kind in kinds
        ]

    @contextmanager
    def pickling(self) -> Iterator[None]:
        """Configure cloudpickle, whose registry is global, within this context for modules by value."""
        for name in self._by_value:
            self._register(name)
        try:
            yield
        finally:
            for module in self._registered:
                cloudpickle.unregister_pickle_by_value(module)
            self._registered.clear()

    def register(self, value: Any) -> None:
        """Register a function, class, module or other object before it is pickled."""
        if isinstance(value, ModuleType):
            name: Any = value.__name__
        else:
            # Of an instance the module of its class, since some pickle as the name of a global.
            name = getattr(value if isinstance(value, FunctionType | type) else type(value), "__module__", None)
        if isinstance(name, str):
            self.is_by_value(name)

    def check_imports(self, function: FunctionType) -> None:
        """Check a function pickled by value: the modules that it imports when called must be available.

        Raises
        ------
        NotCapturable
            Such a module cannot be captured by its source.
        """
        for name in imports_in(function.__code__, function.__globals__.get("__package__")):
            if self.is_by_value(name):
                raise NotCapturable(
                    f"{function.__qualname__}() imports '{name}' when called, which cannot be captured by source: "
                    f"{self._by_value[name]}",
                    "import it outside the function"
                    + (f", or load its file again: importlib.reload({name})" if name in self._edited else ""),
                )

    def note_replaced(self, value: FunctionType | type) -> None:
        """Add a finding if a function or class is pickled by value because its module holds a newer one."""
        name, part = value.__module__, value.__qualname__
        if name in self._by_source and name not in self._edited and "<" not in part:
            self._note(name, f"{part} was replaced there", f"create the objects that use {part} again, and deploy")

    def replaced_by_same(self, value: FunctionType | type) -> tuple[ModuleType, str] | None:
        """Return module and qualified name of an equal object that a reload put in the place of ``value``."""
        name, part = value.__module__, value.__qualname__
        if not isinstance(name, str) or name not in self._by_source or "<" in part:
            return None
        module = sys.modules.get(name)
        current: Any = module
        for step in part.split("."):
            current = getattr(current, step, None)
        return (module, part) if module and current is not value and is_same(value, current) else None

    def is_by_value(self, name: str) -> bool:
        """Whether a module is captured by value; decided once, for it and all its imports."""
        if name not in self._by_source and name not in self._by_value and name not in self._foreign:
            self._decide(name)
        if name in self._by_source:
            self._needed[name] = None
        return name in self._by_value

    def _decide(self, name: str) -> None:
        location = local_module(name)
        if location is None:
            self._foreign.add(name)
            return
        reached = self._reached(location)
        by_value = {module for module in reached if self._reason(module)}
        while more := {module for module in reached - by_value if by_value.intersection(self._imports[module])}:
            by_value |= more
        for module in reached:
            if module not in by_value:
                self._by_source.add(module)
                continue
            self._by_value[module] = self._reason(module) or "it imports a module that goes in by value"
            self._register(module)

    def _register(self, name: str) -> None:
        module = sys.modules.get(name)
        if module is not None and name not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)
            self._registered.append(module)

    def _reached(self, location: ModuleLocation) -> set[str]:
        """Return the module, its packages and their imports, as far as they are local."""
        reached_names: set[str] = set()
        queue = [location]
        while queue:
            current = queue.pop()
            if current.name in reached_names:
                continue
            reached_names.add(current.name)
            if current.name not in self._imports:
                parent = current.name.rpartition(".")[0]
                names = [*([parent] if parent else []), *self._imported_by(current)]
                self._imports[current.name] = tuple(name for name in dict.fromkeys(names) if local_module(name))
            queue.extend(imported for name in self._imports[current.name] if (imported := local_module(name)))
        return reached_names

    def _imported_by(self, location: ModuleLocation) -> Iterator[str]:
        try:
            code = compiled(location.file) if location.file else None
        except (OSError, SyntaxError, ValueError):
            return
        if code is not None:
            yield from imports_in(code, location.name if location.folders else location.name.rpartition(".")[0])

    def _reason(self, name: str) -> str | None:
        """Return the reason why a module's source does not suffice; None: it does."""
        if name not in self._reasons:
            self._reasons[name] = self._reason_of(name)
        return self._reasons[name]

    def _reason_of(self, name: str) -> str | None:
        module, location = sys.modules.get(name), locate(name)
        file = location.file if location is not None else None
        if name.partition(".")[0] in _TAKEN:
            return "every bento has a module of this name"
        if file is not None and file.suffix not in _CODE:
            return f"it is imported from a {file.suffix} file"
        if isinstance(module, ModuleType) and not is_as_written(module):
            return "an import hook made it"
        difference = self._changed.get(name)
        code = None
        if difference is None and file is not None:
            try:
                code = compiled(file)
            except OSError:
                difference = "its file is gone"
            except (SyntaxError, ValueError):
                difference = "its file is no longer valid Python"
        used = imports_in(code, None, nested=False) if code else ()
        if {module_name for module_name in used if module_name.partition(".")[0] == "jupyter_deploy"} - _STAND_IN:
            return "it uses parts of nbdeploy that a bento lacks"
        if code is not None and isinstance(module, ModuleType):
            functions = edited(module, code)
            difference = f"{', '.join(functions[:5])}: edited since it was loaded" if functions else None
        return None if difference is None else self._note(name, difference)

    def _note(self, name: str, difference: str, remedy: str | None = None) -> str:
        self._edited[name] = Finding(
            check=EDITED,
            severity="warning",
            message=f"the module {name} differs from its file ({difference}); the loaded module was captured",
            remedy=remedy or f"to capture its file: importlib.reload({name}), and run the cells that use it again",
        )
        return difference

    def pack(self, folder: Path) -> dict[str, str]:
        """Copy the modules captured by source into ``code/``; return the SHA-256 by path in the snapshot.

        Packages are copied whole, with their data files up to 64 MiB together.
        """
        files: dict[str, str] = {}
        left_out = {location.file for name in self._by_value if (location := locate(name)) and location.file}
        tops: dict[str, None] = {}
        for name in sorted(self._with_imports(self._needed)):
            unit = self._unit(name)
            if unit is None or unit.name in tops or unit.file is None:
                continue
            tops[unit.name] = None
            *parents, last = unit.name.split(".")
            if unit.folders:
                root = unit.file.parent
                sources = {"/".join((*parents, last, path)): file for path, file in self._package(unit.name, root)}
            else:
                sources = {"/".join((*parents, unit.file.name)): unit.file}
            for path, source in sorted(sources.items()):
                if source not in left_out:
                    files[f"{FOLDER}/{path}"] = copy_hashed(source, folder / FOLDER / path)
        if tops:
            self._add_note(f"the source of {', '.join(tops)} is in the snapshot, in {FOLDER}/")
        return files

    def _with_imports(self, names: Iterable[str]) -> set[str]:
        all_names: set[str] = set()
        queue = list(names)
        while queue:
            name = queue.pop()
            if name not in all_names:
                all_names.add(name)
                queue.extend(self._imports[name])
        return all_names

    def _add_note(self, message: str) -> None:
        self._notes.append(Finding(check="project-code", severity="note", message=message))

    @staticmethod
    def _unit(name: str) -> ModuleLocation | None:
        """Return the module's outermost package, or the module; namespace packages are only folders."""
        parts = name.split(".")
        locations = (locate(".".join(parts[: count + 1])) for count in range(len(parts)))
        return next((location for location in locations if location is not None and location.file is not None), None)

    def _package(self, name: str, root: Path) -> list[tuple[str, Path]]:
        files = sorted(_files(root))
        data = [file for _, file in files if file.suffix not in _CODE]
        size = sum(file.stat().st_size for file in data)
        if size <= DATA_LIMIT:
            return files
        self._add_note(
            f"only the code of the package {name} is packed: the {len(data)} other files in {root} are "
            f"{size / 2**20:.0f} MiB, more than {DATA_LIMIT / 2**20:.0f}"
        )
        return [(path, file) for path, file in files if file.suffix in _CODE]


def modules_in(files: Iterable[str]) -> list[str]:
    """Return the modules with a source file among a snapshot's files."""
    paths = [
        Path(file).with_suffix("").parts for file in files if file.startswith(f"{FOLDER}/") and file.endswith(".py")
    ]
    return [".".join(parts[1:-1] if parts[-1] == "__init__" else parts[1:]) for parts in paths]


def differing(
    globals_there: Mapping[str, Mapping[str, list[str]]], reached: Collection[str] | None = None
) -> dict[str, str]:
    """Return modules whose globals differ between this and a clean process, with the difference in words.

    Parameters
    ----------
    reached
        Only globals of these names count; None: all.
    """
    different = {}
    for name, values in globals_there.items():
        module = sys.modules.get(name)
        if not isinstance(module, ModuleType):
            continue
        # A text with a folder's path may hold the same path there, or that of the copy.
        globals_here = [globals_of(module), globals_of(module, (*roots_of(name), Path.cwd()))]
        names_here = [
            name_ for name_ in {**globals_here[0], **values} if reached is None or "." in name_ or name_ in reached
        ]
        names = sorted(
            name_ for name_ in names_here if not any(seen.get(name_) in values.get(name_, ()) for seen in globals_here)
        )
        if names:
            different[name] = f"{', '.join(names[:5])} {'were' if len(names) > 1 else 'was'} changed"
    return different


def roots_of(name: str) -> tuple[Path, ...]:
    """Return the folder on the path that holds a module."""
    location = locate(name)
    if location is None or location.file is None:
        return ()
    depth = name.count(".") + bool(location.folders)
    return (location.file.parents[depth],)


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield a package's files by path: no hidden files, no environments; links are followed once each."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or "pyvenv.cfg" in names:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(folder_name for folder_name in folders if _is_kept(folder_name))
        for name in names:
            file = Path(folder) / name
            if _is_kept(name) and file.is_file():
                yield file.relative_to(root).as_posix(), file


def _is_kept(name: str) -> bool:
    return not name.startswith(".") and name not in _LEFT_OUT and not name.endswith(_SUFFIXES_LEFT_OUT)
