using System.Collections.Immutable;
using System.Diagnostics;
using System.Text.Json;
using AgentExecutor.Core.Agents;
using AgentExecutor.Core.Channels;
using AgentExecutor.Core.Checkpoints;
using AgentExecutor.Core.Compilation;
using AgentExecutor.Core.Execution;
using AgentExecutor.Core.Graphs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Sessions;
using AgentExecutor.Core.Sessions.Transitions;

namespace AgentExecutor.Core.Threads;

/// <summary>Executes a run until it ends, is interrupted, or is asked to return to the queue.</summary>
public sealed class RunExecutor(RunServices services, IRunStore runs, CompiledAgents agents)
{
    /// <summary>Starts a run on a new or existing thread.</summary>
    /// <exception cref="FaultException">The definition or the input is invalid. Nothing was stored.</exception>
    public async Task<RunOutcome> StartAsync(RunRequest request, RunSignals signals)
    {
        var agent = await agents.GetAsync(request.Definition, signals.Requeue);
        var input = InputReader.Read(request.Input, agent.Graph.Channels, request.RunId, agent.NeedsMessage);
        ThreadIds.Check(request.ThreadId);
        var previous = await runs.FindAsync(request.ThreadId, signals.Requeue);
        if (previous?.RunId == request.RunId)
        {
            throw new FaultException(
                FaultCodes.RunExists,
                $"the run '{request.RunId}' was started before",
                "resume it, or start a run with another id"
            );
        }
        if (previous is not null && previous.DefinitionHash != agent.Hash)
        {
            ThreadCompatibility.Check((await AgentOfAsync(previous, signals.Requeue)).Graph, agent.Graph, request.ThreadId);
        }
        var now = services.Time.GetUtcNow();
        var run = new Run
        {
            ThreadId = request.ThreadId,
            RunId = request.RunId,
            TraceId = request.TraceId,
            Name = agent.Name,
            DefinitionHash = agent.Hash,
            Fence = previous?.Fence ?? await runs.FindFenceAsync(request.ThreadId, signals.Requeue),
            Usage = previous?.Usage.ForNextRun() ?? new RunUsage(),
            LastSequence = previous is null ? 0 : previous.LastSequence + (previous.Status == RunStatus.Running ? Start.SequenceGap : 0),
            CreatedAt = now,
        };
        var updates = previous is null ? Merge(agent.InitialState, input, agent.Graph.Channels) : input;
        var definition = new StoredDefinition(agent.Hash, request.Definition);
        using var session = new RunSession(
            Start.Apply(run, now).Run,
            services,
            agent.Limits,
            definition,
            budget: agent.Budget,
            stopping: signals.Requeue
        );
        return await DriveAsync(agent, session, _ => ValueTask.FromResult<GraphInput>(new GraphInput.Begin(updates)), signals);
    }

    /// <summary>Continues a run that was interrupted, was returned to the queue, has failed, or lost its worker.</summary>
    /// <param name="answers">The answers by interrupt id. The id <c>""</c> stands for the only open interrupt.</param>
    /// <exception cref="FaultException">
    /// The run cannot be resumed, or an answer belongs to no open interrupt. Nothing was changed.
    /// </exception>
    public async Task<RunOutcome> ResumeAsync(string threadId, IReadOnlyDictionary<string, JsonElement> answers, RunSignals signals)
    {
        var run =
            await runs.FindAsync(threadId, signals.Requeue)
            ?? throw new FaultException(
                FaultCodes.UnknownThread,
                $"there is no thread '{threadId}'",
                "list the threads with: agent-executor threads"
            );
        var started = Start.Apply(run, services.Time.GetUtcNow()).Run;
        var agent = await AgentOfAsync(run, signals.Requeue);
        using var session = new RunSession(started, services, agent.Limits, budget: agent.Budget, stopping: signals.Requeue)
        {
            // Failed and interrupted runs have ended in good order, and have reported which work was lost.
            IsTakenOver = run.Status is not (RunStatus.Failed or RunStatus.Interrupted or RunStatus.Waiting),
        };
        foreach (
            var (id, answer) in await MatchAsync(run, answers, await OpenInterruptsAsync(agent, session, signals.Requeue), signals.Requeue)
        )
        {
            session.Answers[id] = answer;
        }
        // The attempt counts even if it achieves nothing.
        await session.CommitAsync((taken, _) => new RunChange(taken, []), signals.Requeue);
        return await DriveAsync(agent, session, _ => ValueTask.FromResult<GraphInput>(GraphInput.Continue.Instance), signals);
    }

    /// <summary>Returns true if all of these answers, by interrupt id, were given before.</summary>
    /// <exception cref="FaultException">A question has another answer (<see cref="FaultCodes.AnswerConflict"/>).</exception>
    public async Task<bool> WereGivenAsync(
        string threadId,
        IReadOnlyDictionary<string, JsonElement> answers,
        CancellationToken cancellationToken
    )
    {
        var stored = await new RunAnswers(services, runs, null).StoredAsync(threadId, [.. answers.Keys], cancellationToken);
        return RunAnswers.RemoveRepeated(answers, stored).Count == 0;
    }

