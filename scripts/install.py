"""``python -m scripts.install EXTRAS``: nbdeploy, editable, with these extras, into the environment of this Python.

By uv with pip's settings. Of this package only what needs nothing installed is imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jupyter_deploy.environments.installer import pips_settings, uvs_settings


def main() -> None:
    """Install, and end as uv ends."""
    pips = pips_settings()
    options = [
        "--quiet",
        "--compile-bytecode",
        "--python",
        sys.executable,
        *(["--no-index"] if "no-index" in pips else []),
    ]
    constraints = {"UV_CONSTRAINT": " ".join(pips["constraint"])} if "constraint" in pips else {}
    ended = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", *options, "--editable", f".[{sys.argv[1]}]"],
        cwd=Path(__file__).parents[1],
        env={**uvs_settings(pips), **constraints, **os.environ},
        check=False,
    )
    sys.exit(ended.returncode)


if __name__ == "__main__":
    main()
