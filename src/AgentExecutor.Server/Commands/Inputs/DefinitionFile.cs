using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands.Inputs;

/// <summary>
/// Reads a definition from a file, and inserts the scripts of scripted models that are kept in separate files (<c>script_file</c>).
/// </summary>
internal static class DefinitionFile
{
    /// <exception cref="FaultException">A file cannot be read, or is too large.</exception>
    public static byte[] Read(string path)
    {
        var bytes = ReadBytes(path);
        JsonNode? json;
        try
        {
            json = NodeOf(InputJson.ParseHandwritten(WithoutMark(bytes)));
        }
        catch (JsonException)
        {
            return bytes; // the definition reader reports the error
        }
        return json is not null && Inline(json, Path.GetDirectoryName(Path.GetFullPath(path))!)
            ? Encoding.UTF8.GetBytes(json.ToJsonString())
            : bytes;
    }

    /// <summary>The definition's name, or null if it has none.</summary>
    public static string? NameIn(byte[] definition) => DefinitionReader.Read(definition).Definition?.Name;

    private static bool Inline(JsonNode node, string directory)
    {
        var changed = false;
        if (node is JsonObject owner)
        {
            if (owner["script_file"] is JsonValue file && file.TryGetValue<string>(out var name))
            {
                owner.Remove("script_file");
                owner["script"] = Parse(Path.Combine(directory, name));
                changed = true;
            }
            foreach (var child in owner.Select(property => property.Value).OfType<JsonNode>().ToList())
            {
                changed |= Inline(child, directory);
            }
        }
        else if (node is JsonArray list)
        {
            foreach (var child in list.OfType<JsonNode>())
            {
                changed |= Inline(child, directory);
            }
        }
        return changed;
    }

    private static JsonNode? Parse(string path)
    {
        try
        {
            return NodeOf(InputJson.Parse(WithoutMark(ReadBytes(path)), isStrict: true));
        }
        catch (JsonException exception)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"the script '{path}' is not valid JSON: {exception.Message}",
                "fix the JSON on that line"
            );
        }
    }

    /// <summary>Returns null for JSON null.</summary>
    private static JsonNode? NodeOf(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.Object => JsonObject.Create(json),
            JsonValueKind.Array => JsonArray.Create(json),
            _ => JsonValue.Create(json),
        };

    /// <summary>Some editors begin a file with a byte order mark.</summary>
    public static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith("\uFEFF"u8) ? bytes["\uFEFF"u8.Length..] : bytes;

    private static byte[] ReadBytes(string path)
    {
        if (Directory.Exists(path))
        {
            throw new FaultException(FaultCodes.InvalidInput, $"'{path}' is a directory", "specify the file of an agent definition");
        }
        if (!File.Exists(path))
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"there is no file '{path}'",
                "check the path; samples/log-triage/agent.json is an example"
            );
        }
        if (new FileInfo(path).Length > DefinitionReader.MaxBytes)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"the file '{path}' is larger than {DefinitionReader.MaxBytes} bytes",
                "check that the file is an agent definition"
            );
        }
        return File.ReadAllBytes(path);
    }
}
