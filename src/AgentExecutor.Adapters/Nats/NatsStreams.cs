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

    /// <summary>Jobs in the hands of all workers together; each holds no more than its slots.</summary>
    private const int MaxAckPending = 100_000;

    private readonly SemaphoreSlim _ensuring = new(1, 1);
    private volatile bool _isSure;
    private string _told = "";

    public TimeSpan DuplicateWindow { get; private set; } = TimeSpan.FromMinutes(bus.DuplicateMinutes);

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
        if (!exception.IsTransient && exception.Fault != NatsFault.Closed && Interlocked.Exchange(ref _told, exception.Message) != exception.Message)
        {
            Log.Unusable(logger, exception.Message);
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
                foreach (var config in (StreamConfig[])[Jobs(), ResultsConfig(), DeadLettersConfig()])
                {
                    await (isClient ? RequireAsync(config.Name, cancellationToken) : EnsureAsync(config, cancellationToken));
                }
                if (!isClient)
                {
                    await EnsureConsumerAsync(cancellationToken);
                }
            }
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

    private async Task RequireAsync(string stream, CancellationToken cancellationToken) => _ = await jetStream.FindStreamAsync(stream, cancellationToken)
        ?? throw new NatsException(NatsFault.InvalidSettings, $"the stream {stream} is missing: start the service first, which makes it");

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
        if (wanted.Name == Results)
        {
            DuplicateWindow = found.DuplicateWindow ?? DuplicateWindow;
        }
    }

    private async Task<StreamConfig> UpdateAsync(StreamConfig found, StreamConfig wanted, string difference, CancellationToken cancellationToken)
    {
        if (!settings.ManageStreams)
        {
            Log.StreamDiffers(logger, wanted.Name, difference, "NATS_MANAGE_STREAMS is off, so it stays as it is");
            return found;
        }
        if (found.Retention != wanted.Retention || found.Storage != wanted.Storage)
        {
            Log.StreamDiffers(logger, wanted.Name, difference, "NATS cannot change that: delete the stream, or name another");
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
        if (found is not null && found.AckWait == wanted.AckWait && found.MaxAckPending == wanted.MaxAckPending && found.MaxDeliver == wanted.MaxDeliver
            && found.AckPolicy == wanted.AckPolicy)
        {
            return;
        }
        if (found is null)
        {
            Require($"the consumer {Consumer} of the stream {settings.StreamName} is missing");
        }
        else if (!settings.ManageStreams)
        {
            Log.ConsumerDiffers(logger, Consumer, settings.StreamName);
            return;
        }
        var merged = found is null ? wanted : found with { AckWait = wanted.AckWait, MaxAckPending = wanted.MaxAckPending, MaxDeliver = wanted.MaxDeliver };
        await jetStream.CreateConsumerAsync(settings.StreamName, merged, cancellationToken);
        Log.ConsumerMade(logger, Consumer, settings.StreamName);
    }

    private void Require(string what)
    {
        if (!settings.ManageStreams)
        {
            throw new NatsException(NatsFault.InvalidSettings, $"{what}, and NATS_MANAGE_STREAMS is off: make it, or turn that on");
        }
    }

    /// <summary>What we rely on; anything else about a stream is its owner's.</summary>
    private static string Difference(StreamConfig found, StreamConfig wanted)
    {
        var differences = new List<string>();
        Compare("subjects", string.Join(' ', found.Subjects ?? []), string.Join(' ', wanted.Subjects!));
        Compare("retention", found.Retention, wanted.Retention);
        Compare("storage", found.Storage, wanted.Storage);
        Compare("discard", found.Discard, wanted.Discard);
        Compare("max age", found.MaxAge, wanted.MaxAge);
        Compare("duplicate window", found.DuplicateWindow ?? TimeSpan.Zero, wanted.DuplicateWindow!.Value);
        Compare("replicas", found.Replicas, wanted.Replicas);
        return string.Join(", ", differences);

        void Compare<T>(string what, T has, T wants)
        {
            if (!EqualityComparer<T>.Default.Equals(has, wants))
            {
                differences.Add(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{what} is {has}, not {wants}"));
            }
        }
    }

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
