using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>The tool calls of one answer, put together from the pieces in which they come.</summary>
/// <param name="usedIds">Ids of calls in the conversation: one that a server gives twice is replaced.</param>
internal sealed class CallDeltas(IReadOnlySet<string> usedIds)
{
    private readonly List<Call> _calls = [];

    public bool IsEmpty => Count == 0;

    /// <summary>Calls that have begun.</summary>
    public int Count => _calls.Count;

    /// <summary>A call's beginning, or all of it.</summary>
    public Call Begin(int? index, string? id, string? name)
    {
        var call = new Call(index, id, name);
        _calls.Add(call);
        return call;
    }

    /// <summary>The call that a piece belongs to. Servers differ in what they repeat: by index, else by id; without either, a name begins a call.</summary>
    public Call Of(int? index, string? id, string? name)
    {
        id = id is { Length: > 0 } ? id : null;
        name = name is { Length: > 0 } ? name : null;
        var call = index is not null ? _calls.FindLast(it => it.Index == index)
            : id is not null ? _calls.FindLast(it => it.Id == id)
            : name is null ? _calls.LastOrDefault() : null;
        if (call is null || id is not null && name is not null && call.Id is not null && call.Id != id) // all at index 0, each whole
        {
            return Begin(index, id, name);
        }
        call.Id ??= id;
        call.Name ??= name;
        return call;
    }

    /// <summary>The calls, in the order in which they began.</summary>
    public IEnumerable<FunctionCallContent> Read()
    {
        var taken = new HashSet<string>(usedIds, StringComparer.Ordinal);
        foreach (var call in _calls)
        {
            var id = call.Id is { } given && taken.Add(given) ? given : $"call_{Guid.NewGuid():N}";
            yield return Content(id, call.Name ?? "", call.Arguments.Length > 0 ? call.Arguments.ToString() : call.Whole ?? "");
        }
    }

    private static FunctionCallContent Content(string id, string name, string arguments)
    {
        if (string.IsNullOrWhiteSpace(arguments))
        {
            return new FunctionCallContent(id, name, new Dictionary<string, object?>());
        }
        try
        {
            var json = JsonElement.Parse(arguments);
            if (json.ValueKind == JsonValueKind.Object)
            {
                var byName = new Dictionary<string, object?>(StringComparer.Ordinal);
                foreach (var argument in json.EnumerateObject())
                {
                    byName[argument.Name] = argument.Value; // of a name that stands twice, the last counts
                }
                return new FunctionCallContent(id, name, byName);
            }
            return Malformed(id, name, arguments, new JsonException($"The arguments are a JSON {json.ValueKind}, not an object."));
        }
        catch (JsonException exception)
        {
            return Malformed(id, name, arguments, exception);
        }
    }

    private static FunctionCallContent Malformed(string id, string name, string arguments, JsonException exception) =>
        new(id, name) { RawRepresentation = arguments, Exception = exception };

    /// <summary>One call as far as it has come.</summary>
    public sealed class Call(int? index, string? id, string? name)
    {
        public int? Index { get; } = index;

        public string? Id { get; set; } = id;

        public string? Name { get; set; } = name;

        public StringBuilder Arguments { get; } = new();

        /// <summary>The arguments as they came with the call's beginning; what comes in pieces takes their place.</summary>
        public string? Whole { get; set; }

        /// <summary>A piece of the arguments' text; some servers send an object instead.</summary>
        public void Append(JsonElement? arguments)
        {
            if (arguments is { } given)
            {
                Arguments.Append(JsonBytes.Display(given));
            }
        }
    }
}
