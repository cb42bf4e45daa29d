using System.Diagnostics;
using AgentExecutor.Adapters.Postgres;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>The real program, with a data directory for each test.</summary>
public sealed class AgentExecutorProgram : IDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly string[] Ours =
    [
        "AGENT_EXECUTOR_",
        "POSTGRES_",
        "NATS_",
        "REDIS_",
        "DRAGONFLY_",
        "DATABASE_URL",
        "PORT",
        "ROLES",
        "OPENAI_",
        "ANTHROPIC_",
        "OLLAMA_",
        "LLM_",
    ];

    /// <summary>The program as it is shipped. The copy beside the tests is not compiled to native code.</summary>
    private static readonly string Program = Path.Combine(
        AppContext.BaseDirectory,
        "..",
        "..",
        "AgentExecutor.Server",
        new DirectoryInfo(AppContext.BaseDirectory).Name,
        "agent-executor"
    );

    private readonly List<RunningProgram> _started = [];

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("agent-executor-it-").FullName;

    public static string Root { get; } = FindRoot();

    /// <summary>The PostgreSQL server that stores the threads, or null for the embedded database in the data directory.</summary>
    public PostgresSettings? Postgres { get; init; }

    /// <summary>Variables for every program that is started.</summary>
    public Dictionary<string, string> Variables { get; } = new(StringComparer.Ordinal);

    public string File(string name) => Path.Combine(Directory, name);

    public string WriteFile(string name, string content)
    {
        System.IO.File.WriteAllText(File(name), content);
        return File(name);
    }

    /// <summary>Runs a command to its end. The data directory is added where the command takes one.</summary>
    public async Task<ProgramResult> RunAsync(params string[] args) => await Start(args).WaitAsync();

    /// <summary>Runs a script of the repository to its end, with the same variables.</summary>
    public async Task<ProgramResult> RunScriptAsync(string script, params string[] args)
    {
        var start = new ProcessStartInfo(Path.Combine(Root, script), args) { RedirectStandardOutput = true, RedirectStandardError = true };
        SetVariables(start);
        var running = new RunningProgram(Process.Start(start)!);
        _started.Add(running);
        return await running.WaitAsync();
    }

    public RunningProgram Start(params string[] args)
    {
        string[] full =
            Postgres is not null || args[0] is "check" or "watch" || args[0].StartsWith('-') ? args : [.. args, "--data-dir", File("data")];
        var start = new ProcessStartInfo(Program, full)
        {
            RedirectStandardInput = true, // The program must not ask questions at the terminal of the tests.
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Directory,
        };
        SetVariables(start);
        var program = new RunningProgram(Process.Start(start)!);
        _started.Add(program);
        return program;
    }

    /// <summary>Removes the variables of the product from the environment and sets those of the test.</summary>
    public void SetVariables(ProcessStartInfo start)
    {
        foreach (
            var name in start.Environment.Keys.Where(name => Ours.Any(ours => name.StartsWith(ours, StringComparison.Ordinal))).ToList()
        )
        {
            start.Environment.Remove(name);
        }
        foreach (var (name, value) in Named().Concat(Variables))
        {
            start.Environment[name] = value;
        }
    }

    /// <summary>Kills the processes that still run.</summary>
    public void Stop()
    {
        _started.ForEach(static program => program.Dispose());
        _started.Clear();
    }

    public void Dispose()
    {
        Stop();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private IEnumerable<KeyValuePair<string, string>> Named() =>
        Postgres is not { } postgres
            ? []
            : new Dictionary<string, string>
            {
                ["POSTGRES_HOST"] = postgres.Host,
                ["POSTGRES_PORT"] = $"{postgres.Port}",
                ["POSTGRES_DB"] = postgres.Db,
                ["POSTGRES_USER"] = postgres.User,
                ["POSTGRES_PASSWORD"] = postgres.Password.Value ?? "",
                ["POSTGRES_SCHEMA"] = postgres.Schema,
            };

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !System.IO.File.Exists(Path.Combine(directory.FullName, "AgentExecutor.slnx")))
        {
            directory = directory.Parent;
        }
        return directory?.FullName ?? throw new InvalidOperationException("the tests run outside their repository");
    }
}
