using AgentExecutor.Core.Messaging;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Finds existing streams and consumers.</summary>
internal sealed class StreamFinder(NatsJSContext jetStream, WantedStreams wanted)
{
    /// <summary>
    /// Returns the stream with the name that the service uses or, if it does not have the subjects, the stream that has them, because NATS
    /// accepts no second stream with the same subject. Returns null if there is neither.
    /// </summary>
    public async Task<ExistingStream?> FindStoreAsync(BusStream kind, CancellationToken cancellationToken)
    {
        var (name, subject) = (wanted.NameOf(kind), WantedStreams.SubjectsOf(kind));
        var own = await FindAsync(name, cancellationToken);
        if (own is not null && SubjectPattern.AnyCovers(own.Subjects, subject))
        {
            return new ExistingStream(own, IsOwn: true);
        }
        var others = new List<StreamConfig>();
        foreach (var other in await NamesAsync(subject, cancellationToken))
        {
            if (other != name && await FindAsync(other, cancellationToken) is { } found)
            {
                others.Add(found);
            }
        }
        var store =
            others.Find(other => SubjectPattern.AnyCovers(other.Subjects, subject))
            ?? others.Find(other => SubjectPattern.AnyCovers(other.Subjects, $"{BusSubjects.Results}completed"))
            ?? (own is null ? others.FirstOrDefault() : null);
        return store is not null ? new ExistingStream(store, IsOwn: false)
            : own is not null ? new ExistingStream(own, IsOwn: true)
            : null;
    }

    /// <summary>Returns null if there is no stream with this name.</summary>
    public async Task<StreamConfig?> FindAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return (await jetStream.GetStreamAsync(name, cancellationToken: cancellationToken)).Info.Config;
        }
        catch (NatsJSApiException refusal) when (refusal.Error.ErrCode == NatsFaults.StreamNotFound)
        {
            return null;
        }
    }

    /// <summary>Returns null if the stream has no consumer with this name.</summary>
    public async Task<ConsumerConfig?> FindConsumerAsync(string stream, string name, CancellationToken cancellationToken)
    {
        try
        {
            return (await jetStream.GetConsumerAsync(stream, name, cancellationToken)).Info.Config;
        }
        catch (NatsJSApiException refusal) when (refusal.Error.ErrCode == NatsFaults.ConsumerNotFound)
        {
            return null;
        }
    }

    /// <summary>Returns the names of the streams whose subjects overlap with this one, which may contain wildcards.</summary>
    public async Task<IReadOnlyList<string>> NamesAsync(string subject, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        await foreach (var name in jetStream.ListStreamNamesAsync(subject, cancellationToken))
        {
            names.Add(name);
        }
        // The listing ends without an exception when it is cancelled.
        cancellationToken.ThrowIfCancellationRequested();
        return names;
    }
}
