using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Tools.External;

/// <summary>
/// The ids and results of calls that are executed elsewhere. The id of a call is the id of its task; a further call of the task, after an
/// error, has a number: <c>TASK-2</c>.
/// </summary>
public static class ExternalCall
{
    private const string Key = "call";

    /// <summary>Returns the id of the interrupt that waits for the result of a call. The call need not exist.</summary>
    public static string InterruptOf(string callId)
    {
        var dash = callId.IndexOf('-', StringComparison.Ordinal);
        return dash < 0 ? $"{callId}:{Key}" : $"{callId[..dash]}:{Key}{callId[dash..]}";
    }

    /// <summary>Returns the text of a result for the model.</summary>
    /// <param name="tool">The name of the tool.</param>
    /// <param name="answer"><c>{"status": "success", "output"}</c> or <c>{"status": "error", "error"}</c>.</param>
    public static ToolResult ResultOf(string tool, JsonElement answer) =>
        answer.TextProperty("status") switch
        {
            "success" => new ToolResult(answer.Property("output") is { } output ? JsonBytes.Display(output) : ""),
            "error" => ToolResult.Error(
                $"Error: {tool} failed: {(answer.Property("error") is { } error ? JsonBytes.Display(error) : "no reason was given")}"
            ),
            _ => new ToolResult(JsonBytes.Display(answer)),
        };

    internal static string IdOf(string taskId, int number) =>
        number == 1 ? taskId : string.Create(CultureInfo.InvariantCulture, $"{taskId}-{number}");

    internal static string KeyOf(int number) => number == 1 ? Key : string.Create(CultureInfo.InvariantCulture, $"{Key}-{number}");

    internal static int NumberOf(string callId) =>
        callId.IndexOf('-', StringComparison.Ordinal) is >= 0 and var dash
        && int.TryParse(callId[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : 1;

    /// <summary>Returns the result that is used when the deadline has passed.</summary>
    internal static JsonElement NoResult(string tool, TimeSpan timeout) =>
        JsonBytes.Element(
            (tool, timeout),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteString("status"u8, "error"u8);
                writer.WriteString(
                    "error"u8,
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"no result arrived within {it.timeout.TotalSeconds:0.###} s. The call may still take effect."
                    )
                );
                writer.WriteEndObject();
            }
        );
}
