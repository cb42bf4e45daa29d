using System.Text.Json;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.AI;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Assembles the tool calls of one answer from their pieces.</summary>
/// <param name="usedIds">The ids of calls in the conversation. An id that a server uses twice is replaced.</param>
internal sealed class CallDeltas(IReadOnlySet<string> usedIds)
{
    private readonly List<CallPieces> _calls = [];

    public bool IsEmpty => !_calls.Exists(call => call.IsCall);

    /// <summary>The number of calls that have started.</summary>
    public int Count => _calls.Count;

    /// <summary>True if each call has a name and complete arguments.</summary>
    public bool AreComplete => _calls.TrueForAll(call => call.IsComplete);

    /// <summary>Starts a call, with its first piece or as a whole.</summary>
    public CallPieces Begin(int? index, string? id, string? name)
    {
        var call = new CallPieces(index, id, name);
        _calls.Add(call);
        return call;
    }

    /// <summary>
    /// Returns the call that a piece belongs to. Servers differ in what they repeat: the index identifies a call, or else the id; without
    /// either, a name starts a new call. Some servers use the same index for all calls, and some give each piece an id of its own.
    /// </summary>
    /// <param name="index">The index of the call, if the piece has one.</param>
    /// <param name="id">The id of the call, if the piece has one.</param>
    /// <param name="name">The name, or a part of it, if the piece has one.</param>
    /// <param name="isAnother">Returns true if the piece arrived in the same list as an earlier piece of this call, so that it must belong
    /// to another call.</param>
    public CallPieces Of(int? index, string? id, string? name, Predicate<CallPieces>? isAnother = null)
    {
        id = id is { Length: > 0 } ? id : null;
        name = name is { Length: > 0 } ? name : null;
        var call = Find(index, id, name);
        if (call is null || (name is not null && (isAnother?.Invoke(call) == true || BeginsAnother(call, id))))
        {
            return Begin(index, id, name);
        }
        call.Id ??= id;
        call.AddName(name);
        return call;
    }

    /// <summary>Returns true if no call has another index. A gateway may send the same call in the legacy format, too.</summary>
    public bool MayBeLegacy(int index) => _calls.TrueForAll(call => call.Index == index);

    /// <summary>Returns the calls in the order in which they started.</summary>
    public IEnumerable<FunctionCallContent> Read()
    {
        var taken = new HashSet<string>(usedIds, StringComparer.Ordinal);
        foreach (var call in _calls.Where(call => call.IsCall))
        {
            var id = WellFormedText.Of(call.Id ?? "");
            while (id.Length == 0 || !taken.Add(id))
            {
                id = WireNames.NewId();
            }
            yield return Content(id, WellFormedText.Of(call.Name ?? ""), WellFormedText.Of(call.ArgumentText));
        }
    }

    private CallPieces? Find(int? index, string? id, string? name)
    {
        var call =
            index is not null ? _calls.FindLast(it => it.Index == index)
            : id is not null ? _calls.FindLast(it => it.Id == id)
            : null;
        if (call is not null || index is not null || _calls is not [.., var last])
        {
            return call;
        }
        return name is null || (id is null && name == last.Name && last.IsOpen) ? last : null;
    }

    /// <summary>
    /// Returns true if a piece with a name starts another call, because the call that it seems to belong to has another id or complete
    /// arguments.
    /// </summary>
    private static bool BeginsAnother(CallPieces call, string? id) =>
        id is null ? call.HasCompleteArguments
        : call.Id is null ? call.HasCompleteArguments
        : call.Id != id && !call.IsOpen;

    private static FunctionCallContent Content(string id, string name, string arguments)
    {
        if (string.IsNullOrWhiteSpace(arguments))
        {
            return new FunctionCallContent(id, name, new Dictionary<string, object?>());
        }
        try
        {
            var json = InputJson.Parse(arguments);
            if (json.ValueKind == JsonValueKind.String && JsonScanner.Begins(WellFormedText.Of(json).AsSpan().TrimStart()))
            {
                // The arguments are an object encoded as a string.
                json = InputJson.Parse(WellFormedText.Of(json));
            }
            return json.ValueKind switch
            {
                JsonValueKind.Object => new FunctionCallContent(id, name, ByName(json)),
                JsonValueKind.Null => new FunctionCallContent(id, name, new Dictionary<string, object?>()),
                _ => Malformed(id, name, arguments, new JsonException($"The arguments are a JSON {json.ValueKind}, not an object.")),
            };
        }
        catch (JsonException exception)
        {
            return Malformed(id, name, arguments, exception);
        }
    }

    private static Dictionary<string, object?> ByName(JsonElement json)
    {
        var byName = new Dictionary<string, object?>(StringComparer.Ordinal);
        foreach (var argument in json.EnumerateObject())
        {
            // If a name occurs twice, the last value counts.
            byName[argument.Name] = argument.Value;
        }
        return byName;
    }

    private static FunctionCallContent Malformed(string id, string name, string arguments, JsonException exception) =>
        new(id, name) { RawRepresentation = arguments, Exception = exception };
}
