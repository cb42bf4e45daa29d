using System.Diagnostics;
using System.Globalization;
using System.Net;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.IntegrationTests.Api;
using AgentExecutor.IntegrationTests.Crash;
using AgentExecutor.IntegrationTests.Servers;

namespace AgentExecutor.IntegrationTests.Streams;

/// <summary>Processes on one PostgreSQL and a Redis of the test's own: what one runs, others are watched at.</summary>
public sealed class StreamSite : IAsyncDisposable
{
    public const string Password = "s3cret-p@ss/#";

    private readonly PostgresSettings _settings;
    private readonly Dictionary<string, string> _variables;
    private readonly List<ApiServer> _processes = [];

    private StreamSite(PostgresSettings settings, RedisServer redis, Dictionary<string, string> variables) => (_settings, Redis, _variables) = (settings, redis, variables);

    public RedisServer Redis { get; }

    /// <summary>Redis is named by its URL.</summary>
    /// <param name="postgres">The server of the tests.</param>
    /// <param name="settings">Further settings of the processes, without their prefix.</param>
    public static async Task<StreamSite> CreateAsync(PostgresFixture postgres, params (string Name, string Value)[] settings)
    {
        RedisFixture.SkipWithout();
        var (schema, redis) = (await postgres.SchemaAsync(), await RedisServer.StartOwnAsync());
        var variables = settings.ToDictionary(it => $"AGENT_EXECUTOR_{it.Name}", it => it.Value);
        variables["REDIS_URL"] = redis.Url;
        return new StreamSite(schema, redis, variables);
    }

    /// <summary>Redis asks for a password, and is named by the variables of its host.</summary>
    public static async Task<StreamSite> CreateWithPasswordAsync(PostgresFixture postgres)
    {
        RedisFixture.SkipWithout();
        var (schema, redis) = (await postgres.SchemaAsync(), await RedisServer.StartOwnAsync($"requirepass \"{Password}\""));
        return new StreamSite(schema, redis, Named(redis, Password));
    }

    /// <summary>The variables that name the server by its host.</summary>
    public static Dictionary<string, string> Named(RedisServer redis, string password) => new()
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

    /// <summary>A process that runs, and one that is only watched at.</summary>
    public async Task<(ApiServer Runs, ApiServer Watches)> StartBothAsync()
    {
        var (runs, watches) = (StartAsync("executor"), StartAsync("janitor"));
        return (await runs, await watches);
    }

    /// <summary>Returns when the process says that Redis is there, or that it is away. It is ready either way.</summary>
    public static Task ConnectedAsync(ApiServer process, bool isConnected = true) => Fleet.EventuallyAsync(async () =>
    {
        var ready = (await process.GetAsync("/ready")).AssertStatus(HttpStatusCode.OK).Json;
        Assert.Equal("ready", ready.GetProperty("status").GetString());
        return ready.GetProperty("services").GetProperty("dragonfly").GetBoolean() == isConnected;
    });

    /// <summary>A counter's value; 0 where nothing was counted.</summary>
    public static async Task<long> CountAsync(ApiServer process, string series) =>
        (await process.GetAsync("/metrics")).Body.Split('\n').FirstOrDefault(line => line.StartsWith(series + " ", StringComparison.Ordinal)) is { } line
            ? long.Parse(line[(series.Length + 1)..], CultureInfo.InvariantCulture)
            : 0;

    /// <summary><c>redis-cli</c>, which knows the password.</summary>
    public Process StartCli(params string[] command) => Redis.StartCli(_variables.ContainsKey("DRAGONFLY_PASSWORD") ? ["-a", Password, "--no-auth-warning", .. command] : command);

    /// <summary>What <c>redis-cli</c> prints.</summary>
    public async Task<string[]> AskAsync(params string[] command)
    {
        using var cli = StartCli(command);
        var output = await cli.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(AgentExecutorProgram.Limit);
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    /// <summary>Holds that each was told the whole log, in order and each event once.</summary>
    public static void AssertLog(IEnumerable<Told> log, params IEnumerable<Told>[] watchers)
    {
        var logged = log.Where(it => it.IsLogged).ToList();
        Assert.Equal("end", logged[^1].Type);
        foreach (var told in watchers.Select(it => it.ToList()))
        {
            StreamTests.AssertInOrder(told);
            Assert.Equal(logged, told.Where(it => it.IsLogged));
        }
    }

    /// <summary>Holds that no number is missing: every event that was told is here.</summary>
    public static void AssertWhole(IReadOnlyCollection<Told> told)
    {
        Assert.Equal(Enumerable.Range(1, told.Count).Select(number => (long?)number), told.Select(it => it.Id));
        Assert.Equal("end", told.Last().Type);
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
