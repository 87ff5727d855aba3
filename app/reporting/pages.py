"""One self-contained HTML page from a template; every value in it is escaped by jinja2."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.reporting.formats import FILTERS

TEMPLATES = Path(__file__).parent / "templates"


def render(folder: Path, template: str, **values: Any) -> str:
    """A template of `folder`, which may include what stands in `TEMPLATES`; a value it lacks is an error."""
    environment = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment.get_template(template).render(**values)
