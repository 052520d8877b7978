"""The project's own code that one snapshot needs: by source where the source is what answered, else by value."""

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
from jupyter_deploy.environments.module_origins import Place, local_place, locate
from jupyter_deploy.environments.module_sources import compiled, edited, imports_in, is_as_written, is_same
from jupyter_deploy.serving.project_code import FOLDER, globals_of
from jupyter_deploy.system.digests import copied

# Data beside the code of one package; a model's own data seldom is a part of it.
DATA_LIMIT = 64 * 2**20

_CODE = (".py", ".pyi", ".so", ".pyd")
# Tools' and editors' leavings; a notebook is saved at each run, and would make another snapshot each time.
_LEFT_OUT = ("__pycache__", "node_modules")
_SUFFIXES_LEFT_OUT = (".pyc", ".pyo", ".ipynb", ".egg-info", ".dist-info")

# What a bento has under these names.
_TAKEN = ("serving", "service")
EDITED = "edited-module"
CHECKS_OF_CODE = ("project-code", EDITED, "train-mode")

_STAND_IN = frozenset({"jupyter_deploy", "jupyter_deploy.serving_role"})


class ProjectCode:
    """Decides for each local module that is met while a model is pickled how it goes in.

    By source, as a file under ``code/`` that is imported at serving; with all that it imports, as far as that is
    local too. By value where that would not be what answered: the module, or one that it imports, was edited since its
    import, was changed from the notebook, or cannot be imported at serving.

    Parameters
    ----------
    changed
        Modules that a clean process found to be other than here, with what is different.
    """

    def __init__(self, changed: Mapping[str, str] | None = None) -> None:
        self._changed = dict(changed or {})
        self._by_value: dict[str, str] = {}
        self._by_source: set[str] = set()
        self._needed: dict[str, None] = {}
        self._not_ours = {"__main__", "builtins"}
        self._imports: dict[str, tuple[str, ...]] = {}
        self._reasons: dict[str, str | None] = {}
        self._found: dict[str, Finding] = {}
        self._registered: list[ModuleType] = []
        self._notes: list[Finding] = []

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What goes in by source, and each module that is not what its file says."""
        return (*self._notes, *self._found.values())

    def met_in_training(self, kinds: Iterable[str]) -> None:
        """Such modules of torch answer, within the model, as in training."""
        self._notes += [
            Finding(
                check="train-mode",
                severity="warning",
                message=f"a {kind} within the model is in train mode: its answers depend on "
                + ("chance" if "Norm" not in kind else "the rows that are asked with it"),
                remedy="call .eval() of the module before you deploy",
            )
            for kind in kinds
        ]

    @contextmanager
    def pickling(self) -> Iterator[None]:
        """Within, cloudpickle stores by value what this decides. Its registry is global, so it is put back."""
        for name in self._by_value:
            self._register(name)
        try:
            yield
        finally:
            for module in self._registered:
                cloudpickle.unregister_pickle_by_value(module)
            self._registered.clear()

    def meet(self, value: Any) -> None:
        """A function, class, module or other object is about to be pickled."""
        if isinstance(value, ModuleType):
            name: Any = value.__name__
        else:
            # Of an instance that of its class, since some pickle as the name of a global.
            name = getattr(value if isinstance(value, FunctionType | type) else type(value), "__module__", None)
        if isinstance(name, str):
            self.goes_by_value(name)

    def met_by_value(self, function: FunctionType) -> None:
        """A function went in by value: what it imports when it is called must be there.

        Raises
        ------
        NotCapturable
            That is a module that cannot go in by its source.
        """
        for name in imports_in(function.__code__, function.__globals__.get("__package__")):
            if self.goes_by_value(name):
                raise NotCapturable(
                    f"{function.__qualname__}() imports '{name}' when it is called, which cannot be captured that way: "
                    f"{self._by_value[name]}",
                    "import it outside of the function"
                    + (f", or have its file be what runs: importlib.reload({name})" if name in self._found else ""),
                )

    def met_replaced(self, value: FunctionType | type) -> None:
        """A function or class went in by value: said if it is one that its module has a newer one of by now."""
        name, part = value.__module__, value.__qualname__
        if name in self._by_source and name not in self._found and "<" not in part:
            self._note(name, f"{part} was replaced there", f"make anew what is a {part} or uses it, and deploy again")

    def replaced_by_same(self, value: FunctionType | type) -> tuple[ModuleType, str] | None:
        """The module and qualified name of what a reload put in the place of ``value`` and that says the same."""
        name, part = value.__module__, value.__qualname__
        if not isinstance(name, str) or name not in self._by_source or "<" in part:
            return None
        module = sys.modules.get(name)
        found: Any = module
        for step in part.split("."):
            found = getattr(found, step, None)
        return (module, part) if module and found is not value and is_same(value, found) else None

    def goes_by_value(self, name: str) -> bool:
        """Whether a module goes in by value; decided once, for it and all that it imports."""
        if name not in self._by_source and name not in self._by_value and name not in self._not_ours:
            self._judge(name)
        if name in self._by_source:
            self._needed[name] = None
        return name in self._by_value

    def _judge(self, name: str) -> None:
        place = local_place(name)
        if place is None:
            self._not_ours.add(name)
            return
        reached = self._reached(place)
        wrong = {one for one in reached if self._reason(one)}
        while more := {one for one in reached - wrong if wrong.intersection(self._imports[one])}:
            wrong |= more
        for one in reached:
            if one not in wrong:
                self._by_source.add(one)
                continue
            self._by_value[one] = self._reason(one) or "it imports a module that goes in by value"
            self._register(one)

    def _register(self, name: str) -> None:
        module = sys.modules.get(name)
        if module is not None and name not in cloudpickle.list_registry_pickle_by_value():
            cloudpickle.register_pickle_by_value(module)
            self._registered.append(module)

    def _reached(self, place: Place) -> set[str]:
        """The module with its packages and what they import, as far as that is local."""
        found: set[str] = set()
        queue = [place]
        while queue:
            one = queue.pop()
            if one.name in found:
                continue
            found.add(one.name)
            if one.name not in self._imports:
                parent = one.name.rpartition(".")[0]
                names = [*([parent] if parent else []), *self._imported_by(one)]
                self._imports[one.name] = tuple(name for name in dict.fromkeys(names) if local_place(name))
            queue.extend(where for name in self._imports[one.name] if (where := local_place(name)))
        return found

    def _imported_by(self, place: Place) -> Iterator[str]:
        try:
            code = compiled(place.file) if place.file else None
        except (OSError, SyntaxError, ValueError):
            return
        if code is not None:
            yield from imports_in(code, place.name if place.folders else place.name.rpartition(".")[0])

    def _reason(self, name: str) -> str | None:
        """Why a module's source would not do; None: it does."""
        if name not in self._reasons:
            self._reasons[name] = self._reason_of(name)
        return self._reasons[name]

    def _reason_of(self, name: str) -> str | None:
        module, place = sys.modules.get(name), locate(name)
        file = place.file if place is not None else None
        if name.partition(".")[0] in _TAKEN:
            return "its name is one that every bento has a module of"
        if file is not None and file.suffix not in _CODE:
            return f"it is imported from a {file.suffix} file"
        if isinstance(module, ModuleType) and not is_as_written(module):
            return "an import hook made it"
        what = self._changed.get(name)
        code = None
        if what is None and file is not None:
            try:
                code = compiled(file)
            except OSError:
                what = "its file is gone"
            except (SyntaxError, ValueError):
                what = "its file is not Python any more"
        used = imports_in(code, None, nested=False) if code else ()
        if {one for one in used if one.partition(".")[0] == "jupyter_deploy"} - _STAND_IN:
            return "it uses more of nbdeploy than a bento has"
        if code is not None and isinstance(module, ModuleType):
            functions = edited(module, code)
            what = f"{', '.join(functions[:5])}: edited since it was loaded" if functions else None
        return None if what is None else self._note(name, what)

    def _note(self, name: str, what: str, remedy: str | None = None) -> str:
        self._found[name] = Finding(
            check=EDITED,
            severity="warning",
            message=f"the module {name} is not what its file says ({what}); captured was what is loaded, and answered",
            remedy=remedy
            or f"to have its file captured: importlib.reload({name}), and run the cells that use it again",
        )
        return what

    def pack(self, folder: Path) -> dict[str, str]:
        """Copy the source of what goes in by source into ``code/``; path in the snapshot -> SHA-256 of the file.

        Whole packages, with their data files as far as these are at most 64 MiB together.
        """
        files: dict[str, str] = {}
        left_out = {place.file for name in self._by_value if (place := locate(name)) and place.file}
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
                    files[f"{FOLDER}/{path}"] = copied(source, folder / FOLDER / path)
        if tops:
            self._tell(f"the source of {', '.join(tops)} is in the snapshot, in {FOLDER}/")
        return files

    def _with_imports(self, names: Iterable[str]) -> set[str]:
        found: set[str] = set()
        queue = list(names)
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue.extend(self._imports[name])
        return found

    def _tell(self, message: str) -> None:
        self._notes.append(Finding(check="project-code", severity="note", message=message))

    @staticmethod
    def _unit(name: str) -> Place | None:
        """The outermost package that a module is in, or itself; namespace packages are only folders."""
        parts = name.split(".")
        places = (locate(".".join(parts[: count + 1])) for count in range(len(parts)))
        return next((place for place in places if place is not None and place.file is not None), None)

    def _package(self, name: str, root: Path) -> list[tuple[str, Path]]:
        files = sorted(_files(root))
        data = [file for _, file in files if file.suffix not in _CODE]
        size = sum(file.stat().st_size for file in data)
        if size <= DATA_LIMIT:
            return files
        self._tell(
            f"of the package {name} only its code goes in: the {len(data)} other files in {root} are "
            f"{size / 2**20:.0f} MiB, more than {DATA_LIMIT / 2**20:.0f}"
        )
        return [(path, file) for path, file in files if file.suffix in _CODE]


