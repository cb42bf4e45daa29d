using System.Text.Json;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Agents;

/// <summary>The values of the channel <see cref="AgentState.Overflow"/>.</summary>
internal static class Overflow
{
    /// <summary>The conversation is too long for the model.</summary>
    public static readonly JsonElement Detected = JsonBytes.Text("noted");

    /// <summary>The conversation was too long and has been shortened.</summary>
    public static readonly JsonElement Shortened = JsonBytes.Text("mended");

    public static bool IsDetected(StateView state) => Holds(state, "noted");

    public static bool WasShortened(StateView state) => Holds(state, "mended");

    private static bool Holds(StateView state, string mark) =>
        state.State[AgentState.Overflow] is JsonElement { ValueKind: JsonValueKind.Array } marks
        && marks.EnumerateArray().Any(it => it.ValueEquals(mark));
}
