"""Base models known by a short name, and what we know of them that their files do not say."""

from pydantic import BaseModel, ConfigDict


class BaseModelInfo(BaseModel):
    """A pretrained encoder: `name` is what a user types, `hub_id` what a saved adapter refers to."""

    model_config = ConfigDict(frozen=True)

    name: str
    hub_id: str
    language: str


_CATALOG = (
    BaseModelInfo(name="minilm", hub_id="sentence-transformers/all-MiniLM-L6-v2", language="English"),
    BaseModelInfo(name="distilbert-base-uncased", hub_id="distilbert/distilbert-base-uncased", language="English"),
    BaseModelInfo(name="roberta-base", hub_id="FacebookAI/roberta-base", language="English"),
    BaseModelInfo(name="albert-base-v2", hub_id="albert/albert-base-v2", language="English"),
    BaseModelInfo(name="bert-base-chinese", hub_id="google-bert/bert-base-chinese", language="Chinese"),
    BaseModelInfo(
        name="distilbert-base-multilingual-cased",
        hub_id="distilbert/distilbert-base-multilingual-cased",
        language="Multilingual",
    ),
)

CATALOG: dict[str, BaseModelInfo] = {info.name: info for info in _CATALOG}


def describe(name: str) -> BaseModelInfo:
    """Look a base model up by short name or hub id; one nobody described has language `Unknown`."""
    for info in _CATALOG:
        if name in (info.name, info.hub_id):
            return info
    return BaseModelInfo(name=name, hub_id=name, language="Unknown")
