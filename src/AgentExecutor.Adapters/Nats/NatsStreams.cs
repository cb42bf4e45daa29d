using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Logging;
using NATS.Client.Core;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// Finds the streams that store jobs, results and dead letters by their subjects, and creates missing ones, and those of external tools and
/// answers when they are used. This happens at the first use,
/// after each new connection, and when a call reports that one is missing. Existing streams are used:
/// <list type="bullet">
/// <item>A stream with the name that the service uses is updated as far as NATS permits it and no message is lost.</item>
/// <item>A stream with another name that has the subjects is not changed.</item>
/// <item>Each remaining difference is logged once, as a warning with its consequence.</item>
/// </list>
/// If the service must not manage streams, it changes nothing, and missing streams are an error. The same applies to a client, such as a
/// command.
/// </summary>
internal sealed class NatsStreams : IDisposable
{
    private static readonly BusStream[] Kinds = [BusStream.Jobs, BusStream.Results, BusStream.DeadLetters];

    /// <summary>Made only where external tools or answers by message are in use.</summary>
    private static readonly BusStream[] OptionalKinds = [BusStream.ToolRequests, BusStream.Inbox];

    private readonly NatsSettings _settings;
    private readonly bool _isClient;
    private readonly ILogger _logger;
    private readonly WantedStreams _wanted;
    private readonly StreamFinder _finder;
    private readonly StreamSetup _setup;
    private readonly ConsumerSetup _consumer;
    private readonly SemaphoreSlim _ensuring = new(1, 1);
    private readonly ExistingStream?[] _streams = new ExistingStream?[Kinds.Length + OptionalKinds.Length];
    private volatile bool _isCurrent;

    // False while the streams are looked up again.
    private volatile bool _isFound;

    // True after the first look-up. Calls during another look-up then use what was found before.
    private volatile bool _isKnown;
    private volatile bool _hasInbox;
    private volatile bool _isInboxWanted;
    private long _ackWaitTicks;
    private string _reported = "";

    public NatsStreams(NatsLink link, NatsSettings settings, BusSettings bus, bool isClient, ILogger logger)
    {
        (_settings, _isClient, _logger) = (settings, isClient, logger);
        var resolver = new DifferenceResolver(logger);
        _wanted = new WantedStreams(settings, bus);
        _finder = new StreamFinder(link.JetStream, _wanted);
        _setup = new StreamSetup(link.JetStream, _finder, _wanted, resolver, settings.ManageStreams, logger);
        _consumer = new ConsumerSetup(link.JetStream, _finder, _wanted, resolver, settings.ManageStreams, logger);
        _ackWaitTicks = TimeSpan.FromSeconds(bus.AckWaitSeconds).Ticks;
    }

    /// <summary>The duplicate window of the stream of results, or zero until it is known.</summary>
    public TimeSpan DuplicateWindow => Find(BusStream.Results)?.Config.DuplicateWindow ?? TimeSpan.Zero;

    /// <summary>The largest message that the stream of results accepts.</summary>
    public int MaxMessageBytes => Find(BusStream.Results)?.Config.MaxMsgSize is > 0 and var size ? size : int.MaxValue;

    /// <summary>The ack wait of the consumer, which may differ from the settings.</summary>
    public TimeSpan AckWait => TimeSpan.FromTicks(Interlocked.Read(ref _ackWaitTicks));

    public string Consumer => _wanted.Consumer;

    /// <summary>True if the last look-up found everything, and no call has failed since that suggests a missing stream.</summary>
    public bool AreFound => _isFound && _isCurrent;

    /// <summary>True if the streams are known and need not be looked up before the next use.</summary>
    public bool IsEnsured => _isCurrent && _isKnown;

    /// <summary>Returns the stream that stores messages of this kind. It is known after <see cref="EnsureAsync"/>.</summary>
    public ExistingStream StreamOf(BusStream kind) =>
        Find(kind) ?? throw new NatsBusException(NatsBusFault.NotUsable, $"the stream {_wanted.NameOf(kind)} is not known yet");

    /// <summary>True if the streams of external tools and answers, and their consumer, exist.</summary>
    public bool HasInbox => _hasInbox;

    /// <summary>Makes the next use create the streams of external tools and answers.</summary>
    public void WantInbox()
    {
        if (!_isInboxWanted)
        {
            _isInboxWanted = true;
            Invalidate();
        }
    }

