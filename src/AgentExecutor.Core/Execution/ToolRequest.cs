using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Execution;

/// <summary>
/// Creates the message that requests a call of a tool that is executed elsewhere: <c>{thread_id, call_id, tool, arguments,
/// idempotency_key, tool_call_id, agent, deadline}</c>.
/// </summary>
internal static class ToolRequest
{
    public static StoredNotice Of(string threadId, string runId, InterruptRequest call) =>
        new(
            $"{threadId}:{call.Id}",
            EventTypes.ToolRequested,
            BusSubjects.ToolRequestOf(call.Value.TextProperty("tool") ?? ""),
            JsonBytes.Write(
                (threadId, call),
                static (writer, it) =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("thread_id"u8, it.threadId);
                    foreach (var member in it.call.Value.EnumerateObject())
                    {
                        member.WriteTo(writer);
                    }
                    if (it.call.Deadline is { } deadline)
                    {
                        writer.WriteString("deadline"u8, deadline);
                    }
                    writer.WriteEndObject();
                }
            )
        )
        {
            RunId = runId,
        };
}
