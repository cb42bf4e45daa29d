using System.Globalization;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.View;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>What may be asked of a thread: to end, to go on with an answer, and what happened so far.</summary>
internal sealed class ThreadEndpoints(ServiceGate gate)
{
    private const int MostCheckpoints = 1_000;

    /// <summary>200 where it is cancelled, 202 where its worker was told to.</summary>
    public async Task CancelAsync(HttpContext context)
    {
        var run = await gate.Require().Control.CancelAsync(Requests.ThreadId(context), context.RequestAborted);
        if (run.Status is RunStatus.Completed or RunStatus.Failed)
        {
            throw new FaultException(FaultCodes.NothingToResume, $"the thread '{run.ThreadId}' is {run.Status.ToString().ToLowerInvariant()}; there is nothing to cancel");
        }
        var isDone = run.Status == RunStatus.Cancelled;
        await Requests.WriteAsync(context, isDone ? StatusCodes.Status200OK : StatusCodes.Status202Accepted, writer =>
        {
            writer.WriteString("thread_id"u8, run.ThreadId);
            writer.WriteString("status"u8, isDone ? "cancelled"u8 : "cancelling"u8);
        });
    }

    /// <summary><c>{"answer": ...}</c> for the only open question, or <c>{"answers": {ID: ...}}</c>; a failed run goes on without.</summary>
    public async Task ResumeAsync(HttpContext context)
    {
        var (service, threadId) = (gate.RequireTaking(), Requests.ThreadId(context));
        var run = await service.Control.AnswerAsync(threadId, ReadAnswers(await Requests.ReadBodyAsync(context)), context.RequestAborted);
        context.Response.Headers.Location = $"/deepagents-runtime/state/{Uri.EscapeDataString(threadId)}";
        await Requests.WriteAsync(context, StatusCodes.Status202Accepted, writer =>
        {
            writer.WriteString("thread_id"u8, run.ThreadId);
            writer.WriteString("status"u8, "running"u8);
        });
    }

    /// <summary>Checkpoints, newest first; <c>?limit=</c>, <c>?before=CHECKPOINT_ID</c>, <c>?ns=</c> or <c>?all=true</c> for those of sub-agents.</summary>
    public async Task HistoryAsync(HttpContext context)
    {
        var (service, threadId, query) = (gate.Require(), Requests.ThreadId(context), context.Request.Query);
        _ = await service.App.Runs.FindAsync(threadId, context.RequestAborted)
            ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the id");
        var ns = query["all"] == "true" ? null : query["ns"].ToString();
        var before = query["before"].ToString();
        var list = service.App.Services.Checkpoints.ListAsync(
            new CheckpointQuery(threadId, ns, before.Length > 0 ? before : null, Limit: ReadLimit(query["limit"].ToString())), context.RequestAborted);
        var checkpoints = new List<StoredCheckpoint>();
        await foreach (var checkpoint in list)
        {
            checkpoints.Add(checkpoint);
        }
        await Requests.WriteAsync(context, StatusCodes.Status200OK, writer =>
        {
            writer.WriteString("thread_id"u8, threadId);
            writer.WriteStartArray("checkpoints"u8);
            checkpoints.ForEach(checkpoint => CheckpointJson.Write(writer, checkpoint));
            writer.WriteEndArray();
        });
    }

    private static int ReadLimit(string text) => text.Length == 0 ? 100
        : int.TryParse(text, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= MostCheckpoints ? limit
        : throw new FaultException(FaultCodes.InvalidInput, $"limit: '{text}' is no number from 1 to {MostCheckpoints}", "leave it out for 100");

    private static Dictionary<string, JsonElement> ReadAnswers(ReadOnlyMemory<byte> body)
    {
        if (body.Length == 0)
        {
            return [];
        }
        const string Hint = """send {"answer": ...}, or {"answers": {"INTERRUPT_ID": ...}}""";
        try
        {
            var json = JsonElement.Parse(body.Span);
            return json.ValueKind != JsonValueKind.Object ? throw new FaultException(FaultCodes.InvalidAnswer, "the body is no JSON object", Hint)
                : json.Find("answers") is { ValueKind: JsonValueKind.Object } answers ? answers.EnumerateObject().ToDictionary(it => it.Name, it => it.Value)
                : json.Find("answer") is { } answer ? new Dictionary<string, JsonElement> { [""] = answer }
                : !json.EnumerateObject().Any() ? []
                : throw new FaultException(FaultCodes.InvalidAnswer, "the body has neither 'answer' nor 'answers'", Hint);
        }
        catch (JsonException exception)
        {
            throw new FaultException(FaultCodes.InvalidAnswer, $"the body is no JSON: {exception.Message}", Hint);
        }
    }
}
