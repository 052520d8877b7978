"""The brightness of images in requests."""

from __future__ import annotations

import base64
import io
import warnings


def image_mean(text: str) -> float | None:
    """Return the mean brightness, 0 to 1, of an image in base64; None: it cannot be read."""
    from PIL import Image, ImageStat  # models without images need no Pillow

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(base64.b64decode(text))) as image:
                image.draft("L", (64, 64))
                return round(float(ImageStat.Stat(image.convert("L")).mean[0]) / 255, 6)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None
