using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>Submitted runs.</summary>
internal sealed class SubmissionRows()
    : RowTable<RunSubmission>(
        Text("thread_id", static it => it.Run.ThreadId),
        Text("run_id", static it => it.Run.RunId),
        Text("name", static it => PostgresRows.Shown(it.Run.Name)),
        Text("trace_id", static it => PostgresRows.Shown(it.Run.TraceId)),
        Text("definition_hash", static it => it.Definition.Hash),
        Time("created_at", static it => it.Run.CreatedAt),
        Bytes("input", static it => it.Input),
        SmallInteger("priority", static it => (short)it.Priority),
        Double("delay_ms", static it => it.Delay.TotalMilliseconds),
        Text("concurrency_key", static it => it.ConcurrencyKey),
        Integer("concurrency_limit", static it => it.ConcurrencyLimit),
        Text("request_hash", static it => it.RequestHash),
        Text("trace_parent", static it => it.TraceParent)
    )
{
    public static SubmissionRows Table { get; } = new();
}

/// <summary>Due runs, in the state in which a worker claims them.</summary>
internal sealed class ClaimRows()
    : RowTable<DueRow>(
        Text("thread_id", static it => it.Claimed.Run.ThreadId),
        Text("run_id", static it => it.Claimed.Run.RunId),
        Number("fence", static it => it.Claimed.Run.Fence),
        Integer("attempt", static it => it.Claimed.Run.Attempt),
        Number("last_sequence", static it => it.Claimed.Run.LastSequence),
        Text("usage", static it => RunJson.WriteUsage(it.Claimed.Run.Usage)),
        Integer("crashes", static it => it.Claimed.Crashes),
        Text("concurrency_key", static it => it.Key)
    )
{
    public static ClaimRows Table { get; } = new();
}

/// <summary>Runs that a worker holds.</summary>
internal sealed class HeldRunRows : RowTable<HeldRun>
{
    private HeldRunRows()
        : base(Text("thread_id", static it => it.ThreadId), Number("fence", static it => it.Fence)) { }

    public static HeldRunRows Table { get; } = new();
}
