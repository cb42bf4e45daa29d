using System.Text.RegularExpressions;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Suggests what to change in a definition if a server does not support one of the model's settings, because models differ in the settings
/// that they support.
/// </summary>
internal static partial class SettingHints
{
    /// <summary>Returns null if the refusal has another cause.</summary>
    public static string? Of(ServerError error)
    {
        if (!NotSupported().IsMatch(error.Message))
        {
            return null;
        }
        if (Concerns(error, "tool_choice"))
        {
            return "this model cannot be forced to call a tool: remove tool_choice from the agent";
        }
        if (Concerns(error, "temperature"))
        {
            return "remove temperature from the model, because this model does not support one";
        }
        if (!Concerns(error, "effort"))
        {
            return null;
        }
        return error.Message.Contains("tools", StringComparison.OrdinalIgnoreCase)
            ? "this model does not support its reasoning_effort together with tools: remove it, or set it to none"
            : "remove reasoning_effort from the model, or set it to a value that this model supports";
    }

    private static bool Concerns(ServerError error, string field) =>
        error.Param.Contains(field, StringComparison.Ordinal)
        || (error.Param.Length == 0 && error.Message.Contains(field, StringComparison.OrdinalIgnoreCase));

    [GeneratedRegex(
        "not support|unsupported|unrecognized|deprecated|not permitted|not allowed|may not be|incompatible|not compatible|supported "
            + "values|input should be",
        RegexOptions.IgnoreCase
    )]
    private static partial Regex NotSupported();
}
