"""JSON that lies in the bucket or on disk, held against what it should be before anything relies on it.

Other hosts wrote it, older versions, or somebody's hand. What is wrong with it is one of our errors, which
names it.
"""

import json
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import AfterValidator, TypeAdapter, ValidationError

from woomera_milter.clock import moment
from woomera_milter.errors import DamagedError

Value = TypeVar("Value")


def _is_moment(text: str) -> str:
    moment(text)
    return text


Moment = Annotated[str, AfterValidator(_is_moment)]
"""An RFC 3339 time as it stands in JSON."""


def parsed(octets: bytes) -> Any:
    """Return what a JSON document says, None where it is empty; raise ValueError where it is none.

    Numbers that JSON does not have (RFC 8259 section 6), and halves of characters, which cannot be written
    again (section 8.2), are refused.
    """
    try:
        value = json.loads(octets, parse_constant=_refuse) if octets.strip() else None
        if b"\\u" in octets:
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def shaped(shape: TypeAdapter[Value], value: object, name: str) -> Value:
    """Return the document called `name` as what it should be; raise DamagedError where it is not."""
    try:
        return shape.validate_python(value)
    except ValidationError as error:
        places = sorted({".".join(map(str, it["loc"])) or "all of it" for it in error.errors()})
    raise DamagedError(f"reading {name}: {', '.join(places)[:200]} is not what it should be")
