using System.Globalization;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
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
        using var deadline = Requests.Deadline(context);
        var run = await gate.Require().Control.CancelAsync(Requests.ThreadId(context), deadline.Token);
        if (run.Status is RunStatus.Completed or RunStatus.Failed)
        {
            throw new FaultException(FaultCodes.NothingToCancel, $"the thread '{run.ThreadId}' is {run.Status.ToString().ToLowerInvariant()}; there is nothing to cancel");
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
        var answers = AnswerReader.Read(await Requests.ReadBodyAsync(context));
        using var deadline = Requests.Deadline(context);
        var run = await service.Control.AnswerAsync(threadId, answers, deadline.Token);
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
        using var deadline = Requests.Deadline(context);
        _ = await service.App.Runs.FindAsync(threadId, deadline.Token)
            ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "check the id");
        var ns = ReadAll(query["all"].ToString()) ? null : ReadName(query, "ns");
        var before = ReadName(query, "before");
        var list = service.App.Services.Checkpoints.ListAsync(
            new CheckpointQuery(threadId, ns, before.Length > 0 ? before : null, Limit: ReadLimit(query["limit"].ToString())), deadline.Token);
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

    private static bool ReadAll(string text) => text switch
    {
        "" or "false" => false,
        "true" => true,
        _ => throw new FaultException(FaultCodes.InvalidInput, $"all: '{text}' is neither true nor false", "leave it out for false"),
    };

    /// <summary>No name that we gave holds control characters, and not every store can be asked for one.</summary>
    private static string ReadName(IQueryCollection query, string parameter) => query[parameter].ToString() is var text && !text.Any(char.IsControl)
        ? text
        : throw new FaultException(FaultCodes.InvalidInput, $"{parameter}: it holds control characters", "copy it from the answer of this route");

    private static int ReadLimit(string text) => text.Length == 0 ? 100
        : int.TryParse(text, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= MostCheckpoints ? limit
        : throw new FaultException(FaultCodes.InvalidInput, $"limit: '{text}' is no number from 1 to {MostCheckpoints}", "leave it out for 100");
}
