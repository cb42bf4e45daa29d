using System.Security.Cryptography;
using System.Text.Json;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Reads <c>{trace_id, job_id, agent_definition, input_payload}</c>. Other members are ignored, so that newer senders are understood.
/// </summary>
/// <param name="path">The path of the data in the message: <c>data</c>, or empty.</param>
internal sealed class JobDataReader(string path, EventFaults faults)
{
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private string? _traceId;
    private string? _jobId;
    private ReadOnlyMemory<byte> _definition;
    private ReadOnlyMemory<byte> _input;

    /// <summary>Returns the request, or null if the envelope or the data has faults.</summary>
    public JobRequest? Read(ReadOnlyMemory<byte> json, CloudEvent? envelope)
    {
        if (!TryReadMembers(json))
        {
            return null;
        }
        Require("trace_id", "name the trace that the job belongs to, such as a UUID");
        Require("job_id", "name the job; the same id is the same job");
        Require("agent_definition", "add the agent definition, an object");
        Require("input_payload", "add the input, an object such as {\"messages\": [...]}");
        var hash = HashOf();
        return faults.Any
            ? null
            : new JobRequest
            {
                JobId = _jobId!,
                TraceId = _traceId!,
                TraceParent = TraceParent.Of(envelope?.TraceParent, _traceId!, _jobId!),
                Definition = _definition,
                Input = _input,
                RequestHash = hash,
                EventId = envelope?.Id,
                Extensions = envelope?.Extensions ?? CloudEvent.NoExtensions,
            };
    }

    private bool TryReadMembers(ReadOnlyMemory<byte> json)
    {
        if (JsonText.Check(json, path, faults) is not { } text)
        {
            return false;
        }
        try
        {
            var reader = JsonText.Reader(text);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                faults.Add(path, "it must be a JSON object", "send {trace_id, job_id, agent_definition, input_payload}");
                return false;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                ReadMember(ref reader, text);
            }
            // Nothing may follow the object.
            reader.Read();
            return true;
        }
        catch (JsonException exception)
        {
            JsonText.AddTo(faults, path, exception);
            return false;
        }
    }

    private void ReadMember(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
    {
        var name = JsonText.TextOf(ref reader) ?? "\uFFFD";
        reader.Read();
        if (!_names.Add(name))
        {
            faults.Add(PathOf(name), "the member appears more than once", "keep one of them");
            reader.Skip();
            return;
        }
        switch (name)
        {
            case "trace_id":
                _traceId = ReadId(name, ref reader);
                break;
            case "job_id":
                _jobId = ReadId(name, ref reader);
                if (_jobId is not null && !ThreadIds.IsValid(_jobId))
                {
                    faults.Add(PathOf(name), $"{EventFaults.Quote(_jobId)} is not a valid job id", $"use {ThreadIds.Rule}");
                }
                break;
            case "agent_definition":
                _definition = ReadObject(name, ref reader, json);
                break;
            case "input_payload":
                _input = ReadObject(name, ref reader, json);
                break;
        }
        reader.Skip();
    }

    private string? ReadId(string name, ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            faults.Add(PathOf(name), $"it must be a string, but is {KindOf(reader.TokenType)}", "write it as a string");
            return null;
        }
        var text = JsonText.TextOf(ref reader);
        if (string.IsNullOrWhiteSpace(text))
        {
            faults.Add(
                PathOf(name),
                text is null ? "it contains half of a surrogate pair, which is not a character" : "it is blank",
                "give it a value"
            );
            return null;
        }
        if (AttributeText.Forbidden(text) is { } character)
        {
            // The id goes to logs, and to stores that cannot store NUL.
            faults.Add(PathOf(name), $"it contains the character {character}", "remove control characters from it");
            return null;
        }
        return text;
    }

    private ReadOnlyMemory<byte> ReadObject(string name, ref Utf8JsonReader reader, ReadOnlyMemory<byte> json)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            faults.Add(
                PathOf(name),
                $"it must be an object, but is {KindOf(reader.TokenType)}",
                "write it as { ... }, not as a string that contains JSON"
            );
            return default;
        }
        var probe = reader;
        probe.Read();
        if (probe.TokenType == JsonTokenType.EndObject)
        {
            faults.Add(PathOf(name), "it is empty", "add its members");
        }
        return JsonText.Slice(ref reader, json);
    }

    private void Require(string name, string hint)
    {
        if (!_names.Contains(name))
        {
            faults.Add(PathOf(name), "it is missing", hint);
        }
    }

    private string HashOf()
    {
        using var canonical = new CanonicalJson(faults);
        canonical.Append("{\"agent_definition\":"u8);
        AppendTo(canonical, _definition, "agent_definition");
        canonical.Append(",\"input_payload\":"u8);
        AppendTo(canonical, _input, "input_payload");
        canonical.Append("}"u8);
        return faults.Any ? "" : Convert.ToHexStringLower(SHA256.HashData(canonical.Written));
    }

    private void AppendTo(CanonicalJson canonical, ReadOnlyMemory<byte> json, string name)
    {
        if (!json.IsEmpty)
        {
            canonical.Append(json, PathOf(name));
        }
    }

    private string PathOf(string name) => EventFaults.Under(path, name);

    private static string KindOf(JsonTokenType token) =>
        token switch
        {
            JsonTokenType.Null => "null",
            JsonTokenType.True or JsonTokenType.False => "a boolean",
            JsonTokenType.Number => "a number",
            JsonTokenType.String => "a string",
            JsonTokenType.StartArray => "a list",
            _ => "an object",
        };
}