    /// <summary>
    /// Matches answers with the open interrupts. Those that were given before are omitted, and answers that were recorded meanwhile and
    /// defaults whose deadline has passed are added.
    /// </summary>
    private async Task<IReadOnlyDictionary<string, JsonElement>> MatchAsync(
        Run run,
        IReadOnlyDictionary<string, JsonElement> answers,
        ImmutableArray<InterruptRequest> open,
        CancellationToken cancellationToken
    )
    {
        var answered = new RunAnswers(services, runs, null);
        var stored = await answered.StoredAsync(run.ThreadId, [.. answers.Keys, .. open.Select(static it => it.Id)], cancellationToken);
        var ready = open.Select(it => (it.Id, Answer: AnswerOf(it, stored))).Where(static it => it.Answer is not null).ToList();
        var given = RunAnswers.RemoveRepeated(answers, stored);
        var left = open.RemoveAll(it => ready.Exists(known => known.Id == it.Id) && !given.ContainsKey(it.Id));
        var wereAsked = run.Status is RunStatus.Interrupted or RunStatus.Waiting && ready.Count == 0 && given.Count == answers.Count;
        var matched = new Dictionary<string, JsonElement>(InterruptAnswers.Match(given, left, run.ThreadId, wereAsked));
        InterruptAnswers.CheckDecisions(matched, left);
        foreach (var (id, answer) in ready)
        {
            matched.TryAdd(id, answer!.Value);
        }
        return matched;
    }

    private JsonElement? AnswerOf(InterruptRequest asked, IReadOnlyDictionary<string, StoredInterrupt> stored) =>
        stored.TryGetValue(asked.Id, out var known) && known.Answer is { } recorded ? StoredJson.Parse(recorded.Span)
        : asked.Deadline <= services.Time.GetUtcNow() ? asked.Terms.OnTimeout
        : null;

    /// <summary>Executes a run that a worker has claimed, from its input or from where another worker left it.</summary>
    /// <param name="claimed">The run, whose lease <see cref="RunServices.Lease"/> holds.</param>
    /// <param name="maxCrashes">A run that lost this many workers without a checkpoint in between fails.</param>
    public async Task<RunOutcome> ExecuteAsync(ClaimedRun claimed, int maxCrashes, RunSignals signals)
    {
        CompiledAgent? agent = null;
        var fault =
            claimed.Crashes < maxCrashes
                ? null
                : new FaultException(
                    FaultCodes.WorkerCrashed,
                    $"{claimed.Crashes} workers crashed while they executed this run, and none of them stored a checkpoint",
                    "find out why the workers crashed, for example because they ran out of memory, and submit the job again"
                );
        try
        {
            agent = fault is null ? await agents.GetAsync(claimed.Definition.Json, CancellationToken.None) : null;
        }
        catch (Exception exception)
        {
            // The definition was valid when it was submitted, but is not for this worker, which may have another version or other settings.
            fault = exception as FaultException ?? new FaultException(FaultCodes.Internal, exception.Message, inner: exception);
        }
        using var session = new RunSession(
            claimed.Run,
            services,
            agent?.Limits ?? new RunLimits(),
            isHeld: true,
            budget: agent?.Budget,
            activity: signals.Activity,
            stopping: signals.Requeue
        );
        return agent is null
            ? await EndAsync(null, session, (run, now) => Fail.Apply(run, RunFailure.Of(fault!), now))
            : await DriveAsync(
                agent,
                session,
                token => InputOfAsync(claimed, agent, token),
                signals,
                wantsState: false,
                claimed.TraceParent
            );
    }

    /// <summary>Returns the input, unless an earlier attempt has already stored a checkpoint of it.</summary>
    private async ValueTask<GraphInput> InputOfAsync(ClaimedRun claimed, CompiledAgent agent, CancellationToken cancellationToken)
    {
        var newest = claimed.IsNewThread ? null : await services.Checkpoints.LoadAsync(claimed.Run.ThreadId, "", null, cancellationToken);
        if (newest?.Checkpoint.RunId == claimed.Run.RunId)
        {
            return GraphInput.Continue.Instance;
        }
        var input = InputReader.Read(StoredJson.Parse(claimed.Input.Span), agent.Graph.Channels, claimed.Run.RunId, agent.NeedsMessage);
        var updates = newest is null ? Merge(agent.InitialState, input, agent.Graph.Channels) : input;
        return new GraphInput.Begin(updates, IsNewThread: newest is null);
    }

    /// <summary>Returns the compiled definition of a run.</summary>
    public async ValueTask<CompiledAgent> AgentOfAsync(Run run, CancellationToken cancellationToken)
    {
        var definition =
            await runs.FindDefinitionAsync(run.DefinitionHash, cancellationToken)
            ?? throw new FaultException(
                FaultCodes.StoreCorrupt,
                $"the definition {run.DefinitionHash} of the thread '{run.ThreadId}' is missing in the store"
            );
        return await agents.GetAsync(definition.Json, cancellationToken);
    }

