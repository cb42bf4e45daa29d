using System.Globalization;
using System.Text;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>
/// A process for one call of a script in JavaScript or shell. It is started before the call arrives, so that the call does not wait for it.
/// <code>
/// standard input: length of the script in bytes, line break, script | idempotency key, line break, arguments as JSON
///                 ^ when the process is started                     ^ when the call arrives
/// </code>
/// What it writes to standard output is the result, and what it writes to standard error is log text.
/// </summary>
internal sealed class ProgramRunner : IScriptRunner
{
    /// <summary>
    /// How long output is awaited after the process has ended, in case that a process that it left behind keeps the pipe open.
    /// </summary>
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    private readonly SandboxedProcess _process;
    private readonly ScriptToolSettings _settings;
    private readonly TimeProvider _time;
    private readonly BoundedText _output;
    private readonly BoundedText _log;
    private readonly CancellationTokenSource _closing = new();
    private readonly Task _reading;

    private ProgramRunner(SandboxedProcess process, ScriptToolSettings settings, TimeProvider time)
    {
        (_process, _settings, _time) = (process, settings, time);
        _output = new BoundedText(process.StandardOutput, settings.MaxResultBytes);
        _log = new BoundedText(process.StandardError, settings.MaxLogBytes);
        _reading = Task.WhenAll(_output.ReadAsync(_closing.Token), _log.ReadAsync(_closing.Token));
    }

    public bool IsReusable => false;

    public bool HasEnded => _process.Exit.IsCompleted;

    public static async Task<ProgramRunner> StartAsync(
        ISandbox sandbox,
        ScriptSource script,
        ScriptToolSettings settings,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var runner = new ProgramRunner(await sandbox.StartAsync(Request(script, settings), cancellationToken), settings, time);
        try
        {
            var text = Encoding.UTF8.GetBytes(script.Text);
            var length = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{text.Length}\n"));
            await runner._process.StandardInput.WriteAsync(length, cancellationToken);
            await runner._process.StandardInput.WriteAsync(text, cancellationToken);
            await runner._process.StandardInput.FlushAsync(cancellationToken);
            return runner;
        }
        catch (Exception exception)
        {
            await runner.DisposeAsync();
            throw exception is IOException ? new RunnerException($"it has ended: {runner._log.Text.Trim()}") : exception;
        }
    }

    public async Task<ScriptOutcome> CallAsync(ScriptCall call, CancellationToken cancellationToken)
    {
        try
        {
            var input = _process.StandardInput;
            await input.WriteAsync(Encoding.UTF8.GetBytes($"{call.Context.IdempotencyKey}\n"), cancellationToken);
            await input.WriteAsync(JsonBytes.Of(call.Arguments), cancellationToken);
            await input.DisposeAsync();
        }
        catch (IOException)
        {
            // A script may end without reading its arguments. Its exit code says whether that is an error.
        }
        var code = await _process.Exit.WaitAsync(cancellationToken);
        try
        {
            await _reading.WaitAsync(Rest, _time, cancellationToken);
        }
        catch (TimeoutException)
        {
            // a process that the script left behind keeps the pipes open; disposing the runner ends it
        }
        return Outcome(code) with { Log = _log.Text, DroppedLogBytes = _log.Dropped };
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        await _closing.CancelAsync();
        await _reading;
        _closing.Dispose();
    }

    private ScriptOutcome Outcome(int code)
    {
        if (_output.Dropped > 0)
        {
            return new ScriptOutcome(
                $"Error: the result is longer than the limit of {_settings.MaxResultBytes} bytes; return less",
                IsError: true
            );
        }
        var content = _output.Text;
        if (code == 0)
        {
            return new ScriptOutcome(content.EndsWith('\n') ? content[..^1] : content, IsError: false);
        }
        const int ShownCharacters = 2000;
        var text =
            (_log.Text.Trim() is { Length: > 0 } log ? log : content.Trim()) is var all && all.Length > ShownCharacters
                ? all[^ShownCharacters..]
                : all;
        var ended = code > 128 ? $"was ended by the signal {code - 128}" : $"ended with exit code {code}";
        return new ScriptOutcome($"Error: the script {ended}{(text.Length > 0 ? $": {text}" : "")}", IsError: true);
    }

    /// <summary>A program that reads a script from standard input and checks its syntax.</summary>
    public static SandboxRequest NodeCheck(ScriptSource script, ScriptToolSettings settings) =>
        Node(settings, ["-e", RunnerTexts.NodeCheck], script.UsesNetwork);

    /// <inheritdoc cref="NodeCheck"/>
    public static SandboxRequest ShellCheck(ScriptToolSettings settings) => Shell(settings, ["-n"], usesNetwork: false);

    private static SandboxRequest Request(ScriptSource script, ScriptToolSettings settings) =>
        script.Language == ScriptLanguage.JavaScript
            ? Node(settings, ["-e", RunnerTexts.Node], script.UsesNetwork)
            : Shell(settings, ["-c", RunnerTexts.Shell], script.UsesNetwork);

    private static SandboxRequest Node(ScriptToolSettings settings, string[] arguments, bool usesNetwork)
    {
        // Half of the memory is left to what Node keeps outside of its heap. It reserves far more address space than it uses.
        var heap = string.Create(CultureInfo.InvariantCulture, $"--max-old-space-size={Math.Max(16, settings.MaxMemoryBytes >> 21)}");
        return new SandboxRequest(settings.Node, [heap, .. arguments])
        {
            UsesNetwork = usesNetwork,
            Limits = new SandboxLimits { MemoryBytes = settings.MaxMemoryBytes, AddressSpaceBytes = 64L << 30 },
        };
    }

    private static SandboxRequest Shell(ScriptToolSettings settings, string[] arguments, bool usesNetwork) =>
        new(settings.Shell, arguments)
        {
            UsesNetwork = usesNetwork,
            Limits = new SandboxLimits { MemoryBytes = settings.MaxMemoryBytes },
        };
}
