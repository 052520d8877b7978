"""PIL images in base64, and back in the example's mode."""

from __future__ import annotations

import base64
import io
import warnings
from typing import Any

from PIL import Image, UnidentifiedImageError

from .arrays import ConversionError

# Lossless formats; TIFF has the modes that PNG lacks.
_FORMATS = dict.fromkeys(("1", "L", "LA", "P", "RGB", "RGBA", "I;16"), "PNG") | dict.fromkeys(
    ("CMYK", "F", "I", "LAB", "YCbCr"), "TIFF"
)


def image_json(image: Image.Image) -> str:
    """Encode ``image`` in base64, as PNG or, in modes that PNG lacks, as TIFF.

    Raises
    ------
    TypeError
        Neither format has the image's mode.
    """
    format_ = _FORMATS.get(image.mode)
    if format_ is None:
        raise TypeError(f"an image of mode {image.mode} has no JSON form; convert it, such as image.convert('RGB')")
    written = io.BytesIO()
    image.save(written, format_)
    return base64.b64encode(written.getvalue()).decode("ascii")


def read_image(content: bytes, mode: str) -> Any:
    """Decode an image of any format that Pillow supports and convert it to ``mode``.

    Raises
    ------
    ConversionError
        The content is not an image, is too large (Pillow's ``MAX_IMAGE_PIXELS``), or cannot be converted.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(content))
            image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ConversionError(f"is an image of more than {Image.MAX_IMAGE_PIXELS} pixels") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise ConversionError("must be an image, such as a PNG or JPEG file in base64") from error
    if image.mode == mode:
        return image
    try:
        return image.convert(mode)
    except ValueError as error:
        raise ConversionError(f"is an image of mode {image.mode}, which cannot become {mode}") from error
