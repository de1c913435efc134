"""The web app's types are those of the OpenAPI document."""

from __future__ import annotations

import pytest

from tests.api.typescript import TARGET, document, typescript


def test_the_types_of_the_web_app_are_those_of_the_openapi_document() -> None:
    assert TARGET.read_text() == typescript(document()), "the types are stale: run 'make types'"


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, "string"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}, {"type": "null"}]}, "number | null"),
        ({"type": "array", "items": {"anyOf": [{"type": "string"}, {"type": "null"}]}}, "(string | null)[]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "Record<string, number>"),
        ({"enum": ["live", "complete"], "type": "string"}, '"live" | "complete"'),
        ({"$ref": "#/components/schemas/Session"}, "Session"),
    ],
)
def test_a_schema_becomes_a_type(schema: dict[str, object], written: str) -> None:
    assert typescript({"components": {"schemas": {"It": schema}}}).endswith(
        f"\nexport type It = {written};\n"
    )


def test_what_may_be_missing_is_said() -> None:
    schema = {
        "properties": {"id": {"type": "string"}, "note": {"description": "*/", "type": "string"}},
        "required": ["id"],
        "additionalProperties": True,
    }
    assert typescript({"components": {"schemas": {"It": schema}}}).endswith(
        "interface It {\n  id: string;\n  /** * / */\n  note?: string;\n}\n"
    )
