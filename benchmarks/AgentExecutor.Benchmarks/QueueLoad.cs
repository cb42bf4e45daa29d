using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Benchmarks;

/// <summary>Fills a queue in the fastest way for its store.</summary>
internal abstract class QueueLoad
{
    protected static readonly Lease Lease = new("bench", TimeSpan.FromHours(1));

    /// <summary>For each of the given number of keys, a worker holds a run, and another run waits.</summary>
    public abstract Task FillKeysAsync(int keys);

    /// <summary>Ends the run of a key that a worker holds.</summary>
    public abstract Task FreeAsync(int key);

    /// <summary>A worker holds a thread, and the given number of runs wait for it.</summary>
    public abstract Task FillThreadAsync(int runs);

    /// <summary>The given number of runs are ready, each on a thread of its own.</summary>
    public abstract Task FillAsync(int runs);

    public static QueueLoad Of(BenchStore store) =>
        store is BenchStore.Postgres postgres ? new CopiedLoad(postgres) : new SubmittedLoad(store);

    public static RunSubmission Submission(string thread, string id)
    {
        var now = TimeProvider.System.GetUtcNow();
        var run = new Run
        {
            ThreadId = thread,
            RunId = id,
            Name = "bench",
            DefinitionHash = "h",
            CreatedAt = now,
            UpdatedAt = now,
        };
        return new RunSubmission(run, new("h", "{}"u8.ToArray()), "{}"u8.ToArray());
    }
}
