using System.Text.Json;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>
/// A Python process that has loaded a script and forks a child for each call, so that a call starts within milliseconds and sees nothing of
/// earlier calls.
/// </summary>
internal sealed class PythonRunner : IScriptRunner
{
    /// <summary>JSON escapes every character of a text with up to this many.</summary>
    private const int AnswerFactor = 6;

    private const int LongestComplaint = 4096;

    private readonly SandboxedProcess _process;
    private readonly BoundedText _complaints;
    private readonly Task _reading;
    private readonly CancellationTokenSource _closing = new();
    private readonly int _maxAnswer;

    private PythonRunner(SandboxedProcess process, ScriptToolSettings settings)
    {
        _process = process;
        _maxAnswer = (int)Math.Min(int.MaxValue, ((long)settings.MaxResultBytes + settings.MaxLogBytes + 4096) * AnswerFactor);
        _complaints = new BoundedText(process.StandardError, LongestComplaint);
        _reading = _complaints.ReadAsync(_closing.Token);
    }

    public bool IsReusable { get; private set; } = true;

    public bool HasEnded => _process.Exit.IsCompleted;

    /// <summary>Starts a process for calls of the script.</summary>
    /// <exception cref="RunnerException">The script cannot be loaded.</exception>
    public static async Task<PythonRunner> StartAsync(
        ISandbox sandbox,
        ScriptSource script,
        ScriptToolSettings settings,
        PythonCode code,
        CancellationToken cancellationToken
    )
    {
        var (runner, answer) = await BeginAsync(sandbox, script, inspects: false, settings, code, cancellationToken);
        if (answer.TextProperty("error") is { } error)
        {
            await runner.DisposeAsync();
            throw new RunnerException($"the script cannot be loaded: {error}");
        }
        return runner;
    }

    /// <summary>Runs the script once, to see what it defines.</summary>
    public static async Task<ScriptInspection> InspectAsync(
        ISandbox sandbox,
        ScriptSource script,
        ScriptToolSettings settings,
        PythonCode code,
        CancellationToken cancellationToken
    )
    {
        var (runner, answer) = await BeginAsync(sandbox, script, inspects: true, settings, code, cancellationToken);
        await runner.DisposeAsync();
        return ScriptInspection.Read(answer);
    }

    public async Task<ScriptOutcome> CallAsync(ScriptCall call, CancellationToken cancellationToken)
    {
        IsReusable = false;
        try
        {
            await Frames.WriteAsync(_process.StandardInput, call.ToJson(), cancellationToken);
        }
        catch (IOException)
        {
            throw new RunnerException("it has ended");
        }
        var answer = await Frames.ReadAsync(_process.StandardOutput, _maxAnswer, cancellationToken);
        IsReusable = answer.Property("reusable") is { ValueKind: JsonValueKind.True };
        return ScriptOutcome.Read(answer);
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await _closing.CancelAsync();
        await _reading;
        _closing.Dispose();
    }

    private static async Task<(PythonRunner Runner, JsonElement Answer)> BeginAsync(
        ISandbox sandbox,
        ScriptSource script,
        bool inspects,
        ScriptToolSettings settings,
        PythonCode code,
        CancellationToken cancellationToken
    )
    {
        var request = new SandboxRequest(settings.Python, ["-I", "-c", RunnerTexts.PythonStart])
        {
            UsesNetwork = script.UsesNetwork,
            Limits = new SandboxLimits { MemoryBytes = settings.MaxMemoryBytes },
        };
        var runner = new PythonRunner(await sandbox.StartAsync(request, cancellationToken), settings);
        try
        {
            await Frames.WriteAsync(
                runner._process.StandardInput,
                RunnerTexts.PythonFrame(script, inspects, settings, code.Get()),
                cancellationToken
            );
            return (runner, await Frames.ReadAsync(runner._process.StandardOutput, runner._maxAnswer, cancellationToken));
        }
        catch (Exception exception)
        {
            var complaint = runner._complaints.Text.Trim();
            await runner.DisposeAsync();
            if (exception is IOException or RunnerException)
            {
                throw new RunnerException($"{exception.Message}{(complaint.Length > 0 ? $": {complaint.Split('\n')[^1]}" : "")}");
            }
            throw;
        }
    }
}
