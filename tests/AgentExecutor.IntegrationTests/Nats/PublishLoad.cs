using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.IntegrationTests.Nats;

/// <summary>
/// Publishes numbers until each is acknowledged, and reads until each was delivered.
/// </summary>
internal sealed class PublishLoad(IEventBus bus, TimeSpan patience)
{
    private const int Publishers = 20;

    private readonly ConcurrentDictionary<int, bool> _delivered = [];
    private int _acknowledged;
    private int _count;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    public async Task RunAsync(int count, CancellationToken cancellationToken)
    {
        _count = count;
        await Task.WhenAll(
            Enumerable
                .Range(0, Publishers)
                .Select(async publisher =>
                {
                    await Task.Yield();
                    for (var number = publisher; number < count; number += Publishers)
                    {
                        await PublishAsync(number, cancellationToken);
                        Interlocked.Increment(ref _acknowledged);
                    }
                })
        );
    }

    /// <summary>Returns when every number was delivered.</summary>
    public async Task ReadAsync(CancellationToken cancellationToken)
    {
        while (_delivered.Count < _count)
        {
            try
            {
                var jobs = await bus.FetchAsync(100, TimeSpan.FromSeconds(5), cancellationToken);
                foreach (var job in jobs)
                {
                    _delivered[int.Parse(Encoding.UTF8.GetString(job.Message.Body.Span), CultureInfo.InvariantCulture)] = true;
                }
                await bus.AckAsync(jobs, cancellationToken);
            }
            catch (FaultException fault) when (fault.IsTransient)
            {
                await Task.Delay(50, cancellationToken);
            }
        }
    }

    private async Task PublishAsync(int number, CancellationToken cancellationToken)
    {
        var id = string.Create(CultureInfo.InvariantCulture, $"{number}");
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                await bus.PublishAsync([new BusMessage("agent.execute.load", Encoding.UTF8.GetBytes(id)) { Id = id }], cancellationToken);
                return;
            }
            catch (FaultException fault) when (fault.IsTransient && TimeProvider.System.GetElapsedTime(start) < patience)
            {
                await Task.Delay(20, cancellationToken);
            }
        }
    }
}
