using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Schemas;

/// <summary>The meta-schema of the keywords that <see cref="JsonSchemaChecker"/> supports.</summary>
internal static class SchemaOfSchemas
{
    public static JsonElement Json { get; } =
        StoredJson.Parse(
            """
            {"type": ["object", "boolean"], "properties": {
              "type": {"anyOf": [{"$ref": "#/$defs/type"}, {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/type"}}]},
              "properties": {"type": "object", "additionalProperties": {"$ref": "#"}},
              "required": {"type": "array", "items": {"type": "string"}},
              "additionalProperties": {"$ref": "#"},
              "items": {"$ref": "#"},
              "enum": {"type": "array", "minItems": 1},
              "anyOf": {"$ref": "#/$defs/alternatives"},
              "oneOf": {"$ref": "#/$defs/alternatives"},
              "allOf": {"$ref": "#/$defs/alternatives"},
              "$ref": {"type": "string", "pattern": "^#"},
              "$defs": {"type": "object", "additionalProperties": {"$ref": "#"}},
              "definitions": {"type": "object", "additionalProperties": {"$ref": "#"}},
              "minItems": {"$ref": "#/$defs/count"}, "maxItems": {"$ref": "#/$defs/count"},
              "minLength": {"$ref": "#/$defs/count"}, "maxLength": {"$ref": "#/$defs/count"},
              "minimum": {"type": "number"}, "maximum": {"type": "number"},
            "exclusiveMinimum": {"type": "number"}, "exclusiveMaximum": {"type": "number"},
              "pattern": {"type": "string"}, "title": {"type": "string"}, "description": {"type": "string"}},
             "$defs": {
              "type": {"enum": ["object", "array", "string", "number", "integer", "boolean", "null"]},
              "alternatives": {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
              "count": {"type": "integer", "minimum": 0}}}
            """
        );
}
