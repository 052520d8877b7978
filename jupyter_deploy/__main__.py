"""``python -m jupyter_deploy``."""

from .faces.cli import main

if __name__ == "__main__":
    main()
