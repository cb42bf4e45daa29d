using System.Diagnostics;
using System.Globalization;
using System.Net;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Processes that share one PostgreSQL schema and one Redis server: clients watch at one process the runs of another.</summary>
public sealed class StreamSite : IAsyncDisposable
{
    public const string Password = "s3cret-p@ss/#";

    private readonly PostgresSettings _settings;
    private readonly Dictionary<string, string> _variables;
    private readonly List<ApiServer> _processes = [];

    private StreamSite(PostgresSettings settings, RedisServer redis, Dictionary<string, string> variables) =>
        (_settings, Redis, _variables) = (settings, redis, variables);

    public RedisServer Redis { get; }

    /// <summary>Starts a Redis server that the processes know by its URL.</summary>
    /// <param name="postgres">The PostgreSQL server of the tests.</param>
    /// <param name="settings">Further settings of the processes, without their prefix.</param>
    public static async Task<StreamSite> CreateAsync(PostgresFixture postgres, params (string Name, string Value)[] settings)
    {
        RedisFixture.SkipWithout();
        var (schema, redis) = (await postgres.SchemaAsync(), await RedisServer.StartOwnAsync());
        var variables = settings.ToDictionary(it => $"AGENT_EXECUTOR_{it.Name}", it => it.Value);
        variables["REDIS_URL"] = redis.Url;
        return new StreamSite(schema, redis, variables);
    }

    /// <summary>Starts a Redis server with a password that the processes know by its host and port.</summary>
    public static async Task<StreamSite> CreateWithPasswordAsync(PostgresFixture postgres)
    {
        RedisFixture.SkipWithout();
        var (schema, redis) = (await postgres.SchemaAsync(), await RedisServer.StartOwnAsync($"requirepass \"{Password}\""));
        return new StreamSite(schema, redis, Named(redis, Password));
    }

    /// <summary>The variables that name the server by its host and port.</summary>
    public static Dictionary<string, string> Named(RedisServer redis, string password) =>
        new()
        {
            ["DRAGONFLY_HOST"] = "127.0.0.1",
            ["DRAGONFLY_PORT"] = redis.Port.ToString(CultureInfo.InvariantCulture),
            ["DRAGONFLY_PASSWORD"] = password,
        };

    public async Task<ApiServer> StartAsync(string roles = "all")
    {
        var process = await ApiServer.StartAsync(_settings, new Dictionary<string, string>(_variables) { ["ROLES"] = roles });
        _processes.Add(process);
        return process;
    }

    /// <summary>A process that executes runs, and one that only serves watchers.</summary>
    public async Task<(ApiServer Runs, ApiServer Watches)> StartBothAsync()
    {
        var (runs, watches) = (StartAsync("executor"), StartAsync("janitor"));
        return (await runs, await watches);
    }

    /// <summary>Returns when the process reports that Redis is connected, or disconnected. It is ready in both cases.</summary>
    public static Task ConnectedAsync(ApiServer process, bool isConnected = true) =>
        Wait.UntilAsync(async () =>
        {
            var ready = (await process.GetAsync("/ready")).AssertStatus(HttpStatusCode.OK).Json;
            Assert.Equal("ready", ready.GetProperty("status").GetString());
            return ready.GetProperty("services").GetProperty("dragonfly").GetBoolean() == isConnected;
        });

    /// <summary>The value of a counter, or 0 if it has none.</summary>
    public static async Task<long> CountAsync(ApiServer process, string series) =>
        (await process.GetAsync("/metrics"))
            .Body.Split('\n')
            .FirstOrDefault(line => line.StartsWith(series + " ", StringComparison.Ordinal))
            is { } line
            ? long.Parse(line[(series.Length + 1)..], CultureInfo.InvariantCulture)
            : 0;

    /// <summary>Starts <c>redis-cli</c> with the password.</summary>
    public Process StartCli(params string[] command) =>
        Redis.StartCli(_variables.ContainsKey("DRAGONFLY_PASSWORD") ? ["-a", Password, "--no-auth-warning", .. command] : command);

    /// <summary>Runs <c>redis-cli</c> and returns the lines that it prints.</summary>
    public async Task<string[]> AskAsync(params string[] command)
    {
        using var cli = StartCli(command);
        var output = await cli.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(AgentExecutorProgram.Limit);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }
        await Redis.DisposeAsync();
    }
}
