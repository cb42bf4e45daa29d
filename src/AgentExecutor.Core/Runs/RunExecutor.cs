using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Execution.Channels;
using AgentExecutor.Core.Graphs.Definitions;
using AgentExecutor.Core.Runs.Transitions;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Core.Runs;

/// <summary>Runs a run from where it stands to where it can go: its end, a question to a person, or the signal to give it back.</summary>
public sealed class RunExecutor(RunServices services, IRunStore runs, CompiledAgents agents)
{
    /// <summary>Starts a run, on a new thread or on top of an old one.</summary>
    /// <exception cref="FaultException">The definition or the input is at fault; nothing was stored.</exception>
    public async Task<RunOutcome> StartAsync(RunRequest request, RunSignals signals)
    {
        var agent = agents.Get(request.Definition);
        var input = InputReader.Read(request.Input, agent.Graph.Channels, request.RunId, agent.NeedsMessage);
        ThreadIds.Check(request.ThreadId);
        var previous = await runs.FindAsync(request.ThreadId, signals.GiveBack);
        if (previous?.RunId == request.RunId)
        {
            throw new FaultException(FaultCodes.RunExists, $"the run '{request.RunId}' was started before", "resume it, or start another");
        }
        if (previous is not null && previous.DefinitionHash != agent.Hash)
        {
            ThreadFit.Check((await AgentOfAsync(previous, signals.GiveBack)).Graph, agent.Graph, request.ThreadId);
        }
        var now = services.Time.GetUtcNow();
        var run = new Run
        {
            ThreadId = request.ThreadId,
            RunId = request.RunId,
            TraceId = request.TraceId,
            Name = agent.Name,
            DefinitionHash = agent.Hash,
            Fence = previous?.Fence ?? 0,
            Usage = previous?.Usage.ForNextRun() ?? new RunUsage(),
            LastSequence = previous is null ? 0 : previous.LastSequence + (previous.Status == RunStatus.Running ? Start.SequenceGap : 0),
            CreatedAt = now,
        };
        var updates = previous is null ? Merge(agent.InitialState, input, agent.Graph.Channels) : input;
        var definition = new StoredDefinition(agent.Hash, request.Definition);
        using var session = new RunSession(Start.Apply(run, now).Run, services, agent.Limits, definition, budget: agent.Budget, stopping: signals.GiveBack);
        return await DriveAsync(agent, session, _ => ValueTask.FromResult<GraphInput>(new GraphInput.Begin(updates)), signals);
    }

    /// <summary>Goes on with a run that was interrupted, given back, failed, or left by a dead worker.</summary>
    /// <param name="answers">By interrupt id; the id <c>""</c> stands for the only open one.</param>
    /// <exception cref="FaultException">There is nothing to go on with, or the answers fit no question; nothing was changed.</exception>
    public async Task<RunOutcome> ResumeAsync(string threadId, IReadOnlyDictionary<string, JsonElement> answers, RunSignals signals)
    {
        var run = await runs.FindAsync(threadId, signals.GiveBack)
            ?? throw new FaultException(FaultCodes.UnknownThread, $"there is no thread '{threadId}'", "list them with 'agent-executor threads'");
        var started = Start.Apply(run, services.Time.GetUtcNow()).Run;
        var agent = await AgentOfAsync(run, signals.GiveBack);
        using var session = new RunSession(started, services, agent.Limits, budget: agent.Budget, stopping: signals.GiveBack)
        {
            IsTakenOver = run.Status is not (RunStatus.Failed or RunStatus.Interrupted), // those ended in good order: what did not count was said to
        };
        var open = await OpenInterruptsAsync(agent, session, signals.GiveBack);
        foreach (var (id, answer) in InterruptAnswers.Match(answers, open, threadId, wereAsked: run.Status == RunStatus.Interrupted))
        {
            session.Answers[id] = answer;
        }
        await session.CommitAsync((taken, _) => new RunChange(taken, []), signals.GiveBack); // the attempt counts even if it comes to nothing
        return await DriveAsync(agent, session, _ => ValueTask.FromResult<GraphInput>(GraphInput.Continue.Instance), signals);
    }

    /// <summary>Runs a run that a worker has taken: from its input, or from where another worker left it.</summary>
    /// <param name="claimed">The run, its lease held by <see cref="RunServices.Lease"/>.</param>
    /// <param name="maxCrashes">A run that lost so many workers without a checkpoint in between fails.</param>
    public async Task<RunOutcome> ExecuteAsync(ClaimedRun claimed, int maxCrashes, RunSignals signals)
    {
        CompiledAgent? agent = null;
        var fault = claimed.Crashes < maxCrashes ? null : new FaultException(
            FaultCodes.WorkerCrashed, $"{claimed.Crashes} workers died running it, none of them with a new checkpoint",
            "see why the workers were killed, out of memory for one, and submit it again");
        try
        {
            agent = fault is null ? agents.Get(claimed.Definition.Json) : null;
        }
        catch (Exception exception) // valid when it was submitted, but not to this worker: another version, other settings
        {
            fault = exception as FaultException ?? new FaultException(FaultCodes.Internal, exception.Message, inner: exception);
        }
        using var session = new RunSession(claimed.Run, services, agent?.Limits ?? new RunLimits(), isHeld: true, budget: agent?.Budget, activity: signals.Activity, stopping: signals.GiveBack);
        return agent is null
            ? await EndAsync(null, session, (run, now) => Fail.Apply(run, RunFailure.Of(fault!), now))
            : await DriveAsync(agent, session, token => InputOfAsync(claimed, agent, token), signals, wantsState: false, claimed.TraceParent);
    }

