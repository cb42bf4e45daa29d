using System.Globalization;
using AgentExecutor.Adapters.Nats.Protocol;
using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Adapters.Nats;

/// <summary>
/// Sees that the streams and the consumer are there and as they should be: at the first use, after each new connection, and when one is found missing.
/// Where it may not manage them it says what is wrong. A client, such as a command, changes nothing: its settings need not be the service's.
/// </summary>
internal sealed class NatsStreams(JetStream jetStream, NatsSettings settings, BusSettings bus, bool isClient, ILogger logger) : IDisposable
{
    private const string Results = "AGENT_RESULTS";
    private const string DeadLetters = "AGENT_DEAD_LETTERS";
    private const string Unmanaged = "NATS_MANAGE_STREAMS is off, so it stays as it is";

    /// <summary>Jobs in the hands of all workers together; each holds no more than its slots.</summary>
    private const int MaxAckPending = 100_000;

    private readonly SemaphoreSlim _ensuring = new(1, 1);
    private volatile bool _isSure;
    private readonly Dictionary<string, string> _complained = []; // by the name of a stream or consumer; used by who ensures alone
    private string _told = "";

    /// <summary>That of the results; none until it is known.</summary>
    public TimeSpan DuplicateWindow { get; private set; }

    /// <summary>The largest message that the stream of results takes.</summary>
    public int MaxMessageBytes { get; private set; } = int.MaxValue;

    public string Consumer => settings.ConsumerGroup;

    public string NameOf(BusStream stream) => stream switch
    {
        BusStream.Jobs => settings.StreamName,
        BusStream.Results => Results,
        _ => DeadLetters,
    };

    /// <summary>Looks again before the next use.</summary>
    public void Doubt() => _isSure = false;

    /// <summary>A use failed: where something may be missing, it is looked for again; what is not an outage is said once.</summary>
    public void Failed(NatsException exception)
    {
        if (exception.Fault is NatsFault.ConsumerGone or NatsFault.NoResponders or NatsFault.JetStream)
        {
            Doubt();
        }
        if (!exception.IsTransient && exception.Fault is not (NatsFault.Closed or NatsFault.PayloadTooLarge or NatsFault.InvalidArgument))
        {
            Tell(exception.Message);
        }
    }

