using System.Text.RegularExpressions;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>What to change in the definition where a server does not take one of the model's settings: which ones a model takes differs from model to model.</summary>
internal static partial class SettingHints
{
    /// <summary>Null where the refusal is of something else.</summary>
    public static string? Of(ServerError error)
    {
        if (!NotTaken().IsMatch(error.Message))
        {
            return null;
        }
        if (Concerns(error, "tool_choice"))
        {
            return "this model cannot be made to call a tool: remove tool_choice from the agent";
        }
        if (Concerns(error, "temperature"))
        {
            return "remove temperature from the model: this one takes none but its own";
        }
        if (!Concerns(error, "effort"))
        {
            return null;
        }
        return error.Message.Contains("tools", StringComparison.OrdinalIgnoreCase)
            ? "this model does not take its reasoning_effort together with tools: leave it out, or set it to none"
            : "leave reasoning_effort of the model out, or set it to one that this model takes";
    }

    private static bool Concerns(ServerError error, string field) =>
        error.Param.Contains(field, StringComparison.Ordinal) || (error.Param.Length == 0 && error.Message.Contains(field, StringComparison.OrdinalIgnoreCase));

    [GeneratedRegex("not support|unsupported|unrecognized|deprecated|not permitted|not allowed|may not be|incompatible|not compatible|supported values|input should be", RegexOptions.IgnoreCase)]
    private static partial Regex NotTaken();
}
