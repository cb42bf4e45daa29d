using System.Buffers;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>Reads requests and writes answers.</summary>
internal static class Requests
{
    public const string Json = "application/json";

    // Longer than the store's own tries to submit a job, which say what is wrong with it.
    private static readonly TimeSpan StoreDeadline = TimeSpan.FromSeconds(8);

    /// <summary>For what a request asks of the store: a worker has the patience to wait for it, a caller has not.</summary>
    public static CancellationTokenSource Deadline(HttpContext context)
    {
        var deadline = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted);
        deadline.CancelAfter(StoreDeadline);
        return deadline;
    }

    /// <summary>The whole body; the server holds its length against the limit.</summary>
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

    public static IEnumerable<KeyValuePair<string, string>> Headers(HttpContext context) =>
        context.Request.Headers.SelectMany(static header => header.Value.Select(value => KeyValuePair.Create(header.Key, value ?? "")));

    /// <summary>RFC 7240: several preferences may stand in one header, and each may have parameters.</summary>
    public static bool PrefersAsync(HttpContext context) => context.Request.Headers["Prefer"]
        .SelectMany(static value => (value ?? "").Split(','))
        .Any(static preference => preference.Split(';')[0].Trim().Equals("respond-async", StringComparison.OrdinalIgnoreCase));

    public static string ThreadId(HttpContext context)
    {
        var id = (string)context.Request.RouteValues["thread_id"]!;
        ThreadIds.Check(id);
        return id;
    }

    /// <summary>Answers with one object.</summary>
    public static Task WriteAsync(HttpContext context, int status, Action<Utf8JsonWriter> fields) => WriteAsync(context, status, JsonBytes.Write(fields, static (writer, write) =>
    {
        writer.WriteStartObject();
        write(writer);
        writer.WriteEndObject();
    }));

    /// <summary>Answers with a list.</summary>
    public static Task WriteListAsync<T>(HttpContext context, int status, IReadOnlyList<T> items, Action<Utf8JsonWriter, T> write) =>
        WriteAsync(context, status, JsonBytes.Write((items, write), static (writer, it) =>
        {
            writer.WriteStartArray();
            foreach (var item in it.items)
            {
                it.write(writer, item);
            }
            writer.WriteEndArray();
        }));

    public static async Task WriteAsync(HttpContext context, int status, ReadOnlyMemory<byte> json, string contentType = Json)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        context.Response.ContentLength = json.Length;
        await context.Response.BodyWriter.WriteAsync(json, context.RequestAborted);
    }
}
