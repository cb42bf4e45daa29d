using Microsoft.Extensions.Logging;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.Adapters.Nats;

/// <summary>Creates the consumer that all workers share, or updates it.</summary>
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
    public async Task<ConsumerConfig?> EnsureAsync(ExistingStream jobs, CancellationToken cancellationToken)
    {
        var config = wanted.ConsumerOf(jobs);
        var name = $"{jobs.Name}.{wanted.Consumer}";
        var found = await finder.FindConsumerAsync(jobs.Name, wanted.Consumer, cancellationToken);
        if (found is null)
        {
            return managesStreams ? await CreateAsync(jobs.Name, config, cancellationToken) : null;
        }
        if (found.DeliverSubject is { Length: > 0 })
        {
            throw new NatsBusException(
                NatsBusFault.NotUsable,
                $"the consumer {name} is a push consumer, but workers need a pull consumer: "
                    + "delete it, or set NATS_CONSUMER_GROUP to another name"
            );
        }
        var differences = ConsumerComparison.Of(name, found, config);
        if (!managesStreams)
        {
            resolver.Warn(name, differences, StreamSetup.Unmanaged);
            return found;
        }
        var isChanged = await resolver.ApplyAsync(
            name,
            differences,
            changes => _update.ApplyToConsumerAsync(jobs.Name, wanted.Consumer, changes, cancellationToken),
            _ => Log.ConsumerUpdated(logger, wanted.Consumer, jobs.Name)
        );
        return isChanged ? await finder.FindConsumerAsync(jobs.Name, wanted.Consumer, cancellationToken) ?? found : found;
    }

    private async Task<ConsumerConfig> CreateAsync(string stream, ConsumerConfig config, CancellationToken cancellationToken)
    {
        var created = await jetStream.CreateOrUpdateConsumerAsync(stream, config, cancellationToken);
        Log.ConsumerUpdated(logger, wanted.Consumer, stream);
        return created.Info.Config;
    }
}
