"""scikit-learn's interface: estimators for its pipelines and searches, trained by the
compiled path.

scikit-learn is an extra and is imported here only; ``import fastbp`` does without it.
"""

from __future__ import annotations

try:
    import sklearn  # noqa: F401
except ImportError as error:  # pragma: no cover
    raise ImportError("fastbp's estimators need scikit-learn: pip install 'fastbp[sklearn]'") from error

from .classifier import MLPClassifier
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor"]
