"""The page that follows a run, and what it is told about the run when it opens."""

from __future__ import annotations

from ...data.samples import Dataset
from ...random import split
from ...recipe.settings import Settings
from ...terminal.names import short_names
from ..document import Page
from .views import picture_shape

__all__ = ["watch_page"]

LONGEST = 10  # characters of the name of a class, below a small image

PAGE = Page(
    folder="watch",
    title="A run in training",
    scripts=(
        "encoding.js",
        "views/canvas.js",
        "views/curves.js",
        "views/tiles.js",
        "views/histogram.js",
        "views/digits.js",
        "news.js",
        "charts.js",
        "layers.js",
        "state.js",
        "page.js",
    ),
    styles=("base.css", "views.css"),
    connects=True,
)


def watch_page(name: str, settings: Settings, data: Dataset) -> str:
    """Return the page of a run; it asks the server that it came from for news.

    Parameters
    ----------
    name : of the run, for people
    settings : of the run
    data : training data
    """
    training, validation = split(settings.seed, len(data.images), settings.validation)
    classes = data.schema.outputs if data.schema else [str(label) for label in range(data.classes)]
    is_pictures = data.kind == "images" and picture_shape(data.shape) is not None
    return PAGE.html(
        {
            "name": name,
            "data": data.name,
            "samples": [len(training), len(validation)],
            "sizes": [int(data.images.shape[1]), *settings.hidden, data.classes],
            "activation": settings.activation,
            "optimizer": settings.optimizer,
            "batchSize": settings.batch_size,
            "rate": settings.learning_rate,
            "schedule": settings.schedule,
            "epochs": settings.epochs,
            "seed": settings.seed,
            "task": data.task,
            "classes": short_names(list(classes), LONGEST),
            "pixels": list(picture_shape(data.shape) or ()) if is_pictures else None,
        }
    )
