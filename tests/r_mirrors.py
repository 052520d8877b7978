"""A mirror of R's packages in CRAN's layout, of packages that a test writes."""

import os
import subprocess
from pathlib import Path


def write_package(folder: Path, name, code, *, version="1.0.0", imports=(), c_code=""):
    """The source of a package, whose functions are all exported."""
    made = folder / name
    (made / "R").mkdir(parents=True)
    needs = f"Imports: {', '.join(imports)}\n" if imports else ""
    (made / "DESCRIPTION").write_text(
        f"Package: {name}\nVersion: {version}\nTitle: A Test\nDescription: Of a test.\nAuthor: Ada\n"
        f"Maintainer: Ada <ada@registry.example>\nLicense: GPL-2\n{needs}"
    )
    imported = "".join(f"import({one})\n" for one in imports)
    native = f"useDynLib({name})\n" if c_code else ""
    (made / "NAMESPACE").write_text(f'exportPattern("^[a-z]")\n{imported}{native}')
    (made / "R" / "code.R").write_text(code)
    if c_code:
        (made / "src").mkdir()
        (made / "src" / "code.c").write_text(c_code)
    return made


def write_mirror(folder: Path, *packages: Path):
    """A mirror with the archives that R builds of these packages; its folder."""
    contrib = folder / "src" / "contrib"
    contrib.mkdir(parents=True)
    for package in packages:
        _run(["R", "CMD", "build", "--no-build-vignettes", package], contrib)
    _run(["Rscript", "--vanilla", "-e", "tools::write_PACKAGES('.', type = 'source')"], contrib)
    return folder


def install(library: Path, *packages: Path):
    """Install packages where a notebook of the test runs; its compiler may be older than R's options for C."""
    library.mkdir(parents=True, exist_ok=True)
    (library / "Makevars").write_text("CC = gcc\n")
    for package in packages:
        command = ["R", "CMD", "INSTALL", "--no-docs", f"--library={library}", package]
        _run(command, library, R_MAKEVARS_USER=f"{library}/Makevars")


def users_library():
    """The folder in which R looks for the packages of the user of HOME."""
    return Path(_run(["Rscript", "--vanilla", "-e", "cat(path.expand(Sys.getenv('R_LIBS_USER')))"], "/"))


def _run(command, folder, **variables):
    environment = os.environ | variables
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
