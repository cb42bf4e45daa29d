using System.Text.Json;
using System.Text.Json.Nodes;
using AgentExecutor.Core;
using AgentExecutor.Core.Files;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands.Inputs;

/// <summary>Reads <c>--input</c>: a JSON object, <c>@FILE</c> with JSON or text, or plain text. Adds the mounted files.</summary>
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
        return InputJson.Parse(JsonSerializer.SerializeToUtf8Bytes(payload, JsonSerializerOptions.Default.GetTypeInfo(typeof(JsonObject))));
    }

    /// <summary>Reads the text files of a directory, up to 16 MiB together, as virtual files below <c>/</c>.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Mount(string directory)
    {
        const int MaxBytes = 16 * 1024 * 1024;
        if (!Directory.Exists(directory))
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                $"there is no directory '{directory}'",
                "specify an existing directory with --mount DIR"
            );
        }
        var total = 0L;
        foreach (var file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            total += new FileInfo(file).Length;
            if (total > MaxBytes)
            {
                throw new FaultException(
                    FaultCodes.InvalidInput,
                    $"the files in '{directory}' exceed {MaxBytes} bytes in total",
                    "mount a smaller directory"
                );
            }
            var bytes = File.ReadAllBytes(file);
            if (
                Array.IndexOf(bytes, (byte)0) < 0
                && FilePath.TryNormalize(Path.GetRelativePath(directory, file).Replace('\\', '/'), out var path, out _)
            )
            {
                yield return KeyValuePair.Create(path, System.Text.Encoding.UTF8.GetString(bytes));
            }
        }
    }

    /// <summary>Reads a value from the command line as JSON if it is valid JSON, otherwise as text.</summary>
    public static JsonElement Value(string text)
    {
        try
        {
            return InputJson.Parse(text);
        }
        catch (JsonException)
        {
            return !InputJson.IsTooDeep(text)
                ? JsonBytes.Text(text)
                : throw new FaultException(
                    FaultCodes.InvalidInput,
                    $"the value {InputJson.TooDeep}",
                    "reduce the nesting, or pass the JSON as a string"
                );
        }
    }

    private static JsonObject Payload(string? input)
    {
        if (input is ['@', .. var path])
        {
            input = File.Exists(path)
                ? File.ReadAllText(path)
                : throw new FaultException(
                    FaultCodes.InvalidInput,
                    $"there is no file '{path}' to read the input from",
                    "use --input @FILE with an existing file"
                );
        }
        if (input is not null && input.TrimStart().StartsWith('{'))
        {
            try
            {
                return JsonObject.Create(InputJson.Parse(input, isStrict: true)) ?? [];
            }
            catch (JsonException exception)
            {
                throw new FaultException(
                    FaultCodes.InvalidInput,
                    $"the input starts with {{ but is not valid JSON: {exception.Message}",
                    "fix the JSON, or use text that does not start with {"
                );
            }
        }
        return input is null ? [] : new JsonObject { ["user_request"] = input };
    }
}
