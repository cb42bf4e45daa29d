using AgentExecutor.Core.Messaging;
using Xunit;

namespace AgentExecutor.Conformance.Messaging;

/// <content>The inbox, and the calls of external tools.</content>
public abstract partial class EventBusContract
{
    [Fact]
    public async Task Answers_and_results_are_delivered_from_the_inbox_and_not_as_jobs()
    {
        await Bus.OpenInboxAsync(Cancel);
        await Bus.PublishAsync(
            [
                new BusMessage("agent.resume.people", "1"u8.ToArray()),
                new BusMessage("agent.tool.results", "2"u8.ToArray()),
                new BusMessage("agent.tool.requests.pay", "3"u8.ToArray()),
            ],
            Cancel
        );
        await PublishAsync("job");

        var delivered = new List<IDelivery>();
        while (delivered.Count < 2)
        {
            var some = await Bus.FetchInboxAsync(10, Limit, Cancel);
            Assert.NotEmpty(some);
            delivered.AddRange(some);
        }

        Assert.Equal(["agent.resume.people", "agent.tool.results"], delivered.Select(it => it.Message.Subject).Order());
        Assert.All(delivered, it => Assert.Equal(BusStream.Inbox, it.Message.Stream));
        Assert.Equal(BusStream.Jobs, (await FetchOneAsync()).Message.Stream);
        Assert.Equal(["agent.tool.requests.pay"], (await ReadAsync(BusStream.ToolRequests)).Select(it => it.Subject));
    }

    [Fact]
    public async Task An_answer_is_delivered_until_it_is_acknowledged()
    {
        await Bus.OpenInboxAsync(Cancel);
        await Bus.PublishAsync([new BusMessage("agent.resume.people", "1"u8.ToArray())], Cancel);
        var first = Assert.Single(await Bus.FetchInboxAsync(10, Limit, Cancel));
        await first.NakAsync(TimeSpan.Zero, Cancel);

        var second = Assert.Single(await Bus.FetchInboxAsync(10, Limit, Cancel));
        await second.AckAsync(Cancel);

        Assert.Equal((1, 2), (first.Attempt, second.Attempt));
        Assert.Empty(await Bus.FetchInboxAsync(10, TimeSpan.FromSeconds(2.5), Cancel));
    }
}
