using System.Globalization;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.View;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace AgentExecutor.Server.Api;

/// <summary>The routes that cancel and resume threads, and list their checkpoints.</summary>
internal sealed class ThreadEndpoints(RunControl control, ThreadStore store, ReadLimit reads)
{
    private const int MostCheckpoints = 1_000;

    public static void Map(WebApplication app)
    {
        app.MapStorePost<ThreadEndpoints>("/threads/{thread_id}/cancel", static (threads, context) => threads.CancelAsync(context));
        app.MapJobPost<ThreadEndpoints>("/threads/{thread_id}/resume", static (threads, context) => threads.ResumeAsync(context));
        app.MapJobPost<ThreadEndpoints>(
            "/threads/{thread_id}/tool-results/{call_id}",
            static (threads, context) => threads.CompleteCallAsync(context)
        );
        app.MapStoreRead<ThreadEndpoints>("/threads/{thread_id}/history", static (threads, context) => threads.HistoryAsync(context));
    }

    /// <summary>Cancels a thread. Responds with 200 if it is cancelled, and with 202 if its worker was asked to cancel it.</summary>
    public async Task CancelAsync(HttpContext context)
    {
        using var deadline = Requests.Deadline(context);
        var run = await control.CancelAsync(Requests.ThreadId(context), deadline.Token);
        if (run.Status is RunStatus.Completed or RunStatus.Failed)
        {
            throw new FaultException(
                FaultCodes.NothingToCancel,
                $"the thread '{run.ThreadId}' is {run.Status.ToString().ToLowerInvariant()}; there is nothing to cancel"
            );
        }
        var isDone = run.Status == RunStatus.Cancelled;
        await Requests.WriteAsync(
            context,
            isDone ? StatusCodes.Status200OK : StatusCodes.Status202Accepted,
            writer =>
            {
                writer.WriteString("thread_id"u8, run.ThreadId);
                writer.WriteString("status"u8, isDone ? "cancelled"u8 : "cancelling"u8);
            }
        );
    }

    /// <summary>
    /// Resumes a thread. The body contains <c>{"answer": ...}</c> for the only open question, <c>{"answers": {ID: ...}}</c>, or the list
    /// <c>{"answers": [{interrupt_id, decision, ...}]}</c>. A failed run needs no answer. The same answer again gives the same response.
    /// </summary>
    public async Task ResumeAsync(HttpContext context)
    {
        var threadId = Requests.ThreadId(context);
        var answers = AnswerReader.Read(await Requests.ReadBodyAsync(context));
        using var deadline = Requests.Deadline(context);
        var run = await control.AnswerAsync(threadId, answers, deadline.Token);
        context.Response.Headers.Location = JobEndpoints.StatePath(threadId);
        await Requests.WriteAsync(
            context,
            StatusCodes.Status202Accepted,
            writer =>
            {
                writer.WriteString("thread_id"u8, run.ThreadId);
                writer.WriteString("status"u8, RunState.NameOf(run.Status));
            }
        );
    }

    /// <summary>
    /// Stores the result of a tool that is executed elsewhere: <c>{"status": "success", "output": ...}</c> or <c>{"status": "error",
    /// "error": ...}</c>. The same result again gives the same response.
    /// </summary>
    public async Task CompleteCallAsync(HttpContext context)
    {
        var threadId = Requests.ThreadId(context);
        var callId = (string)context.Request.RouteValues["call_id"]!;
        var result = ToolResultReader.Read(AnswerReader.Parse(await Requests.ReadBodyAsync(context)));
        using var deadline = Requests.Deadline(context);
        await control.Answers.CompleteCallAsync(threadId, callId, result, deadline.Token);
        await Requests.WriteAsync(
            context,
            StatusCodes.Status200OK,
            writer =>
            {
                writer.WriteString("thread_id"u8, threadId);
                writer.WriteString("call_id"u8, callId);
                writer.WriteString("status"u8, "accepted"u8);
            }
        );
    }

    /// <summary>
    /// Lists checkpoints, newest first. The query can contain <c>limit</c>, <c>before</c> with a checkpoint id, and <c>ns</c> or
    /// <c>all=true</c> for the checkpoints of sub-agents.
    /// </summary>
    public async Task HistoryAsync(HttpContext context)
    {
        var (threadId, query) = (Requests.ThreadId(context), context.Request.Query);
        using var deadline = Requests.Deadline(context);
        using var turn = await reads.EnterAsync(context, deadline.Token);
        _ = await store.Read.Runs.FindAsync(threadId, deadline.Token) ?? throw Requests.UnknownThread(threadId);
        var ns = ReadAll(query["all"].ToString()) ? null : ReadName(query, "ns");
        var before = ReadName(query, "before");
        var list = store.Read.Checkpoints.ListAsync(
            new CheckpointQuery(threadId, ns, before.Length > 0 ? before : null, Limit: ReadLimit(query["limit"].ToString())),
            deadline.Token
        );
        var checkpoints = new List<StoredCheckpoint>();
        await foreach (var checkpoint in list)
        {
            checkpoints.Add(checkpoint);
        }
        await Requests.WriteAsync(
            context,
            StatusCodes.Status200OK,
            writer =>
            {
                writer.WriteString("thread_id"u8, threadId);
                writer.WriteStartArray("checkpoints"u8);
                checkpoints.ForEach(checkpoint => CheckpointJson.Write(writer, checkpoint));
                writer.WriteEndArray();
            }
        );
    }

    private static bool ReadAll(string text) =>
        text switch
        {
            "" or "false" => false,
            "true" => true,
            _ => throw new FaultException(
                FaultCodes.InvalidInput,
                $"all: '{text}' is neither true nor false",
                "use true, or omit the parameter"
            ),
        };

    /// <summary>No id or namespace contains control characters, and not every store accepts them in a query.</summary>
    private static string ReadName(IQueryCollection query, string parameter) =>
        query[parameter].ToString() is var text && !text.Any(char.IsControl)
            ? text
            : throw new FaultException(
                FaultCodes.InvalidInput,
                $"{parameter}: the value contains control characters",
                "use a value from a response of this route"
            );

    private static int ReadLimit(string text) =>
        text.Length == 0 ? 100
        : int.TryParse(text, CultureInfo.InvariantCulture, out var limit) && limit is > 0 and <= MostCheckpoints ? limit
        : throw new FaultException(
            FaultCodes.InvalidInput,
            $"limit: '{text}' is not a number from 1 to {MostCheckpoints}",
            "use such a number, or omit the parameter for 100"
        );
}