    private async ValueTask<ImmutableArray<InterruptRequest>> OpenInterruptsAsync(
        CompiledAgent agent,
        RunSession session,
        CancellationToken cancellationToken
    )
    {
        var loaded = await services.Checkpoints.LoadAsync(session.ThreadId, "", null, cancellationToken);
        return loaded is null ? [] : OpenInterrupts.Of(CheckpointReader.Read(loaded, agent.Graph.Channels));
    }

    private async Task<RunOutcome> DriveAsync(
        CompiledAgent agent,
        RunSession session,
        Func<CancellationToken, ValueTask<GraphInput>> input,
        RunSignals signals,
        bool wantsState = true,
        string traceParent = ""
    )
    {
        using var deadline = new CancellationTokenSource(session.Usage.TimeLeft, services.Time);
        using var holding = services.Keeper?.Hold(session);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource([
            signals.Abandon,
            signals.Cancel,
            deadline.Token,
            holding?.Lost ?? CancellationToken.None,
        ]);
        using var span = Telemetry.Source.StartActivity(
            Telemetry.RunSpan,
            ActivityKind.Internal,
            traceParent.Length > 0 ? traceParent : null
        );
        span?.SetTag("gen_ai.operation.name", "invoke_agent")
            .SetTag("gen_ai.agent.name", agent.Name)
            .SetTag("gen_ai.conversation.id", session.ThreadId);
        Telemetry.JobsInFlight.Add(1);
        try
        {
            var outcome = await new GraphRunner(agent.Graph, GraphScope.Root(session) with { ReadOnlyFiles = agent.SkillFiles }).RunAsync(
                await input(stop.Token),
                stop.Token
            );
            return new RunOutcome(session.Run, outcome.State, session.Run.Status == RunStatus.Cancelled ? [] : outcome.Interrupts);
        }
        catch (OperationCanceledException) when (holding?.Lost.IsCancellationRequested == true)
        {
            throw new FaultException(
                FaultCodes.LeaseLost,
                $"another worker has taken over the thread '{session.ThreadId}'",
                "the other worker continues the run"
            );
        }
        catch (OperationCanceledException) when (signals.Cancel.IsCancellationRequested)
        {
            return await EndAsync(wantsState ? agent : null, session, Cancel.Apply);
        }
        catch (OperationCanceledException) when (signals.Requeue.IsCancellationRequested || signals.Abandon.IsCancellationRequested)
        {
            return await EndAsync(wantsState ? agent : null, session, Requeue.Apply);
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested)
        {
            var failure = new RunFailure(
                FaultCodes.WallTimeLimit,
                $"the run took longer than {session.Usage.Limits.MaxSeconds:0.###} s",
                nameof(FaultException),
                "raise max_seconds in the definition's limits; the server's limit is the maximum"
            );
            return await EndAsync(wantsState ? agent : null, session, (run, now) => Fail.Apply(run, failure, now));
        }
        catch (FaultException fault) when (fault.Code is FaultCodes.LeaseLost or FaultCodes.StoreUnavailable)
        {
            // Another worker holds the run now, or nothing can be stored. The last checkpoint stays valid.
            throw;
        }
        catch (Exception exception)
        {
            // Whatever the error was, it ends this run only.
            return await EndAsync(wantsState ? agent : null, session, (run, now) => Fail.Apply(run, RunFailure.Of(exception), now));
        }
        finally
        {
            if (session.Run is { Status: RunStatus.Failed, Failure: { } failure })
            {
                span.Fail(failure.Code);
            }
            Telemetry.JobsInFlight.Add(-1);
        }
    }

    /// <param name="agent">Reads the final state of the run, or null if it is not needed.</param>
    private async Task<RunOutcome> EndAsync(CompiledAgent? agent, RunSession session, Func<Run, DateTimeOffset, RunChange> transition)
    {
        // A finished run was stopped after its last commit, which stays valid.
        if (!session.Run.IsFinished)
        {
            await session.CommitAsync(transition, CancellationToken.None);
        }
        var loaded = agent is null ? null : await services.Checkpoints.LoadAsync(session.ThreadId, "", null, CancellationToken.None);
        return new RunOutcome(session.Run, loaded is null ? null : CheckpointReader.Read(loaded, agent!.Graph.Channels).State, []);
    }

    /// <summary>Returns the initial state and the input. If both set a channel that keeps a single value, the input wins.</summary>
    private static ImmutableArray<KeyValuePair<string, object>> Merge(
        ImmutableArray<KeyValuePair<string, object>> initial,
        ImmutableArray<KeyValuePair<string, object>> input,
        ChannelSet channels
    )
    {
        var given = input.Select(update => update.Key).ToHashSet(StringComparer.Ordinal);
        return
        [
            .. initial.Where(update => !given.Contains(update.Key) || channels[channels.Require(update.Key)] is not LastValueChannel),
            .. input,
        ];
    }
}
