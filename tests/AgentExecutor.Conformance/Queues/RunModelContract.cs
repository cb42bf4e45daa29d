using System.Globalization;
using AgentExecutor.Conformance.Queues.Model;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Queues;
using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace AgentExecutor.Conformance.Queues;

/// <summary>
/// Executes random sequences of operations on the runs of one store: submissions, claims, renewals, pauses, steps, ends, cancellations,
/// rescues, resumptions, deletions and publications. A failing sequence is printed in its shortest form. <c>MODEL_SEQUENCES</c> sets the
/// number of sequences.
/// </summary>
public abstract class RunModelContract : IAsyncLifetime
{
    private IRunQueue _queue = null!;
    private IOutbox _outbox = null!;
    private ICheckpointStore _checkpoints = null!;
    private IRunStore _runs = null!;
    private int _number;

    /// <summary>The number of sequences if <c>MODEL_SEQUENCES</c> is not set.</summary>
    protected virtual int Sequences => 150;

    /// <summary>Creates a queue without runs, its outbox, and the store that it shares its threads with.</summary>
    protected abstract ValueTask<(IRunQueue Queue, IOutbox Outbox, ICheckpointStore Checkpoints, IRunStore Runs)> MakeAsync();

    public async ValueTask InitializeAsync() => (_queue, _outbox, _checkpoints, _runs) = await MakeAsync();

    public virtual ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public Task For_any_sequence_of_events_no_run_is_lost_or_ends_twice_and_no_cancellation_is_lost() =>
        // A separate thread, because the property checker blocks it.
        Task.Factory.StartNew(CheckAll, TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private void CheckAll()
    {
        var sequences = Environment.GetEnvironmentVariables()["MODEL_SEQUENCES"] is string { Length: > 0 } text
            ? int.Parse(text, CultureInfo.InvariantCulture)
            : Sequences;
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(sequences).WithQuietOnSuccess(true),
            Prop.ForAll(RunCommand.Sequences(), commands => TryAsync(commands).GetAwaiter().GetResult())
        );
    }

    private async Task<Property> TryAsync(RunCommand[] commands)
    {
        var machine = new RunMachine(_queue, _outbox, _checkpoints, _runs, $"s{++_number}-", TestContext.Current.CancellationToken);
        try
        {
            await machine.RunAsync(commands);
            return true.ToProperty();
        }
        catch (ModelException exception)
        {
            return false.Label($"{exception.Message}\n{string.Join('\n', commands.Select(command => $"  {command}"))}");
        }
    }
}
