using NATS.Client.Core;
using NATS.Client.JetStream;
using NATS.Client.JetStream.Models;

namespace AgentExecutor.IntegrationTests.Servers;

/// <summary>Reads and changes the streams and consumers of a server, as an operator does.</summary>
public sealed class JetStreamAdmin : IAsyncDisposable
{
    private const int ConsumerNotFound = 10014;
    private const int StreamNotFound = 10059;

    public JetStreamAdmin(NatsServer server)
    {
        Connection = new NatsConnection(NatsOpts.Default with { Url = server.Url, RequestReplyMode = NatsRequestReplyMode.Direct });
        Context = new NatsJSContext(Connection);
    }

    public NatsConnection Connection { get; }

    public NatsJSContext Context { get; }

    public async Task<StreamInfo> CreateStreamAsync(StreamConfig config, CancellationToken cancellationToken) =>
        (await Context.CreateStreamAsync(config, cancellationToken)).Info;

    public async Task<StreamInfo> UpdateStreamAsync(StreamConfig config, CancellationToken cancellationToken) =>
        (await Context.UpdateStreamAsync(config, cancellationToken)).Info;

    /// <summary>The stream, or null if it is missing.</summary>
    public async Task<StreamInfo?> FindStreamAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return (await Context.GetStreamAsync(name, cancellationToken: cancellationToken)).Info;
        }
        catch (NatsJSApiException refusal) when (refusal.Error.ErrCode == StreamNotFound)
        {
            return null;
        }
    }

    public async Task PurgeStreamAsync(string name, CancellationToken cancellationToken) =>
        await Context.PurgeStreamAsync(name, new StreamPurgeRequest(), cancellationToken);

    public async Task<ConsumerInfo> CreateConsumerAsync(string stream, ConsumerConfig config, CancellationToken cancellationToken) =>
        (await Context.CreateOrUpdateConsumerAsync(stream, config with { Name = config.DurableName }, cancellationToken)).Info;

    /// <summary>The consumer, or null if it or its stream is missing.</summary>
    public async Task<ConsumerInfo?> FindConsumerAsync(string stream, string name, CancellationToken cancellationToken)
    {
        try
        {
            return (await Context.GetConsumerAsync(stream, name, cancellationToken)).Info;
        }
        catch (NatsJSApiException refusal) when (refusal.Error.ErrCode is ConsumerNotFound or StreamNotFound)
        {
            return null;
        }
    }

    public async Task DeleteConsumerAsync(string stream, string name, CancellationToken cancellationToken)
    {
        try
        {
            await Context.DeleteConsumerAsync(stream, name, cancellationToken);
        }
        catch (NatsJSApiException refusal) when (refusal.Error.Code == 500)
        {
            // Server 2.9 deletes the consumer, but reports an error if it is writing the consumer's state to disk at that moment.
        }
    }

    public ValueTask DisposeAsync() => Connection.DisposeAsync();
}
