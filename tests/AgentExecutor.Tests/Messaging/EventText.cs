using System.Text;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Tests.Messaging;

/// <summary>Short texts of events for tests.</summary>
internal static class EventText
{
    public const string Definition = """{"name":"a","nodes":[{"id":"o","type":"orchestrator"}]}""";

    public const string JobData =
        $$$"""{"trace_id":"t","job_id":"job-1","agent_definition":{{{Definition}}},"""
        + "\"input_payload\":{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}}";

    public const string Job =
        """{"specversion":"1.0","type":"dev.my-platform.agent.execute","source":"/s","id":"e-1","datacontenttype":"application/json","""
        + $"\"data\":{JobData}}}";

    public static ReadOnlyMemory<byte> Utf8(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);

    /// <summary>Returns an event with the required attributes, followed by more members.</summary>
    public static string With(string members) =>
        $$$"""{"specversion":"1.0","id":"1","source":"/s","type":"t"{{{(members.Length > 0 ? "," : "")}}}{{{members}}}}""";

    public static KeyValuePair<string, string>[] Headers(params string[] lines) =>
        [.. lines.Select(line => line.Split(": ", 2)).Select(pair => KeyValuePair.Create(pair[0], pair[1]))];

    public static KeyValuePair<string, string>[] LeastHeaders(params string[] lines) =>
        Headers(["ce-specversion: 1.0", "ce-id: 1", "ce-source: /s", "ce-type: t", .. lines]);

    public static string[] Paths(EventException exception) => [.. exception.Faults.Select(fault => fault.Path)];

    public static string[] PathsOf(Func<object?> read) => Paths(Assert.Throws<EventException>(read));
}
