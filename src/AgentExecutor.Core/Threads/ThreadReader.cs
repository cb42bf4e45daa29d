using AgentExecutor.Core.Budgets;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Core.Threads;

/// <summary>
/// Reads the state of threads without compiling their definitions, so the models, keys and tools need not exist on this machine. It may not
/// be the machine that executed the thread.
/// </summary>
public sealed class ThreadReader(ICheckpointStore checkpoints, IRunStore runs)
{
    /// <summary>Returns the state at a checkpoint of the run's thread, or null if there is no such checkpoint.</summary>
    /// <param name="run">The thread's run.</param>
    /// <param name="ns">The namespace of a sub-graph, or empty for the root graph.</param>
    /// <param name="checkpointId">The checkpoint, or null for the newest one.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async ValueTask<Position?> FindAsync(Run run, string ns, string? checkpointId, CancellationToken cancellationToken) =>
        await checkpoints.LoadAsync(run.ThreadId, ns, checkpointId, cancellationToken) is { } loaded
            ? Read(loaded, await ChannelsOfAsync(run, cancellationToken))
            : null;

    /// <summary>Returns the channels that the run's definition declares.</summary>
    public async ValueTask<ChannelSet> ChannelsOfAsync(Run run, CancellationToken cancellationToken) =>
        DefinitionChannels.Of(
            await runs.FindDefinitionAsync(run.DefinitionHash, cancellationToken) is { } definition ? definition.Json : default
        );

    /// <summary>Returns the budget of the run, or none if its definition has none or cannot be read by this version.</summary>
    public async ValueTask<BudgetPolicy> BudgetOfAsync(Run run, CancellationToken cancellationToken)
    {
        try
        {
            return await runs.FindDefinitionAsync(run.DefinitionHash, cancellationToken) is { } definition
                ? BudgetReader.Read(DefinitionReader.Read(definition.Json).Definition?.Budget)
                : BudgetPolicy.None;
        }
        catch (ArgumentException)
        {
            // A newer version of the program has stored a value that this one does not know.
            return BudgetPolicy.None;
        }
    }

    /// <summary>Reads a loaded checkpoint with the channels that <see cref="ChannelsOfAsync"/> returned.</summary>
    public static Position Read(LoadedCheckpoint loaded, ChannelSet channels)
    {
        var joins = loaded.Checkpoint.Channels.Where(channel =>
            channel.Name.StartsWith(Graph.JoinPrefix, StringComparison.Ordinal) && channels.IndexOf(channel.Name) < 0
        );
        return CheckpointReader.Read(
            loaded,
            new ChannelSet([.. channels.Channels, .. joins.Select(Channel (join) => new BarrierChannel(join.Name))])
        );
    }
}
