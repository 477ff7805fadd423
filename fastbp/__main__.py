"""``python -m fastbp`` is ``fastbp``."""

from .cli import main

main()
