using System.Diagnostics;
using AgentExecutor.Adapters.Postgres;

namespace AgentExecutor.IntegrationTests;

/// <summary>The real binary, in a data directory of the test's own.</summary>
public sealed class AgentExecutorProgram : IDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    private static readonly string[] Ours = ["AGENT_EXECUTOR_", "POSTGRES_", "NATS_", "REDIS_", "DRAGONFLY_", "DATABASE_URL", "PORT", "ROLES", "OPENAI_", "ANTHROPIC_", "OLLAMA_", "LLM_"];

    private readonly List<RunningProgram> _started = [];

    public string Directory { get; } = System.IO.Directory.CreateTempSubdirectory("agent-executor-it-").FullName;

    public static string Root { get; } = FindRoot();

    /// <summary>The server that keeps the threads; else a data directory of the test's own does.</summary>
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

    public RunningProgram Start(params string[] args)
    {
        string[] full = Postgres is not null || args[0] is "check" or "watch" || args[0].StartsWith('-') ? args : [.. args, "--data-dir", File("data")];
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "agent-executor"), full)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Directory,
        };
        SetVariables(start);
        var program = new RunningProgram(Process.Start(start)!);
        _started.Add(program);
        return program;
    }

    /// <summary>Takes our own variables of the surroundings away, and sets the test's.</summary>
    public void SetVariables(ProcessStartInfo start)
    {
        foreach (var name in start.Environment.Keys.Where(name => Ours.Any(ours => name.StartsWith(ours, StringComparison.Ordinal))).ToList())
        {
            start.Environment.Remove(name);
        }
        foreach (var (name, value) in Named().Concat(Variables))
        {
            start.Environment[name] = value;
        }
    }

    public void Dispose()
    {
        foreach (var program in _started)
        {
            program.Dispose();
        }
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    private IEnumerable<KeyValuePair<string, string>> Named() => Postgres is not { } postgres ? [] : new Dictionary<string, string>
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

/// <summary>How a command ended.</summary>
public sealed record ProgramResult(int ExitCode, string Output, string Error);

/// <summary>A command that runs.</summary>
public sealed class RunningProgram : IDisposable
{
    private readonly Process _process;
    private readonly Task<string> _error;
    private readonly System.Text.StringBuilder _errorSoFar = new();
    private readonly List<string> _lines = [];
    private readonly System.Collections.Concurrent.ConcurrentQueue<string> _drained = new();

    public RunningProgram(Process process)
    {
        _process = process;
        _error = ReadErrorAsync();
    }

    public int Id => _process.Id;

    /// <summary>The next line of standard output, or null at its end.</summary>
    public async Task<string?> ReadLineAsync()
    {
        var line = await _process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(AgentExecutorProgram.Limit);
        if (line is not null)
        {
            _lines.Add(line);
        }
        return line;
    }

    /// <summary>Sends it a signal, such as <c>STOP</c>.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", ["-s", signal, _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Lines of standard output so far, of a program that is drained.</summary>
    public IReadOnlyCollection<string> Lines => _drained;

    /// <summary>Reads standard output in the background: a program whose pipe is full would wait.</summary>
    public void Drain()
    {
        _process.OutputDataReceived += (_, line) =>
        {
            if (line.Data is not null)
            {
                _drained.Enqueue(line.Data);
            }
        };
        _process.BeginOutputReadLine();
    }

    /// <summary>Waits until this stands on standard error.</summary>
    public Task UntilErrorAsync(string text) => Crash.Fleet.EventuallyAsync(() =>
    {
        lock (_errorSoFar)
        {
            return Task.FromResult(_errorSoFar.ToString().Contains(text, StringComparison.Ordinal));
        }
    });

    private async Task<string> ReadErrorAsync()
    {
        var buffer = new char[4096];
        for (int count; (count = await _process.StandardError.ReadAsync(buffer)) > 0;)
        {
            lock (_errorSoFar)
            {
                _errorSoFar.Append(buffer, 0, count);
            }
        }
        return _errorSoFar.ToString();
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async Task<ProgramResult> WaitAsync(TimeSpan? atMost = null)
    {
        var limit = atMost ?? AgentExecutorProgram.Limit;
        var rest = await _process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken).WaitAsync(limit);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(limit);
        return new ProgramResult(_process.ExitCode, string.Concat(_lines.Select(line => line + "\n")) + rest, await _error);
    }

    /// <summary>Waits until a program that is drained has ended.</summary>
    public async Task<ProgramResult> EndAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(AgentExecutorProgram.Limit);
        return new ProgramResult(_process.ExitCode, string.Join('\n', _drained), await _error);
    }

    /// <summary>Asks it to stop, and waits until it has.</summary>
    public async Task StopAsync()
    {
        await SignalAsync("TERM");
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(AgentExecutorProgram.Limit);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
        _process.Dispose();
    }
}