    public async Task EnsureAsync(CancellationToken cancellationToken)
    {
        if (_isSure)
        {
            return;
        }
        await _ensuring.WaitAsync(cancellationToken);
        try
        {
            if (!_isSure)
            {
                await jetStream.ConnectAsync(cancellationToken);
                _isSure = true; // before the look: what is lost meanwhile is doubted again
                await EnsureAllAsync(cancellationToken);
            }
        }
        catch (NatsException exception) when (exception.Fault == NatsFault.NoResponders)
        {
            Doubt();
            var reason = "no JetStream answers: the server runs without it (start nats-server with -js), or it has no leader now";
            Tell(reason);
            throw new NatsException(NatsFault.NoResponders, reason, exception);
        }
        catch
        {
            Doubt();
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
        foreach (var config in (StreamConfig[])[Jobs(), ResultsConfig(), DeadLettersConfig()])
        {
            await (isClient ? RequireAsync(config.Name, cancellationToken) : EnsureAsync(config, cancellationToken));
        }
        if (!isClient)
        {
            await EnsureConsumerAsync(cancellationToken);
        }
    }

    private async Task RequireAsync(string stream, CancellationToken cancellationToken)
    {
        var found = await jetStream.FindStreamAsync(stream, cancellationToken)
            ?? throw new NatsException(NatsFault.InvalidSettings, $"the stream {stream} is missing: start the service first, which makes it");
        Learn(found.Config);
    }

    private async Task EnsureAsync(StreamConfig wanted, CancellationToken cancellationToken)
    {
        var found = (await jetStream.FindStreamAsync(wanted.Name, cancellationToken))?.Config;
        if (found is null)
        {
            Require($"the stream {wanted.Name} is missing");
            found = (await jetStream.CreateStreamAsync(wanted, cancellationToken)).Config;
            Log.StreamMade(logger, wanted.Name);
        }
        else if (Difference(found, wanted) is { Length: > 0 } difference)
        {
            found = await UpdateAsync(found, wanted, difference, cancellationToken);
        }
        Learn(found);
    }

    private void Learn(StreamConfig stream)
    {
        if (stream.Name == Results)
        {
            DuplicateWindow = stream.DuplicateWindow ?? TimeSpan.Zero;
            MaxMessageBytes = stream.MaxMsgSize > 0 ? stream.MaxMsgSize : int.MaxValue;
        }
    }

    private async Task<StreamConfig> UpdateAsync(StreamConfig found, StreamConfig wanted, string difference, CancellationToken cancellationToken)
    {
        if (!settings.ManageStreams)
        {
            Complain(wanted.Name, difference, Unmanaged);
            return found;
        }
        if (found.Retention != wanted.Retention || found.Storage != wanted.Storage)
        {
            Complain(wanted.Name, difference, "NATS cannot change its retention and storage: delete it, and it is made anew");
            return found;
        }
        var merged = found with
        {
            Subjects = wanted.Subjects,
            Discard = wanted.Discard,
            MaxAge = wanted.MaxAge,
            DuplicateWindow = wanted.DuplicateWindow,
            Replicas = wanted.Replicas,
        };
        var updated = await jetStream.UpdateStreamAsync(merged, cancellationToken);
        Log.StreamUpdated(logger, wanted.Name, difference);
        return updated.Config;
    }

    private async Task EnsureConsumerAsync(CancellationToken cancellationToken)
    {
        var wanted = new ConsumerConfig
        {
            DurableName = Consumer,
            AckPolicy = AckPolicy.Explicit,
            DeliverPolicy = DeliverPolicy.All,
            AckWait = TimeSpan.FromSeconds(bus.AckWaitSeconds),
            MaxAckPending = MaxAckPending,
        };
        var found = (await jetStream.FindConsumerAsync(settings.StreamName, Consumer, cancellationToken))?.Config;
        var merged = wanted;
        if (found is null)
        {
            Require($"the consumer {Consumer} of the stream {settings.StreamName} is missing");
        }
        else
        {
            merged = found with { AckWait = wanted.AckWait, MaxAckPending = wanted.MaxAckPending, MaxDeliver = wanted.MaxDeliver };
            var difference = Difference(found, wanted);
            if (difference.Length == 0)
            {
                return;
            }
            if (!settings.ManageStreams || found.AckPolicy != wanted.AckPolicy)
            {
                Complain($"{settings.StreamName}.{Consumer}", difference, settings.ManageStreams ? "NATS cannot change its acknowledgement: delete it, and it is made anew" : Unmanaged);
                return;
            }
        }
        await jetStream.CreateConsumerAsync(settings.StreamName, merged, cancellationToken);
        Log.ConsumerMade(logger, Consumer, settings.StreamName);
    }

    /// <summary>It is looked for after each new connection; the same is said once.</summary>
    private void Complain(string name, string difference, string why)
    {
        if (_complained.GetValueOrDefault(name) != difference)
        {
            _complained[name] = difference;
            Log.Differs(logger, name, difference, why);
        }
    }

    private void Tell(string reason)
    {
        if (Interlocked.Exchange(ref _told, reason) != reason)
        {
            Log.Unusable(logger, reason);
        }
    }

    private void Require(string what)
    {
        if (!settings.ManageStreams)
        {
            throw new NatsException(NatsFault.InvalidSettings, $"{what}, and NATS_MANAGE_STREAMS is off: make it, or turn that on");
        }
    }

    /// <summary>What we rely on; anything else about a stream is its owner's.</summary>
    private static string Difference(StreamConfig found, StreamConfig wanted) => Differences(
        ("subjects", string.Join(' ', found.Subjects ?? []), string.Join(' ', wanted.Subjects!)),
        ("retention", found.Retention, wanted.Retention),
        ("storage", found.Storage, wanted.Storage),
        ("discard", found.Discard, wanted.Discard),
        ("max age", found.MaxAge, wanted.MaxAge),
        ("duplicate window", found.DuplicateWindow ?? TimeSpan.Zero, wanted.DuplicateWindow!.Value),
        ("replicas", found.Replicas, wanted.Replicas));

    private static string Difference(ConsumerConfig found, ConsumerConfig wanted) => Differences(
        ("acknowledgement", found.AckPolicy, wanted.AckPolicy),
        ("ack wait", found.AckWait ?? TimeSpan.Zero, wanted.AckWait!.Value),
        ("max ack pending", found.MaxAckPending ?? 0, wanted.MaxAckPending!.Value),
        ("max deliver", found.MaxDeliver, wanted.MaxDeliver));

    private static string Differences(params IEnumerable<(string What, object Has, object Wants)> all) => string.Join(
        ", ",
        all.Where(static it => !it.Has.Equals(it.Wants))
            .Select(static it => string.Create(CultureInfo.InvariantCulture, $"{it.What} is {it.Has}, not {it.Wants}")));

    private StreamConfig Jobs() => Config(BusStream.Jobs, bus.JobHours);

    private StreamConfig ResultsConfig() => Config(BusStream.Results, bus.ResultHours);

    private StreamConfig DeadLettersConfig() => Config(BusStream.DeadLetters, bus.DeadLetterHours);

    private StreamConfig Config(BusStream stream, double hours) => new()
    {
        Name = NameOf(stream),
        Subjects = [$"{BusSubjects.PrefixOf(stream)}*"],
        Retention = StreamRetention.Limits,
        Storage = StreamStorage.File,
        Discard = StreamDiscard.Old,
        MaxAge = TimeSpan.FromHours(hours),
        DuplicateWindow = TimeSpan.FromMinutes(Math.Min(bus.DuplicateMinutes, hours * 60)),
        Replicas = settings.Replicas,
    };
}
