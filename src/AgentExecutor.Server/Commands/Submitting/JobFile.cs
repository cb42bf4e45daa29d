using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Server.Commands.Submitting;

/// <summary>Makes a job of a file: one that is a job already (its data, or a CloudEvent), or an agent definition with an input.</summary>
internal static class JobFile
{
    /// <summary>True where the bytes are a request for a job, not a definition.</summary>
    public static bool IsJob(ReadOnlySpan<byte> json)
    {
        try
        {
            var root = JsonElement.Parse(json);
            return root.ValueKind == JsonValueKind.Object && (root.Property("specversion") is not null || root.Property("agent_definition") is not null);
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The bytes, which are JSON.</summary>
    public static byte[] CheckJson(byte[] json)
    {
        try
        {
            JsonElement.Parse(json);
            return json;
        }
        catch (JsonException exception)
        {
            throw new FaultException(FaultCodes.InvalidDefinition, $"the file is no JSON: {exception.Message}", "name an agent definition, or a whole job");
        }
    }

    /// <summary>The job's id as the request has it.</summary>
    public static string IdOf(ReadOnlySpan<byte> json)
    {
        var root = JsonElement.Parse(json);
        return (root.Property("data") ?? root).TextProperty("job_id")
            ?? throw new FaultException(FaultCodes.InvalidEvent, "the job has no job_id", "add one to its data");
    }

    public static byte[] Make(string jobId, ReadOnlyMemory<byte> definition, JsonElement input) => JsonBytes.Write((jobId, definition, input), static (writer, it) =>
    {
        writer.WriteStartObject();
        writer.WriteString("trace_id"u8, Guid.CreateVersion7().ToString("N"));
        writer.WriteString("job_id"u8, it.jobId);
        writer.WritePropertyName("agent_definition"u8);
        writer.WriteRawValue(it.definition.Span);
        writer.WritePropertyName("input_payload"u8);
        it.input.WriteTo(writer);
        writer.WriteEndObject();
    });
}
