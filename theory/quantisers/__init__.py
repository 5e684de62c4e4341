"""Where the codepoints go."""

from .scalar import Design, ScalarQuantiser

__all__ = ["Design", "ScalarQuantiser"]
