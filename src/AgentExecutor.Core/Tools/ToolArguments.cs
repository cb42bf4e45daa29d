using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools;

/// <summary>Reads arguments that have been checked against the tool's schema.</summary>
internal static class ToolArguments
{
    public static string Text(this JsonElement arguments, string name, string otherwise = "") => arguments.TextProperty(name) ?? otherwise;

    public static int Int(this JsonElement arguments, string name, int otherwise) =>
        arguments.Property(name) is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var value) ? value : otherwise;

    public static bool Flag(this JsonElement arguments, string name) => arguments.Property(name) is { ValueKind: JsonValueKind.True };

    public static JsonElement Schema([System.Diagnostics.CodeAnalysis.StringSyntax("Json")] string json) => StoredJson.Parse(json);
}
