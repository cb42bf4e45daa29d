using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Schemas;
using AgentExecutor.Core.Tools;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>
/// One attempt of a call: publishes its progress, and passes questions of the server to a person. A question that has no answer yet ends
/// the attempt. When the answer is there, the call is made again with the same key, the server asks again, and receives the answer.
/// </summary>
internal sealed class McpCall(ToolContext context, TimeProvider time, Action cancel) : IProgress<ProgressNotificationValue>
{
    private static readonly TimeSpan MinInterval = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<string, int> _asked = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();
    private long _reportedAt;
    private bool _hasEnded;

    /// <summary>The question that has no answer yet, which ended the attempt; null if there is none.</summary>
    public InterruptSignal? Question { get; private set; }

    public void Report(ProgressNotificationValue value)
    {
        lock (_gate)
        {
            var isLast = value.Total is { } total && value.Progress >= total;
            if (_hasEnded || (_reportedAt != 0 && !isLast && time.GetElapsedTime(_reportedAt) < MinInterval))
            {
                return;
            }
            _reportedAt = time.GetTimestamp();
        }
        context.Report(value.Message, value.Progress, value.Total);
    }

    /// <summary>Ends the reports of the attempt.</summary>
    public void End()
    {
        lock (_gate)
        {
            _hasEnded = true;
        }
    }

    /// <summary>
    /// Returns the answer of a person. If there is none yet, it ends the attempt, and the server receives no answer, because it would take
    /// one for the decision of a person.
    /// </summary>
    public async ValueTask<ElicitResult> AnswerAsync(ElicitRequestParams question, CancellationToken cancellationToken)
    {
        try
        {
            return Ask(question);
        }
        catch (InterruptSignal signal)
        {
            Question ??= signal;
        }
        cancel();
        await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        return new ElicitResult { Action = "cancel" };
    }

    private ElicitResult Ask(ElicitRequestParams question)
    {
        var schema = question.RequestedSchema is { } requested
            ? JsonSerializer.SerializeToElement(requested, McpJsonUtilities.DefaultOptions)
            : default;
        var key = KeyOf(question, schema);
        string? note = null;
        for (var round = 0; ; round++)
        {
            var answer = context.Ask(QuestionOf(question, schema, note), round == 0 ? key : $"{key}-{round}");
            if (Read(answer, schema, out note) is { } result)
            {
                return result;
            }
        }
    }

    /// <summary>The same key for the same question in every attempt, even if the server asks it several times.</summary>
    private string KeyOf(ElicitRequestParams question, JsonElement schema)
    {
        var text = $"{question.Message}\n{question.Url}\n{(schema.ValueKind == JsonValueKind.Undefined ? "" : JsonBytes.Compact(schema))}";
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
        lock (_gate)
        {
            var count = _asked.GetValueOrDefault(hash);
            _asked[hash] = count + 1;
            return count == 0 ? $"elicitation-{hash}" : $"elicitation-{hash}.{count}";
        }
    }

    private JsonElement QuestionOf(ElicitRequestParams question, JsonElement schema, string? note) =>
        JsonBytes.Element(
            (context, question, schema, note),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("reason"u8, "elicitation"u8);
                writer.WriteString("tool"u8, it.context.Call.Name);
                writer.WriteString("question"u8, it.question.Message);
                if (it.question.Url is { } url)
                {
                    writer.WriteString("url"u8, url);
                }
                if (it.schema.ValueKind == JsonValueKind.Object)
                {
                    writer.WritePropertyName("schema"u8);
                    it.schema.WriteTo(writer);
                }
                writer.WriteStartArray("allowed"u8);
                writer.WriteStringValue("respond"u8);
                writer.WriteStringValue("reject"u8);
                writer.WriteEndArray();
                if (it.note is not null)
                {
                    writer.WriteString("note"u8, it.note);
                }
                writer.WriteEndObject();
            }
        );

    /// <summary>Reads an answer. Returns null, and what is wrong with it, if it is none.</summary>
    private static ElicitResult? Read(JsonElement answer, JsonElement schema, out string? note)
    {
        note = null;
        var decision = answer.ValueKind == JsonValueKind.String ? answer.GetString() : answer.TextProperty("decision");
        if (decision is "reject" or "decline")
        {
            return new ElicitResult { Action = "decline" };
        }
        if (decision is "cancel")
        {
            return new ElicitResult { Action = "cancel" };
        }
        var content = answer.Property("value") ?? answer.Property("content") ?? (decision is null ? answer : StoredJson.Parse("{}"));
        if (decision is not (null or "respond" or "approve" or "accept") || content.ValueKind != JsonValueKind.Object)
        {
            note = """the answer is neither "reject" nor {"decision": "respond", "value": {...}}""";
            return null;
        }
        var faults = schema.ValueKind == JsonValueKind.Object ? JsonSchemaChecker.Check(content, schema) : [];
        if (faults.Count > 0)
        {
            note = $"the value does not match the schema: {string.Join("; ", faults.Select(fault => $"{fault.Path} {fault.Message}"))}";
            return null;
        }
        return new ElicitResult
        {
            Action = "accept",
            Content = content.EnumerateObject().ToDictionary(field => field.Name, field => field.Value.Clone()),
        };
    }
}