    /// <summary>The input, unless an earlier attempt has stored its checkpoint.</summary>
    private async ValueTask<GraphInput> InputOfAsync(ClaimedRun claimed, CompiledAgent agent, CancellationToken cancellationToken)
    {
        var newest = claimed.IsNewThread ? null : await services.Checkpoints.LoadAsync(claimed.Run.ThreadId, "", null, cancellationToken);
        if (newest?.Checkpoint.RunId == claimed.Run.RunId)
        {
            return GraphInput.Continue.Instance;
        }
        var input = InputReader.Read(JsonElement.Parse(claimed.Input.Span), agent.Graph.Channels, claimed.Run.RunId, agent.NeedsMessage);
        return new GraphInput.Begin(newest is null ? Merge(agent.InitialState, input, agent.Graph.Channels) : input, IsNewThread: newest is null);
    }

    /// <summary>The definition that a run runs, compiled.</summary>
    public async ValueTask<CompiledAgent> AgentOfAsync(Run run, CancellationToken cancellationToken)
    {
        var definition = await runs.FindDefinitionAsync(run.DefinitionHash, cancellationToken) ?? throw new FaultException(
            FaultCodes.StoreCorrupt, $"the definition {run.DefinitionHash} of the thread '{run.ThreadId}' is not stored");
        return agents.Get(definition.Json);
    }

    private async ValueTask<ImmutableArray<InterruptRequest>> OpenInterruptsAsync(
        CompiledAgent agent, RunSession session, CancellationToken cancellationToken)
    {
        var loaded = await services.Checkpoints.LoadAsync(session.ThreadId, "", null, cancellationToken);
        return loaded is null ? [] : OpenInterrupts.Of(session.ThreadId, CheckpointReader.Read(loaded, agent.Graph.Channels), agent.Graph);
    }

    private async Task<RunOutcome> DriveAsync(
        CompiledAgent agent, RunSession session, Func<CancellationToken, ValueTask<GraphInput>> input, RunSignals signals, bool wantsState = true, string traceParent = "")
    {
        using var deadline = new CancellationTokenSource(session.Usage.TimeLeft, services.Time);
        using var holding = services.Keeper?.Hold(session);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(
            [signals.Abandon, signals.Cancel, deadline.Token, holding?.Lost ?? CancellationToken.None]);
        using var span = Telemetry.Source.StartActivity(Telemetry.RunSpan, ActivityKind.Internal, traceParent.Length > 0 ? traceParent : null);
        span?.SetTag("gen_ai.operation.name", "invoke_agent").SetTag("gen_ai.conversation.id", session.ThreadId);
        Telemetry.JobsInFlight.Add(1);
        try
        {
            var outcome = await new GraphRunner(agent.Graph, GraphScope.Root(session)).RunAsync(await input(stop.Token), stop.Token);
            return new RunOutcome(session.Run, outcome.State, outcome.Interrupts);
        }
        catch (OperationCanceledException) when (holding?.Lost.IsCancellationRequested == true)
        {
            throw new FaultException(FaultCodes.LeaseLost, $"the thread '{session.ThreadId}' was taken over by another worker", "let the other go on");
        }
        catch (OperationCanceledException) when (signals.Cancel.IsCancellationRequested)
        {
            return await EndAsync(wantsState ? agent : null, session, Cancel.Apply);
        }
        catch (OperationCanceledException) when (signals.GiveBack.IsCancellationRequested || signals.Abandon.IsCancellationRequested)
        {
            return await EndAsync(wantsState ? agent : null, session, GiveBack.Apply);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            var failure = new RunFailure(
                FaultCodes.WallTimeLimit, $"the run took longer than {session.Usage.Limits.MaxSeconds:0.###} s", nameof(FaultException),
                "raise max_seconds in the definition's limits, up to the server's");
            return await EndAsync(wantsState ? agent : null, session, (run, now) => Fail.Apply(run, failure, now));
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.LeaseLost or FaultCodes.StoreUnavailable)
        {
            throw; // the run is another's now, or nothing can be written: its last checkpoint stands
        }
        catch (Exception exception) // the border of a run: whatever went wrong ends this run, and the process goes on
        {
            return await EndAsync(wantsState ? agent : null, session, (run, now) => Fail.Apply(run, RunFailure.Of(exception), now));
        }
        finally
        {
            Telemetry.JobsInFlight.Add(-1);
        }
    }

    /// <param name="agent">Reads the state that the run ends with; null where nobody asks for it.</param>
    private async Task<RunOutcome> EndAsync(CompiledAgent? agent, RunSession session, Func<Run, DateTimeOffset, RunChange> transition)
    {
        await session.CommitAsync(transition, CancellationToken.None);
        var loaded = agent is null ? null : await services.Checkpoints.LoadAsync(session.ThreadId, "", null, CancellationToken.None);
        return new RunOutcome(session.Run, loaded is null ? null : CheckpointReader.Read(loaded, agent!.Graph.Channels).State, []);
    }

    /// <summary>The initial state, but for what the input says itself of a channel that keeps one value.</summary>
    private static ImmutableArray<KeyValuePair<string, object>> Merge(
        ImmutableArray<KeyValuePair<string, object>> initial, ImmutableArray<KeyValuePair<string, object>> input, ChannelSet channels)
    {
        var given = input.Select(update => update.Key).ToHashSet(StringComparer.Ordinal);
        return [.. initial.Where(update => !given.Contains(update.Key) || channels[channels.Require(update.Key)] is not LastValueChannel), .. input];
    }
}
