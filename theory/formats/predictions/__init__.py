"""What a format does to a source, before anything is encoded: bits, error and entropy."""

from .affine_law import AffineBlock, affine_block
from .prediction import Prediction, predict
from .storage import storage
from .stored_bits import StoredBits

__all__ = ["AffineBlock", "Prediction", "StoredBits", "affine_block", "predict", "storage"]
