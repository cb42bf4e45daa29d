using System.Text.Json;
using AgentExecutor.IntegrationTests.Servers;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Redis;

public sealed class RedisSecretsTests
{
    private const string Wrong = "wr0ng-0ne";

    public RedisSecretsTests() => RedisFixture.SkipWithout();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_wrong_password_is_reported_with_a_remedy_and_never_shown(bool isInUrl)
    {
        await using var redis = await RedisServer.StartOwnAsync($"requirepass {StreamSite.Password}");
        var variables = isInUrl ? new() { ["REDIS_URL"] = $"redis://:{Wrong}@127.0.0.1:{redis.Port}" } : StreamSite.Named(redis, Wrong);
        await using var server = await ApiServer.StartAsync(null, variables);
        await server.PostAsync("/", JobRequests.Data("one"));
        using var reader = await EventReader.OpenAsync(server.Http, "one");
        Assert.Equal("end", (await reader.RestAsync())[^1].Type);
        await StreamSite.ConnectedAsync(server, false);
        await Wait.UntilAsync(() => Messages(server, 1143).Count == 2); // one for commands and one for subscriptions

        Assert.All(
            Messages(server, 1143),
            message =>
                Assert.True(
                    message.Contains("WRONGPASS", StringComparison.Ordinal)
                        && message.Contains("DRAGONFLY_PASSWORD", StringComparison.Ordinal),
                    message
                )
        );
        await ChangePasswordAsync(redis);
        await StreamSite.ConnectedAsync(server);
        await server.Process.SignalAsync("TERM");
        var ended = await server.Process.EndAsync();

        Assert.Equal(0, ended.ExitCode);
        Assert.Equal(2, Messages(server, 1143).Count);
        foreach (var secret in (string[])[Wrong, StreamSite.Password, $":{Wrong}@"])
        {
            Assert.DoesNotContain(secret, ended.Output, StringComparison.Ordinal);
            Assert.DoesNotContain(secret, ended.Error, StringComparison.Ordinal);
        }
    }

    /// <summary>To the one that the processes have.</summary>
    private static async Task ChangePasswordAsync(RedisServer redis)
    {
        using var cli = redis.StartCli("-a", StreamSite.Password, "--no-auth-warning", "CONFIG", "SET", "requirepass", Wrong);
        Assert.Equal(
            "OK\n",
            await cli.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(AgentExecutorProgram.Limit)
        );
    }

    private static List<string> Messages(ApiServer server, int id) =>
        [
            .. server
                .Process.Lines.Where(line => line.StartsWith('{'))
                .Select(line => JsonElement.Parse(line))
                .Where(line => line.GetProperty("event_id").GetInt32() == id)
                .Select(line => line.GetProperty("message").GetString()!),
        ];
}
