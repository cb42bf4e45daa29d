using System.Text.Json.Serialization;

namespace AgentExecutor.Core.Definitions;

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    WriteIndented = true
)]
[JsonSerializable(typeof(AgentDefinition))]
internal sealed partial class DefinitionJson : JsonSerializerContext;
