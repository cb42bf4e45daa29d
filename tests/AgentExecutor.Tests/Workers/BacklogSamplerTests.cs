using AgentExecutor.Core.Queues;
using AgentExecutor.Core.Workers;

namespace AgentExecutor.Tests.Workers;

public sealed class BacklogSamplerTests
{
    [Fact]
    public async Task A_failed_measurement_does_not_end_the_sampling()
    {
        var sampler = new BacklogSampler(new BrokenBacklog(), TimeProvider.System);

        Assert.False(await sampler.SampleAsync(TestContext.Current.CancellationToken));
    }

    private sealed class BrokenBacklog : IBacklog
    {
        public ValueTask<Backlog> MeasureAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("broken");
    }
}
