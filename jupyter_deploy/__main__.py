"""``python -m jupyter_deploy``."""

from .faces.cli.main import main

if __name__ == "__main__":
    main()
