using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using AgentExecutor.Server.Commands.Inputs;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Reads a job from a file that contains a complete job (its data, or a CloudEvent) or an agent definition.</summary>
internal static class JobFile
{
    /// <summary>
    /// Removes comments, trailing commas and a byte order mark, so that other programs can read the JSON. A file that is not valid
    /// JSON is returned unchanged.
    /// </summary>
    public static byte[] ToStrictJson(byte[] file)
    {
        try
        {
            InputJson.Parse(file);
            return file;
        }
        catch (JsonException)
        {
            return Rewritten(file) ?? file;
        }
    }

    /// <summary>Whether the JSON is a job, and not a definition.</summary>
    public static bool IsJob(ReadOnlySpan<byte> json)
    {
        try
        {
            var root = InputJson.Parse(json);
            return root.ValueKind == JsonValueKind.Object
                && (root.Property("specversion") is not null || root.Property("agent_definition") is not null);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The agent definition in a job, or the JSON itself if it is a definition. Null for a job without a definition.</summary>
    public static byte[]? DefinitionIn(byte[] json)
    {
        if (!IsJob(json))
        {
            return json;
        }
        var root = InputJson.Parse(json);
        return (root.Property("data") ?? root).Property("agent_definition") is { ValueKind: JsonValueKind.Object } definition
            ? JsonBytes.Of(definition)
            : null;
    }

    /// <summary>Returns the bytes if they are valid JSON.</summary>
    public static byte[] CheckJson(byte[] json)
    {
        try
        {
            InputJson.Parse(json);
            return json;
        }
        catch (JsonException exception)
        {
            throw new FaultException(
                FaultCodes.InvalidDefinition,
                $"the file is not valid JSON: {exception.Message}",
                "specify an agent definition or a complete job"
            );
        }
    }

    /// <summary>The id in a job.</summary>
    public static string IdOf(ReadOnlySpan<byte> json)
    {
        var root = InputJson.Parse(json);
        return (root.Property("data") ?? root).TextProperty("job_id")
            ?? throw new FaultException(FaultCodes.InvalidEvent, "the job has no job_id", "add job_id to its data");
    }

    private static byte[]? Rewritten(byte[] file)
    {
        try
        {
            return JsonBytes.Of(InputJson.ParseHandwritten(DefinitionFile.WithoutMark(file)));
        }
        catch (JsonException)
        {
            return null; // the reader of the job reports the error
        }
    }

    public static byte[] Create(string jobId, ReadOnlyMemory<byte> definition, JsonElement input) =>
        JsonBytes.Write(
            (jobId, definition, input),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("trace_id"u8, Guid.CreateVersion7().ToString("N"));
                writer.WriteString("job_id"u8, it.jobId);
                writer.WritePropertyName("agent_definition"u8);
                writer.WriteRawValue(it.definition.Span);
                writer.WritePropertyName("input_payload"u8);
                it.input.WriteTo(writer);
                writer.WriteEndObject();
            }
        );
}
