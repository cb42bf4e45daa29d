using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Core.Recording;

/// <summary>
/// A recording is UTF-8 JSON Lines: a header, then one line an exchange,
/// <c>{"kind", "hash", "request", "response"}</c>, in the order in which they ended.
/// </summary>
public static class RecordingFormat
{
    public const string Name = "agent-executor-recording";

    public const int Version = 1;

    /// <summary>Bytes that one line may have.</summary>
    public const int MaxLineBytes = 64 * 1024 * 1024;

    /// <summary>Levels that a request puts around the JSON of arguments and schemas, and some to spare.</summary>
    internal const int ExtraDepth = 64;

    /// <summary>Deeper than what a run can hold, so that all that was recorded can be read.</summary>
    internal static readonly JsonDocumentOptions ReadOptions = new() { MaxDepth = 64 + ExtraDepth };

    /// <summary>The first line, with its end.</summary>
    public static byte[] Header { get; } =
    [
        .. JsonBytes.Write(Version, static (writer, version) =>
        {
            writer.WriteStartObject();
            writer.WriteString("format"u8, Name);
            writer.WriteNumber("version"u8, version);
            writer.WriteEndObject();
        }),
        (byte)'\n',
    ];
}
