"""`python -m tests.api.typescript`: the web app's types, made from the OpenAPI document of the control plane.

openapi-typescript would do it, but needs the compiler of TypeScript 5; the web app has the native one. Our
document needs few of the things that a schema can say, and what is not known here is an error.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from voxgate.api.app import build_api

TARGET: Final = Path(__file__).parents[2] / "ui" / "src" / "api" / "schema.ts"
_HEAD: Final = "/** Made from the control plane's OpenAPI document by `make types`. Do not edit. */\n"
_SIMPLE: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
_WIDTH: Final = 110


def document() -> dict[str, Any]:
    """The OpenAPI document; it needs no store and no server."""
    nothing: Any = None
    app = build_api(store=nothing, blobs=nothing, keys=nothing, sign_in=nothing, models=list)
    return app.openapi()


def typescript(openapi: dict[str, Any]) -> str:
    """One interface or type for each schema, in the order of their names. What an answer may have beyond its
    schema is not in its type."""
    schemas = openapi["components"]["schemas"]
    return _HEAD + "".join(_declaration(name, schemas[name]) for name in sorted(schemas))


def _declaration(name: str, schema: dict[str, Any]) -> str:
    head = f"\n{_comment(schema.get('description'), '')}export "
    if "properties" not in schema:
        return f"{head}type {name} = {_type(schema)};\n"
    required = schema.get("required", [])
    lines = [_property(key, value, key in required) for key, value in schema["properties"].items()]
    return f"{head}interface {name} {{\n{''.join(lines)}}}\n"


def _property(name: str, schema: dict[str, Any], required: bool) -> str:
    line = f"  {name}{'' if required else '?'}: {_type(schema)};\n"
    if len(line) > _WIDTH + 1 and " | " in line:
        head, _, parts = line.rstrip(";\n").partition(": ")
        line = f"  {head.strip()}:\n" + "".join(f"    | {part}\n" for part in parts.split(" | "))
        line = line.rstrip("\n") + ";\n"
    return _comment(schema.get("description"), "  ") + line


def _comment(text: str | None, indent: str) -> str:
    """The first paragraph, in one line."""
    words = " ".join((text or "").split("\n\n")[0].split()).replace("*/", "* /")
    return f"{indent}/** {words} */\n" if words else ""


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(map(json.dumps, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    match schema.get("type"):
        case None:
            return "unknown"
        case "array":
            return _array(schema)
        case "object":
            return _record(schema)
        case kind:
            return _SIMPLE[kind]


def _array(schema: dict[str, Any]) -> str:
    if "prefixItems" in schema:
        return f"[{', '.join(map(_type, schema['prefixItems']))}]"
    inner = _type(schema["items"])
    return f"({inner})[]" if " | " in inner else f"{inner}[]"


def _record(schema: dict[str, Any]) -> str:
    more = schema.get("additionalProperties", True)
    return f"Record<string, {'unknown' if more is True else _type(more)}>"


if __name__ == "__main__":
    TARGET.write_text(typescript(document()))
