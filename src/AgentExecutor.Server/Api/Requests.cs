using System.Buffers;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>Reads requests and writes responses.</summary>
internal static class Requests
{
    public const string Json = "application/json";

    // Longer than the retries of the store when it submits a job, because their error contains the reason.
    private static readonly TimeSpan StoreDeadline = TimeSpan.FromSeconds(8);

    /// <summary>The deadline for the calls of a request to the store. A client should not have to wait as long as a worker does.</summary>
    public static CancellationTokenSource Deadline(HttpContext context)
    {
        var deadline = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        deadline.CancelAfter(StoreDeadline);
        return deadline;
    }

    /// <summary>Reads the whole body. Kestrel enforces the maximum size.</summary>
    public static async Task<ReadOnlyMemory<byte>> ReadBodyAsync(HttpContext context)
    {
        var reader = context.Request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(context.RequestAborted);
            if (read.IsCompleted)
            {
                var body = read.Buffer.ToArray();
                reader.AdvanceTo(read.Buffer.End);
                return body;
            }
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    /// <summary>The headers as text. Kestrel has read each byte of a value as one character.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Headers(HttpContext context) =>
        context.Request.Headers.SelectMany(static header =>
            header.Value.Select(value => KeyValuePair.Create(header.Key, RawHeaderText.Read(value ?? "")))
        );

    /// <summary>
    /// True if the client prefers a response before the job has ended. By RFC 7240, a header can contain several preferences with
    /// parameters.
    /// </summary>
    public static bool PrefersAsync(HttpContext context) =>
        context
            .Request.Headers["Prefer"]
            .SelectMany(static value => (value ?? "").Split(','))
            .Any(static preference => preference.Split(';')[0].Trim().Equals("respond-async", StringComparison.OrdinalIgnoreCase));

    public static string ThreadId(HttpContext context)
    {
        var id = (string)context.Request.RouteValues["thread_id"]!;
        ThreadIds.Check(id);
        return id;
    }

    public static FaultException UnknownThread(string threadId) =>
        new(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the id");

    /// <summary>Responds with a JSON object.</summary>
    public static Task WriteAsync(HttpContext context, int status, Action<Utf8JsonWriter> fields) =>
        WriteAsync(
            context,
            status,
            JsonBytes.Write(
                fields,
                static (writer, write) =>
                {
                    writer.WriteStartObject();
                    write(writer);
                    writer.WriteEndObject();
                }
            )
        );

    /// <summary>Responds with a JSON array.</summary>
    public static Task WriteListAsync<T>(HttpContext context, int status, IReadOnlyList<T> items, Action<Utf8JsonWriter, T> write) =>
        WriteAsync(
            context,
            status,
            JsonBytes.Write(
                (items, write),
                static (writer, it) =>
                {
                    writer.WriteStartArray();
                    foreach (var item in it.items)
                    {
                        it.write(writer, item);
                    }
                    writer.WriteEndArray();
                }
            )
        );

    public static async Task WriteAsync(HttpContext context, int status, ReadOnlyMemory<byte> json, string contentType = Json)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        context.Response.ContentLength = json.Length;
        await context.Response.BodyWriter.WriteAsync(json, context.RequestAborted);
    }
}