    /// <summary>
    /// Looks for the streams of external tools and answers, which another process may have created. Creates them if they are wanted.
    /// </summary>
    public async Task FindInboxAsync(CancellationToken cancellationToken)
    {
        foreach (var kind in OptionalKinds)
        {
            var found = await _finder.FindStoreAsync(kind, cancellationToken);
            if (found is { IsOwn: false, IsLog: false })
            {
                found = null; // reading other messages of that stream would delete them
            }
            else if (found is null && _isInboxWanted && !_isClient && _settings.ManageStreams)
            {
                found = await _setup.CreateAsync(kind, cancellationToken);
            }
            else if (found is not null && !_isClient)
            {
                found = await _setup.UpdateAsync(kind, found, cancellationToken);
            }
            Volatile.Write(ref _streams[(int)kind], found);
        }
        _hasInbox =
            Find(BusStream.ToolRequests) is not null
            && Find(BusStream.Inbox) is { } inbox
            && (_isClient || await _consumer.EnsureInboxAsync(inbox, cancellationToken) is not null);
    }

    /// <summary>Makes the next use look the streams up again.</summary>
    public void Invalidate() => (_isFound, _isCurrent) = (false, false);

    /// <summary>
    /// Handles the failure of a call. If a stream may be missing, the streams are looked up again. A permanent error is logged once.
    /// </summary>
    public void Failed(Exception exception)
    {
        if (NatsFaults.MayBeMissing(exception))
        {
            Invalidate();
        }
        if (NatsFaults.IsPermanent(exception))
        {
            Report(NatsFaults.Describe(exception));
        }
    }

    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (IsEnsured)
        {
            return;
        }
        await _ensuring.WaitAsync(cancellationToken);
        try
        {
            if (!_isCurrent)
            {
                // Is set before the look-up, so that a connection that is lost during the look-up causes another one.
                _isCurrent = true;
                await EnsureAllAsync(cancellationToken);
                (_isFound, _isKnown) = (true, true);
            }
        }
        catch (NatsNoRespondersException exception)
        {
            Invalidate();
            const string Reason =
                "JetStream does not respond: it is disabled (start nats-server with -js), or it has no leader at the moment";
            Report(Reason);
            throw new NatsBusException(NatsBusFault.Unavailable, Reason, exception);
        }
        catch
        {
            Invalidate();
            throw;
        }
        finally
        {
            _ensuring.Release();
        }
    }

    public void Dispose() => _ensuring.Dispose();

    private async Task EnsureAllAsync(CancellationToken cancellationToken)
    {
        var missing = new List<string>();
        foreach (var kind in Kinds)
        {
            var found = await _finder.FindStoreAsync(kind, cancellationToken);
            if (found is null && !_isClient && _settings.ManageStreams)
            {
                found = await _setup.CreateAsync(kind, cancellationToken);
            }
            else if (found is null)
            {
                missing.Add($"the stream {_wanted.NameOf(kind)} is missing (subjects {WantedStreams.SubjectsOf(kind)})");
            }
            else if (!_isClient)
            {
                found = await _setup.UpdateAsync(kind, found, cancellationToken);
            }
            Volatile.Write(ref _streams[(int)kind], found);
        }
        if (_isClient)
        {
            ThrowIfMissing(missing, "start the service first, which creates the streams");
            return;
        }
        await EnsureConsumerAsync(missing, cancellationToken);
        await FindInboxAsync(cancellationToken);
        ThrowIfMissing(missing, "NATS_MANAGE_STREAMS is off: create what is missing, or set it to true");
    }

    private async Task EnsureConsumerAsync(List<string> missing, CancellationToken cancellationToken)
    {
        if (Find(BusStream.Jobs) is { } jobs && await _consumer.EnsureAsync(jobs, cancellationToken) is { } config)
        {
            var ackWait = config.Backoff?.FirstOrDefault() is { Ticks: > 0 } first ? first : config.AckWait;
            Interlocked.Exchange(ref _ackWaitTicks, ackWait > TimeSpan.Zero ? ackWait.Ticks : _ackWaitTicks);
        }
        else
        {
            var stream = Find(BusStream.Jobs)?.Name ?? _wanted.NameOf(BusStream.Jobs);
            missing.Add($"the consumer {Consumer} of the stream {stream} is missing (durable, pull, explicit acknowledgement)");
        }
    }

    private static void ThrowIfMissing(List<string> missing, string hint)
    {
        if (missing.Count > 0)
        {
            throw new NatsBusException(NatsBusFault.NotUsable, $"{string.Join("; ", missing)}: {hint}");
        }
    }

    private void Report(string reason)
    {
        if (Interlocked.Exchange(ref _reported, reason) != reason)
        {
            Log.Unusable(_logger, reason);
        }
    }

    private ExistingStream? Find(BusStream kind) => Volatile.Read(ref _streams[(int)kind]);
}
