using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands;

/// <summary>Reads <c>--input</c>: a JSON object, <c>@FILE</c> with JSON or text, or plain text; and puts mounted files into it.</summary>
internal static class InputArgument
{
    public static JsonElement Read(string? input, IEnumerable<KeyValuePair<string, string>> files)
    {
        var payload = Payload(input);
        var mounted = new JsonObject();
        foreach (var (path, content) in files)
        {
            mounted[path] = new JsonObject { ["content"] = content };
        }
        if (mounted.Count > 0)
        {
            foreach (var (path, file) in payload["files"] as JsonObject ?? [])
            {
                mounted[path] = file?.DeepClone();
            }
            payload["files"] = mounted;
        }
        return JsonElement.Parse(JsonSerializer.SerializeToUtf8Bytes(payload, JsonSerializerOptions.Default.GetTypeInfo(typeof(JsonObject))));
    }

    /// <summary>The files of a directory as virtual files below <c>/</c>: texts alone, up to a bound.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Mount(string directory)
    {
        const int MaxBytes = 16 * 1024 * 1024;
        if (!Directory.Exists(directory))
        {
            throw new FaultException(FaultCodes.InvalidInput, $"there is no directory '{directory}'", "name one with --mount DIR");
        }
        var total = 0L;
        foreach (var file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            total += new FileInfo(file).Length;
            if (total > MaxBytes)
            {
                throw new FaultException(FaultCodes.InvalidInput, $"the files in '{directory}' are larger than {MaxBytes} bytes together", "mount a smaller directory");
            }
            var bytes = File.ReadAllBytes(file);
            if (Array.IndexOf(bytes, (byte)0) < 0 && FilePath.TryNormalize(Path.GetRelativePath(directory, file).Replace('\\', '/'), out var path, out _))
            {
                yield return KeyValuePair.Create(path, System.Text.Encoding.UTF8.GetString(bytes));
            }
        }
    }

    /// <summary>A value on the command line: JSON where it is JSON, else text.</summary>
    public static JsonElement Value(string text)
    {
        try
        {
            return JsonElement.Parse(text);
        }
        catch (JsonException)
        {
            return JsonBytes.Text(text);
        }
    }

    private static JsonObject Payload(string? input)
    {
        if (input is ['@', .. var path])
        {
            input = File.Exists(path) ? File.ReadAllText(path) : throw new FaultException(
                FaultCodes.InvalidInput, $"there is no file '{path}' to read the input from", "write --input @FILE with a file that exists");
        }
        if (input is not null && input.TrimStart().StartsWith('{'))
        {
            try
            {
                return JsonNode.Parse(input) as JsonObject ?? [];
            }
            catch (JsonException exception)
            {
                throw new FaultException(FaultCodes.InvalidInput, $"the input begins like JSON and is none: {exception.Message}", "mend it, or write plain text");
            }
        }
        return input is null ? [] : new JsonObject { ["user_request"] = input };
    }
}
