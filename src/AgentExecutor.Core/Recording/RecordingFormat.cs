using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// The format of recordings: UTF-8 JSON Lines with a header and one line per exchange, <c>{"kind", "hash", "request", "response"}</c>, in
/// the order in which the exchanges ended.
/// </summary>
public static class RecordingFormat
{
    public const string Name = "agent-executor-recording";

    public const int Version = 1;

    /// <summary>The maximum length of a line in bytes.</summary>
    public const int MaxLineBytes = 64 * 1024 * 1024;

    /// <summary>The number of nesting levels that a request can add around the JSON of arguments and schemas.</summary>
    internal const int ExtraDepth = StoredJson.MaxDepth - InputJson.MaxDepth;

    /// <summary>The first line, including its line break.</summary>
    public static byte[] Header { get; } =
    [
        .. JsonBytes.Write(
            Version,
            static (writer, version) =>
            {
                writer.WriteStartObject();
                writer.WriteString("format"u8, Name);
                writer.WriteNumber("version"u8, version);
                writer.WriteEndObject();
            }
        ),
        (byte)'\n',
    ];
}