def modules_in(files: Iterable[str]) -> list[str]:
    """The modules whose source files are among a snapshot's."""
    paths = [
        Path(file).with_suffix("").parts for file in files if file.startswith(f"{FOLDER}/") and file.endswith(".py")
    ]
    return [".".join(parts[1:-1] if parts[-1] == "__init__" else parts[1:]) for parts in paths]


def differing(found: Mapping[str, Mapping[str, list[str]]], reached: Collection[str] | None = None) -> dict[str, str]:
    """Modules whose globals here are not those that a clean process saw, with what is different.

    Parameters
    ----------
    reached
        Only globals of these names count; None: all.
    """
    different = {}
    for name, there in found.items():
        module = sys.modules.get(name)
        if not isinstance(module, ModuleType):
            continue
        # A text that names a folder may name the same one there, or what is in its place.
        here = [globals_of(module), globals_of(module, (*roots_of(name), Path.cwd()))]
        known = [one for one in {**here[0], **there} if reached is None or "." in one or one in reached]
        names = sorted(one for one in known if not any(seen.get(one) in there.get(one, ()) for seen in here))
        if names:
            different[name] = f"{', '.join(names[:5])} {'were' if len(names) > 1 else 'was'} changed"
    return different


def roots_of(name: str) -> tuple[Path, ...]:
    """The folder on the path that a module was found in."""
    place = locate(name)
    if place is None or place.file is None:
        return ()
    depth = name.count(".") + bool(place.folders)
    return (place.file.parents[depth],)


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """A package's files by their path within it: no hidden ones, no environments; links are followed, once each."""
    seen: set[str] = set()
    for folder, folders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen or "pyvenv.cfg" in names:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(one for one in folders if _is_kept(one))
        for name in names:
            file = Path(folder) / name
            if _is_kept(name) and file.is_file():
                yield file.relative_to(root).as_posix(), file


def _is_kept(name: str) -> bool:
    return not name.startswith(".") and name not in _LEFT_OUT and not name.endswith(_SUFFIXES_LEFT_OUT)
