using System.Text;
using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;

namespace AgentExecutor.Tests.Jobs;

/// <summary>Reads the questions and tool calls of a <see cref="JobService"/>, and sends answers by message.</summary>
internal static class WaitingService
{
    /// <summary>Returns the questions in the events <c>interrupted</c>, in order.</summary>
    public static async Task<List<(string EventId, JsonElement Data)>> QuestionsAsync(this JobService service, int count)
    {
        List<(string, JsonElement)> found = [];
        await Eventually.True(async () =>
        {
            found =
            [
                .. (await service.ReadAsync(BusStream.Results))
                    .Where(message => message.Subject == "agent.status.interrupted")
                    .Select(message => JsonElement.Parse(message.Body.Span))
                    .Select(json => (json.TextProperty("id")!, json.GetProperty("data"))),
            ];
            return found.Count >= count;
        });
        return found;
    }

    /// <summary>Returns the only question of the first event.</summary>
    public static async Task<JsonElement> QuestionAsync(this JobService service) =>
        Assert.Single((await service.QuestionsAsync(1))[0].Data.GetProperty("interrupts").EnumerateArray());

    /// <summary>Returns the messages that request tool calls, as whole events.</summary>
    public static async Task<List<JsonElement>> RequestsAsync(this JobService service, int count)
    {
        List<JsonElement> found = [];
        await Eventually.True(async () =>
        {
            found = [.. (await service.ReadAsync(BusStream.ToolRequests)).Select(message => JsonElement.Parse(message.Body.Span))];
            return found.Count >= count;
        });
        return found;
    }

    public static ValueTask SendEventAsync(this JobService service, string subject, string type, string data) =>
        service.SendRawAsync(
            subject,
            $$"""{"specversion": "1.0", "id": "{{Guid.NewGuid()}}", "source": "test", "type": "{{type}}", "data": {{data}}}"""
        );

    public static ValueTask SendRawAsync(this JobService service, string subject, string body) =>
        service.Bus.PublishAsync([new BusMessage(subject, Encoding.UTF8.GetBytes(body))], JobService.Cancel);

    /// <summary>Waits for dead letters, and returns their codes.</summary>
    public static async Task<List<string?>> DeadLetterCodesAsync(this JobService service, int count)
    {
        await Eventually.True(async () => (await service.ReadAsync(BusStream.DeadLetters)).Count >= count);
        return [.. (await service.ReadAsync(BusStream.DeadLetters)).Select(message => message.Header("Dead-Letter-Code"))];
    }

    /// <summary>Waits for the result of the job, and returns its output.</summary>
    public static async Task<string?> OutputAsync(this JobService service, string job)
    {
        string? output = null;
        await Eventually.True(async () =>
        {
            var result = (await service.ResultsAsync()).FirstOrDefault(it => it.Job == job && it.Status is "completed" or "failed");
            output = result.Status switch
            {
                "completed" => result.Data.GetProperty("result").TextProperty("output"),
                "failed" => $"failed: {result.Data.GetProperty("error").TextProperty("code")}",
                _ => null,
            };
            return output is not null;
        });
        return output;
    }
}
