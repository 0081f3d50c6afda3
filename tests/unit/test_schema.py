"""The page of the bucket's schema tells all of it: each key, each document with each of its fields."""

import pytest

from rig import schema
from woomera_milter.store import documents
from woomera_milter.store.documents import Claim, MilterDay, Sidecar

PAGE = schema.page()


@pytest.mark.parametrize("form", schema.key_makers())
def test_every_key_is_told_with_what_lies_there(form: str) -> None:
    assert form.startswith("`")
    assert len(schema.key_makers()[form].split()) > 3
    assert f"| {form} | {schema.key_makers()[form]} |" in PAGE


@pytest.mark.parametrize("kind", schema.DOCUMENTS, ids=lambda kind: kind.__name__)
def test_every_field_has_a_type_and_a_meaning(kind: type) -> None:
    for name, form, meaning in schema.fields(kind):
        assert form, name
        assert meaning.endswith("."), name
        assert f"| `{name}` | {form} | {meaning} |" in PAGE


def test_every_document_that_a_key_names_is_on_the_page() -> None:
    named = [it for it in PAGE.split("## Documents")[0].split("`") if it.isalpha() and hasattr(documents, it)]
    assert sorted(set(named)) == sorted(kind.__name__ for kind in schema.DOCUMENTS)
    assert all(f"\n### {name}\n" in PAGE for name in named)


def test_fields_are_those_of_the_json_and_not_of_the_classes() -> None:
    names = {kind: [name for name, *_ in schema.fields(kind)] for kind in (Sidecar, Claim, MilterDay)}
    assert names[Sidecar] == list(Sidecar.model_fields)
    assert "etag" not in names[Claim]
    assert {"day", "written_at", "intercepted", "recent_failures"} <= set(names[MilterDay])
    assert "| `bytes` | integer | Their octets. |" in PAGE
