using System.Collections.Concurrent;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Demands of a server on the requests to a model that differ from those of other servers.</summary>
[Flags]
internal enum ServerDemand
{
    None = 0,

    /// <summary>Requests with tools must disable reasoning.</summary>
    NoEffortWithTools = 1,

    /// <summary>Tool calls must be accompanied by the model's reasoning.</summary>
    ReasoningWithCalls = 2,

    /// <summary><c>stream_options</c> is not supported.</summary>
    NoStreamOptions = 1 << 2,

    /// <summary>Streaming is not supported.</summary>
    NoStream = 1 << 3,

    /// <summary>The limit of an answer has the other one of its two names.</summary>
    OtherLimitName = 1 << 4,

    /// <summary>A schema for the answer must not have <c>strict</c>.</summary>
    NoStrict = 1 << 5,

    /// <summary>Schemas for the answer are not supported; any JSON can be requested.</summary>
    NoAnswerSchema = 1 << 6,

    /// <summary>Formats for the answer are not supported; only the system prompt describes the format.</summary>
    NoAnswerForm = 1 << 7,

    /// <summary>To request that no tool is called, the tools must be omitted.</summary>
    NoToolsForNone = 1 << 8,

    /// <summary>Ids of tool calls have at most 40 letters, digits, dashes and underscores.</summary>
    PlainCallIds = 1 << 9,

    /// <summary>Ids of tool calls have exactly nine letters and digits.</summary>
    NineCharacterCallIds = 1 << 10,

    /// <summary>User and assistant must alternate.</summary>
    AlternatingTurns = 1 << 11,

    /// <summary>There can be only one system message, which must be the first message.</summary>
    SystemFirst = 1 << 12,

    /// <summary>System messages are not supported.</summary>
    NoSystem = 1 << 13,

    /// <summary>The last message must not be the assistant's.</summary>
    AssistantNotLast = 1 << 14,

    /// <summary>The content of a message must be a string and not null.</summary>
    TextContent = 1 << 15,

    /// <summary>The content of a message must not be empty.</summary>
    FilledContent = 1 << 16,

    /// <summary>Marks for the prompt cache are not supported.</summary>
    NoCacheMarks = 1 << 17,

    /// <summary>The system prompt must be a string and not a list.</summary>
    SystemAsText = 1 << 18,
}

/// <summary>
/// The demands of servers by address and model. They are learned from refusals and then used by all clients of a provider.
/// </summary>
internal sealed class ServerDemands
{
    /// <summary>
    /// Limits the number of entries, because definitions can name any servers and models. Demands that were removed are learned again.
    /// </summary>
    private const int MaxEntries = 1_000;

    private readonly ConcurrentDictionary<(Uri Server, string Model), ServerDemand> _known = new();

    public ServerDemand Of(Uri server, string model) => _known.GetValueOrDefault((server, model));

    public void Learn(Uri server, string model, ServerDemand demands)
    {
        if (_known.Count >= MaxEntries)
        {
            _known.Clear();
        }
        _known.AddOrUpdate((server, model), demands, (_, known) => known | demands);
    }
}
