using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions.Transitions;
using Npgsql;

namespace AgentExecutor.Adapters.Postgres;

/// <summary>A run that <see cref="PostgresClaim.Due"/> found, in the state in which it will be claimed.</summary>
/// <param name="Claimed">The run, with what is needed to execute it.</param>
/// <param name="Key">Its concurrency key, or null if it has none.</param>
internal readonly record struct DueRow(ClaimedRun Claimed, string? Key)
{
    /// <summary>Reads a row. Returns null if the run cannot be claimed, so that the row only names its thread.</summary>
    public static DueRow? Read(NpgsqlDataReader row)
    {
        if (row.IsNull("thread_id"))
        {
            return null;
        }
        var run = PostgresRows.ReadRun(row);
        if (row.OptionalText("usage_of_thread") is { } usageOfThread)
        {
            run = run with { Usage = RunJson.ReadUsage(StoredJson.Parse(usageOfThread)).ForNextRun() };
        }
        var claimed = new ClaimedRun(
            Start.Apply(run, run.UpdatedAt).Run,
            new StoredDefinition(run.DefinitionHash, row.Bytes("definition")),
            row.Bytes("input"),
            row.Integer("crashes")
        )
        {
            TraceParent = row.Text("trace_parent"),
        };
        return new DueRow(claimed, row.OptionalText("concurrency_key"));
    }

    /// <summary>Returns the thread of a row, whether or not its run can be claimed.</summary>
    public static string ReadThread(NpgsqlDataReader row) => row.Text("queued_thread_id");
}
