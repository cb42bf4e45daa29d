using AgentExecutor.Core.Messaging;
using Microsoft.Extensions.Logging;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Creates a consumer that all workers share, or updates it.</summary>
internal sealed class ConsumerSetup(
    NatsJSContext jetStream,
    StreamFinder finder,
    WantedStreams wanted,
    DifferenceResolver resolver,
    bool managesStreams,
    ILogger logger
)
{
    private readonly ConfigurationUpdate _update = new(jetStream.Connection);

    /// <summary>Returns the configuration of the consumer, or null if it does not exist and must not be created.</summary>
    /// <exception cref="NatsBusException">The consumer is a push consumer.</exception>
    public Task<ConsumerConfig?> EnsureAsync(ExistingStream jobs, CancellationToken cancellationToken) =>
        EnsureAsync(jobs, wanted.Consumer, wanted.ConsumerOf(jobs), BusStream.Jobs, cancellationToken);

    /// <inheritdoc cref="EnsureAsync(ExistingStream, CancellationToken)"/>
    public Task<ConsumerConfig?> EnsureInboxAsync(ExistingStream inbox, CancellationToken cancellationToken) =>
        EnsureAsync(inbox, WantedStreams.InboxConsumer, wanted.ConsumerOfInbox(), BusStream.Inbox, cancellationToken);

    private async Task<ConsumerConfig?> EnsureAsync(
        ExistingStream stream,
        string consumer,
        ConsumerConfig config,
        BusStream kind,
        CancellationToken cancellationToken
    )
    {
        var name = $"{stream.Name}.{consumer}";
        var found = await finder.FindConsumerAsync(stream.Name, consumer, cancellationToken);
        if (found is null)
        {
            return managesStreams ? await CreateAsync(stream.Name, consumer, config, cancellationToken) : null;
        }
        if (found.DeliverSubject is { Length: > 0 })
        {
            throw new NatsBusException(
                NatsBusFault.NotUsable,
                $"the consumer {name} is a push consumer, but workers need a pull consumer: "
                    + "delete it, or set NATS_CONSUMER_GROUP to another name"
            );
        }
        var differences = ConsumerComparison.Of(name, found, config, WantedStreams.SubjectsOf(kind));
        if (!managesStreams)
        {
            resolver.Warn(name, differences, StreamSetup.Unmanaged);
            return found;
        }
        var isChanged = await resolver.ApplyAsync(
            name,
            differences,
            changes => _update.ApplyToConsumerAsync(stream.Name, consumer, changes, cancellationToken),
            _ => Log.ConsumerUpdated(logger, consumer, stream.Name)
        );
        return isChanged ? await finder.FindConsumerAsync(stream.Name, consumer, cancellationToken) ?? found : found;
    }

    private async Task<ConsumerConfig> CreateAsync(
        string stream,
        string consumer,
        ConsumerConfig config,
        CancellationToken cancellationToken
    )
    {
        var created = await jetStream.CreateOrUpdateConsumerAsync(stream, config, cancellationToken);
        Log.ConsumerUpdated(logger, consumer, stream);
        return created.Info.Config;
    }
}
