"""Real data, small enough to ship: the UCI handwritten digits (see ATTRIBUTION.md)."""

from pathlib import Path

import numpy as np

__all__ = ["load_digits"]


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """The 1,797 digits: images (1797, 8, 8) of uint8, 0 (paper) to 16 (ink), and labels (1797,) of int64."""
    with np.load(Path(__file__).with_name("digits.npz"), allow_pickle=False) as archive:
        return archive["images"], archive["labels"].astype(np.int64)
