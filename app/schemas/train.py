"""Bodies of requests to train, and of what checks them first."""

from typing import Any

from pydantic import ConfigDict, Field, GetJsonSchemaHandler, RootModel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from app.domain.train_config import TrainConfig
from app.domain.wording import SAID, Sentence, Worded
from app.schemas.problem import ProblemPlace

_EXAMPLE: dict[str, Any] = {
    "experiment_name": "reviews",
    "model": {"name": "minilm"},
    "lora": {"r": 8, "lora_alpha": 16},
    "data": {"train": "reviews@1"},
    "training": {"num_train_epochs": 3, "seed": 42},
}


class TrainRequest(RootModel[dict[str, Any]]):
    """A TrainConfig as it was sent: it is checked by the service, which finds all faults at once and names each."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema of what the service expects."""
        described = handler.resolve_ref_schema(handler(TrainConfig.__pydantic_core_schema__))
        described["examples"] = [_EXAMPLE]
        return described


class ConfigCheck(Worded):
    """What a TrainConfig is worth: all that is wrong with it, or the whole of it with its defaults."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "valid": False,
                    "config": None,
                    "problems": [
                        {"pointer": "/training/learning_rate", "detail": "-1 is not allowed; expected auto or a number"}
                    ],
                    "warnings": [],
                }
            ]
        }
    )

    valid: bool
    config: TrainConfig | None = Field(description="with every default filled in; null where it is not valid")
    problems: list[ProblemPlace]
    warnings: list[str] = Field(description="settings that were given and can have no effect")
    said: dict[str, Sentence] = SAID
