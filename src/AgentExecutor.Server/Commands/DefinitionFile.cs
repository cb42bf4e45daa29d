using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core;
using AgentExecutor.Core.Graphs.Definitions;

namespace AgentExecutor.Server.Commands;

/// <summary>Reads a definition from a file. Turns of scripted models that lie in files beside it (<c>script_file</c>) are put in their place.</summary>
internal static class DefinitionFile
{
    /// <exception cref="FaultException">A file cannot be read, or is too large.</exception>
    public static byte[] Read(string path)
    {
        var bytes = ReadBytes(path);
        JsonNode? json;
        try
        {
            json = JsonNode.Parse(bytes, documentOptions: new JsonDocumentOptions { AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, AllowDuplicateProperties = false });
        }
        catch (JsonException)
        {
            return bytes; // the reader of definitions says what is wrong with it
        }
        return json is not null && Inline(json, Path.GetDirectoryName(Path.GetFullPath(path))!) ? Encoding.UTF8.GetBytes(json.ToJsonString()) : bytes;
    }

    /// <summary>The definition's own name, where it has one.</summary>
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
            return JsonNode.Parse(ReadBytes(path));
        }
        catch (JsonException exception)
        {
            throw new FaultException(FaultCodes.InvalidInput, $"the script '{path}' is no JSON: {exception.Message}", "mend it at the line that it names");
        }
    }

    private static byte[] ReadBytes(string path)
    {
        if (!File.Exists(path))
        {
            throw new FaultException(FaultCodes.InvalidInput, $"there is no file '{path}'", "see that the path is right; samples/log-triage/agent.json is a definition to try");
        }
        if (new FileInfo(path).Length > DefinitionReader.MaxBytes)
        {
            throw new FaultException(FaultCodes.InvalidInput, $"the file '{path}' is larger than {DefinitionReader.MaxBytes} bytes", "is it a definition at all?");
        }
        return File.ReadAllBytes(path);
    }
}
