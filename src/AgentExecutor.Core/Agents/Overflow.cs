using System.Text.Json;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Agents;

/// <summary>What stands in the channel <see cref="AgentState.Overflow"/>.</summary>
internal static class Overflow
{
    /// <summary>The conversation is too long.</summary>
    public static readonly JsonElement Noted = JsonBytes.Text("noted");

    /// <summary>It was, and has been made shorter.</summary>
    public static readonly JsonElement Mended = JsonBytes.Text("mended");

    public static bool IsNoted(StateView state) => Holds(state, "noted");

    public static bool WasMended(StateView state) => Holds(state, "mended");

    private static bool Holds(StateView state, string mark) =>
        state.State[AgentState.Overflow] is JsonElement { ValueKind: JsonValueKind.Array } marks && marks.EnumerateArray().Any(it => it.ValueEquals(mark));
}
