using System.Text;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Runs;

namespace AgentExecutor.Tests.Jobs;

public sealed class DeadLettersTests : IAsyncDisposable
{
    private readonly JobService _service = new();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_letter_is_sent_again_as_it_came()
    {
        await _service.Bus.PublishAsync(
            [new BusMessage("agent.execute.mine", "not json"u8.ToArray()) { Headers = [KeyValuePair.Create("Content-Type", "text/plain"), KeyValuePair.Create("X-A", "1"), KeyValuePair.Create("X-A", "2")] }],
            JobService.Cancel);
        var delivery = Assert.Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel));
        await _service.DeadLetters.PutAsync(delivery, "invalid_event", "line one\nline two \ud83d", JobService.Cancel);
        await _service.DeadLetters.PutAsync(delivery, "invalid_event", "again", JobService.Cancel); // the worker died before it terminated the message
        await delivery.TermAsync("", JobService.Cancel);
        var letter = Assert.Single(await _service.DeadLetters.ListAsync(0, 10, JobService.Cancel));
        Assert.StartsWith("line one line two", letter.Header(DeadLetters.Reason), StringComparison.Ordinal);

        await _service.DeadLetters.RedriveAsync(letter.Sequence, JobService.Cancel);

        Assert.Empty(await _service.DeadLetters.ListAsync(0, 10, JobService.Cancel));
        var again = Assert.Single(await _service.Bus.FetchAsync(5, TimeSpan.Zero, JobService.Cancel)).Message;
        Assert.Equal(("agent.execute.mine", "not json"), (again.Subject, Encoding.UTF8.GetString(again.Body.Span)));
        Assert.Equal(["Content-Type text/plain", "X-A 1", "X-A 2", $"{DeadLetters.Redriven} 1"], again.Headers.Select(header => $"{header.Key} {header.Value}"));
    }

    [Fact]
    public async Task A_number_without_a_letter_is_a_fault()
    {
        foreach (var act in (Func<Task>[])
            [
                async () => await _service.DeadLetters.FindAsync(7, JobService.Cancel),
                async () => await _service.DeadLetters.RedriveAsync(7, JobService.Cancel),
                async () => await _service.DeadLetters.DropAsync(7, JobService.Cancel),
            ])
        {
            var fault = await Assert.ThrowsAsync<FaultException>(act);
            Assert.Equal(FaultCodes.UnknownMessage, fault.Code);
            Assert.Contains("dead-letters list", fault.Hint, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_failed_job_that_is_sent_again_begins_again_also_where_a_worker_died_of_it_at_once(int delivery)
    {
        const string Job = """[{"when": {}, "error": {"class": "authentication", "message": "no key"}}]""";
        var worker = _service.StartWorker();
        await _service.SendAsync(JobService.Job("a", Job));
        await _service.HasSettledAsync(1);
        await _service.StopAsync(worker);
        Assert.Equal(RunStatus.Failed, await _service.StatusAsync("a"));
        await _service.Bus.PublishAsync(
            [new BusMessage("agent.execute.x", Encoding.UTF8.GetBytes(JobService.Job("a", Job))) { Headers = [KeyValuePair.Create(DeadLetters.Redriven, "1")] }], JobService.Cancel);
        for (var i = 1; i < delivery; i++)
        {
            await Assert.Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel)).NakAsync(TimeSpan.Zero, JobService.Cancel);
        }

        _service.StartWorker();
        await _service.HasResultsAsync(2);

        await _service.HasSettledAsync(2);
        Assert.Equal(["failed", "failed"], (await _service.ResultsAsync()).Select(it => it.Status)); // its key is wrong still
    }

    [Fact]
    public async Task A_redriven_job_that_failed_again_is_left_so_when_its_message_comes_once_more()
    {
        const string Job = """[{"when": {}, "error": {"class": "authentication", "message": "no key"}}]""";
        await _service.Bus.PublishAsync(
            [new BusMessage("agent.execute.x", Encoding.UTF8.GetBytes(JobService.Job("a", Job))) { Headers = [KeyValuePair.Create(DeadLetters.Redriven, "1")] }], JobService.Cancel);
        await Assert.Single(await _service.Bus.FetchAsync(1, TimeSpan.Zero, JobService.Cancel)).NakAsync(TimeSpan.FromSeconds(20), JobService.Cancel);
        _service.StartWorker();
        await _service.AdmitAsync(JobService.Job("a", Job)); // fails after the message was sent, before it is delivered again

        await _service.HasSettledAsync(1);

        Assert.Equal(1, (await _service.Store.FindAsync("a", JobService.Cancel))!.Attempt);
        Assert.Single(await _service.ResultsAsync());
    }
}
