using AgentExecutor.Core.Queues;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>The keys of runs.</summary>
internal sealed class RunKeyRows : RowTable<RunKey>
{
    private RunKeyRows()
        : base(Text("thread_id", static it => it.ThreadId), Text("run_id", static it => it.RunId)) { }

    public static RunKeyRows Table { get; } = new();
}

/// <summary>Outcomes that were published.</summary>
internal sealed class PublishedRows : RowTable<Outcome>
{
    private PublishedRows()
        : base(Text("thread_id", static it => it.Run.ThreadId), Number("sequence", static it => it.Sequence)) { }

    public static PublishedRows Table { get; } = new();
}
