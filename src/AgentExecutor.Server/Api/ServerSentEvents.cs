using System.Buffers;
using System.Buffers.Text;
using System.IO.Pipelines;
using System.Text;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Streaming;

namespace AgentExecutor.Server.Api;

/// <summary>
/// Writes events in the format of the HTML standard (https://html.spec.whatwg.org/multipage/server-sent-events.html). Events that become
/// available together are sent together.
/// </summary>
internal sealed class ServerSentEvents(PipeWriter writer)
{
    private const int FlushEvery = 64 * 1024;

    /// <summary>Starts the stream with a comment, so that a person at a terminal sees that the connection works.</summary>
    public async Task BeginAsync(string threadId, long after, CancellationToken cancellationToken)
    {
        WriteText($": events of {threadId}{(after > 0 ? $" after {after}" : "")}\nretry: 1000\n\n");
        await writer.FlushAsync(cancellationToken);
    }

    /// <param name="events">The events to send. If there are none, a heartbeat is sent.</param>
    /// <param name="cancellationToken">Cancelled when the client disconnects.</param>
    public async Task WriteAsync(IReadOnlyList<StreamEvent> events, CancellationToken cancellationToken)
    {
        if (events.Count == 0)
        {
            writer.Write(": heartbeat\n\n"u8);
        }
        foreach (var value in events)
        {
            WriteNumber(value.Sequence);
            WriteText($"event: {value.Type}\n");
            WriteData(value.Json.Span);
            if (writer.UnflushedBytes >= FlushEvery)
            {
                await writer.FlushAsync(cancellationToken);
            }
        }
        await writer.FlushAsync(cancellationToken);
    }

    /// <summary>
    /// Sends the reason if the stream ends before the run. The event has no id, so a client that reconnects continues after the last event
    /// that has one.
    /// </summary>
    public async Task EndAsync(Watch watch, CancellationToken cancellationToken)
    {
        if (watch.End is { } end and not WatchEnd.RunEnded)
        {
            writer.Write("event: closed\n"u8);
            WriteData(
                JsonBytes.Write(
                    (end, watch.Last),
                    static (json, it) =>
                    {
                        json.WriteStartObject();
                        json.WriteString("reason"u8, ReasonOf(it.end));
                        json.WriteNumber("after"u8, it.Last);
                        json.WriteEndObject();
                    }
                )
            );
            await writer.FlushAsync(cancellationToken);
        }
    }

    public static string ReasonOf(WatchEnd end) =>
        end switch
        {
            WatchEnd.RunEnded => "run_ended",
            WatchEnd.TooSlow => "too_slow",
            WatchEnd.ThreadDeleted => "thread_deleted",
            WatchEnd.Stopping => "stopping",
            WatchEnd.Failed => "failed",
            _ => throw new ArgumentOutOfRangeException(nameof(end)),
        };

    private void WriteNumber(long sequence)
    {
        var span = writer.GetSpan(32);
        "id: "u8.CopyTo(span);
        Utf8Formatter.TryFormat(sequence, span[4..], out var digits);
        span[4 + digits] = (byte)'\n';
        writer.Advance(digits + 5);
    }

    /// <summary>Each line of the JSON needs its own field.</summary>
    private void WriteData(ReadOnlySpan<byte> json)
    {
        foreach (var line in json.Split((byte)'\n'))
        {
            writer.Write("data: "u8);
            writer.Write(json[line]);
            writer.Write("\n"u8);
        }
        writer.Write("\n"u8);
    }

    private void WriteText(string text) => Encoding.UTF8.GetBytes(text, writer);
}
