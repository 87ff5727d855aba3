"""How a file is to be read where its owner knows better than what was found out about it."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.domain.errors import InvalidInput
from app.domain.wording import say

AUTO: Literal["auto"] = "auto"

FileFormat = Literal["auto", "csv", "tsv", "text", "fasttext", "jsonl", "json"]
"""`csv`, `tsv`: columns. `text`: a label and a text a line. `fasttext`: the label is marked. The others: objects."""

Encoding = Literal[
    "auto",
    "utf-8",
    "utf-16",
    "cp1252",
    "latin-1",
    "cp950",
    "gb18030",
    "cp932",
    "euc_jp",
    "cp949",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp874",
]
"""As Python calls them; cp950 is Big5, cp932 Shift JIS, cp949 Korean."""

DELIMITERS = {"comma": ",", "tab": "\t", "semicolon": ";", "bar": "|", "space": " "}
"""Separators that have a name; any other mark is given as itself."""

_NO_DELIMITERS = frozenset("\"'\\\r\n\0\ufeff\ufdd0")


def _as_character(given: str) -> str:
    if given == AUTO or given in DELIMITERS.values():
        return given
    if given.lower() in DELIMITERS:
        return DELIMITERS[given.lower()]
    if len(given) != 1 or given.isalnum() or given in _NO_DELIMITERS or not given.isprintable():
        raise ValueError(f"takes auto, {', '.join(DELIMITERS)}, or one mark such as ~; no letter, digit or quote")
    return given


class Reading(BaseModel):
    """What is asked for of a file; `auto` leaves it to what is found. A stored version has been read already."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: FileFormat = Field(AUTO, description="kind of file: columns, a label and a text a line, or objects")
    encoding: Encoding = Field(AUTO, description="of a text file; cp950 is Big5, cp932 Shift JIS, cp949 Korean")
    delimiter: Annotated[str, AfterValidator(_as_character)] = Field(
        AUTO, max_length=20, description="what separates columns: comma, tab, semicolon, bar, space, or one mark"
    )
    quotes: Literal["auto"] | bool = Field(AUTO, description="whether quotes enclose cells, or are part of the text")
    header: Literal["auto"] | bool = Field(AUTO, description="whether the first row names the columns")

    @property
    def asked(self) -> dict[str, Any]:
        """What is not left to be found, by field."""
        return self.model_dump(exclude_defaults=True)

    def check_only(self, allowed: tuple[str, ...], what: str) -> None:
        """InvalidInput where more than `allowed` is asked for of a file; `what` says what that is, as a sentence."""
        for name in self.asked:
            if name not in allowed:
                hint: str = "leave it out: such a file is read in one way alone"
                if allowed:
                    hint = say("leave it out; what can be chosen here: {settings}", settings=", ".join(allowed))
                message = say("{setting} cannot be chosen: {reason}", setting=name, reason=what)
                raise InvalidInput(message, hint=hint, code="data.reading_refused")


AS_FOUND = Reading()
"""Nothing is asked for."""
ASKED = say("that was asked for")
"""The reason for what was not found out."""
