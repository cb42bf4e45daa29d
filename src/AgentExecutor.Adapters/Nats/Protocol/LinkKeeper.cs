using AgentExecutor.Adapters.Connections;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>
/// Keeps one link up. A round tries every server once; between two rounds it waits longer and longer, never the same for two clients. A server that is about
/// to stop is left for another while it still serves. It gives up only where every server refuses us, and starts again at the next call.
/// </summary>
internal sealed class LinkKeeper(NatsSettings settings, LinkEvents events, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private static readonly TimeSpan FirstWait = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MoveLimit = TimeSpan.FromSeconds(5);

    private readonly LinkOpener _opener = new(settings, time);
    private readonly ServerPool _servers = new(NatsEndpoint.ParseSeeds(settings.Url.Value ?? ""));
    private readonly OutageLog _outage = new(time, reason => Log.Unavailable(logger, reason), seconds => Log.Back(logger, seconds));
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _gate = new();
    private TaskCompletionSource<NatsLink> _outcome = NewOutcome();
    private Task _loop = Task.CompletedTask;
    private bool _isRunning;
    private bool _wasUp;
    private volatile NatsLink? _current;

    /// <summary>A link was made and may be used from now on. Raised before anybody else can use it.</summary>
    public event Action<NatsLink>? Up;

    /// <summary>A link is about to be left while it still serves: for a moment two are up, and a message may come over both.</summary>
    public event Action? Moving;

    /// <summary>Another link has taken this one's place, and it may be let go of.</summary>
    public event Action<NatsLink>? Left;

    /// <summary>The link was lost; the next one is being made.</summary>
    public event Action<NatsException>? Down;

    /// <summary>No server will have us, or we were disposed of.</summary>
    public event Action<NatsException>? Ended;

    public NatsLink? Current => _current;

    public void Learn(ServerInfo info, NatsEndpoint from) => _servers.Learn(info.ConnectUrls, from);

    /// <summary>The link that is up, or else what the present round brings.</summary>
    /// <exception cref="NatsException">The round found no server; the next one follows by itself.</exception>
    public Task<NatsLink> LinkAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (!_isRunning && !_stopping.IsCancellationRequested)
            {
                (_isRunning, _outcome) = (true, NewOutcome());
                _loop = KeepAsync();
            }
            return _outcome.Task.WaitAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        Task loop;
        lock (_gate)
        {
            loop = _loop;
        }
        await loop;
        End(new NatsException(NatsFault.Closed, "the connection to NATS was closed"));
    }

    private async Task KeepAsync()
    {
        await Task.Yield();
        try
        {
            await KeepUntilRefusedAsync();
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The end was asked for.
        }
        catch (Exception exception)
        {
            // A fault of ours must not leave callers waiting for a loop that is gone: it is told, and the next call starts anew.
            End(new NatsException(NatsFault.Disconnected, $"the connection to NATS failed: {exception.Message}", exception));
        }
    }

    private async Task KeepUntilRefusedAsync()
    {
        var (wait, refusals) = (FirstWait, 0);
        while (true)
        {
            var (link, fault) = await OpenAnyAsync(left: null);
            if (link is not null)
            {
                var since = time.GetTimestamp();
                refusals = 0;
                Lost(await ServeAsync(link));
                wait = time.GetElapsedTime(since) > LongestWait ? FirstWait : Longer(wait); // one that takes us and drops us at once is not hammered
            }
            else
            {
                refusals = fault!.IsTransient ? 0 : refusals + 1;
                if (refusals >= (_wasUp ? 2 : 1)) // a server that knew us before may be in the middle of a reload
                {
                    Log.Refused(logger, fault.Message);
                    End(fault);
                    return;
                }
                RoundFailed(fault);
                wait = Longer(wait);
            }
            await Task.Delay(wait * (0.5 + Random.Shared.NextDouble()), time, _stopping.Token);
        }
    }

    /// <summary>One round. Where servers differ in why they cannot be had, a fault that may pass is the one that counts.</summary>
    private async Task<(NatsLink? Link, NatsException? Fault)> OpenAnyAsync(NatsLink? left)
    {
        NatsException? fault = null;
        foreach (var endpoint in _servers.Round().Where(endpoint => left is null || !endpoint.IsSameServer(left.Endpoint)))
        {
            try
            {
                var link = await _opener.OpenAsync(endpoint, events, _stopping.Token);
                if (left is null || (link.Info.Id != left.Info.Id && !link.Info.IsLameDuck))
                {
                    return (link, null);
                }
                await link.DisposeAsync(); // the server that is to be left, by another of its addresses
            }
            catch (NatsException exception)
            {
                fault = fault is { IsTransient: true } ? fault : exception;
            }
        }
        return (null, fault);
    }

    private async Task<NatsException> ServeAsync(NatsLink link)
    {
        Rise(link);
        while (await Task.WhenAny(link.Completion, link.LameDuck) == link.LameDuck)
        {
            Log.LameDuck(logger, link.Info.Name);
            var (successor, _) = await OpenAnyAsync(left: link);
            if (successor is null)
            {
                break; // nowhere to go: served to the end
            }
            Moving?.Invoke();
            Rise(successor);
            await LeaveAsync(link, successor);
            link = successor;
        }
        return await link.Completion;
    }

    /// <summary>The subscriptions stand on the new link before the old one lets go of them, so that nothing is missed; in that moment a message may come twice.</summary>
    private async Task LeaveAsync(NatsLink link, NatsLink successor)
    {
        using var limit = new CancellationTokenSource(MoveLimit, time);
        try
        {
            await successor.PingAsync(limit.Token);
            Left?.Invoke(link);
            await link.PingAsync(limit.Token);
        }
        catch (Exception exception) when (exception is NatsException or OperationCanceledException)
        {
            // Either has ended meanwhile: its own completion tells.
        }
        await link.DisposeAsync();
    }

    private void Rise(NatsLink link)
    {
        Up?.Invoke(link);
        Log.Connected(logger, link.Info.Name, link.Info.Version, link.Endpoint.ToString());
        _outage.Succeeded(this);
        lock (_gate)
        {
            (_current, _wasUp) = (link, true);
            _outcome = _outcome.TrySetResult(link) ? _outcome : NewOutcome(link);
        }
    }

    private void Lost(NatsException fault)
    {
        lock (_gate)
        {
            (_current, _outcome) = (null, NewOutcome());
        }
        if (_stopping.IsCancellationRequested)
        {
            return;
        }
        _outage.Failed(this, fault.Message);
        Down?.Invoke(fault);
    }

    private void RoundFailed(NatsException fault)
    {
        _outage.Failed(this, fault.Message);
        lock (_gate)
        {
            Fail(_outcome, fault);
            _outcome = NewOutcome();
        }
    }

    private void End(NatsException fault)
    {
        lock (_gate)
        {
            (_isRunning, _wasUp, _current) = (false, false, null);
            _outcome = _outcome.Task.IsCompleted ? NewOutcome() : _outcome;
            Fail(_outcome, fault);
        }
        Ended?.Invoke(fault);
    }

    private static void Fail(TaskCompletionSource<NatsLink> outcome, NatsException fault)
    {
        outcome.TrySetException(fault);
        _ = outcome.Task.Exception; // seen, also where nobody waits
    }

    private static TimeSpan Longer(TimeSpan wait) => wait * 2 < LongestWait ? wait * 2 : LongestWait;

    private static TaskCompletionSource<NatsLink> NewOutcome(NatsLink? link = null)
    {
        var outcome = new TaskCompletionSource<NatsLink>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (link is not null)
        {
            outcome.SetResult(link);
        }
        return outcome;
    }
}
