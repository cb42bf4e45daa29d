using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using AgentExecutor.Adapters.Nats.Protocol;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>Publishes numbers, again and again until each is acknowledged, and reads until each has come: as a careful pair of programs would.</summary>
internal sealed class PublishLoad(JetStream stream, string subject, TimeSpan patience)
{
    private const int Publishers = 20;

    private readonly ConcurrentDictionary<int, bool> _delivered = [];
    private int _acknowledged;
    private int _count;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    public async Task RunAsync(int count, CancellationToken cancellationToken)
    {
        _count = count;
        await Task.WhenAll(Enumerable.Range(0, Publishers).Select(async publisher =>
        {
            await Task.Yield();
            for (var number = publisher; number < count; number += Publishers)
            {
                await PublishAsync(number, cancellationToken);
                Interlocked.Increment(ref _acknowledged);
            }
        }));
    }

    /// <summary>Returns when every number has come and every delivery is confirmed as settled.</summary>
    public async Task ReadAsync(JetStreamPuller puller, CancellationToken cancellationToken)
    {
        while (_delivered.Count < _count)
        {
            try
            {
                if (puller.Outstanding < 50)
                {
                    await puller.RequestAsync(100, TimeSpan.FromSeconds(5), TimeSpan.FromSeconds(1), noWait: false, null, cancellationToken);
                }
                foreach (var message in await puller.ReadBatchAsync(100, cancellationToken))
                {
                    _delivered[int.Parse(Encoding.UTF8.GetString(message.Payload.Span), CultureInfo.InvariantCulture)] = true;
                    await message.AckAsync(cancellationToken);
                }
            }
            catch (NatsException fault) when (fault.IsTransient)
            {
                await Task.Delay(50, cancellationToken);
            }
        }
    }

    private async Task PublishAsync(int number, CancellationToken cancellationToken)
    {
        var expectations = new PublishExpectations { MsgId = string.Create(CultureInfo.InvariantCulture, $"{number}") };
        for (var start = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                await stream.PublishAsync(subject, Encoding.UTF8.GetBytes(expectations.MsgId), null, expectations, cancellationToken);
                return;
            }
            catch (NatsException fault) when (fault.IsTransient && TimeProvider.System.GetElapsedTime(start) < patience)
            {
                await Task.Delay(20, cancellationToken);
            }
        }
    }
}
