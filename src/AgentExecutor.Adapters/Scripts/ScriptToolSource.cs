using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>Creates tools with <c>runtime.type: script</c>.</summary>
internal sealed class ScriptToolSource : IToolSource, IAsyncDisposable
{
    private readonly ISandbox _sandbox;
    private readonly ScriptToolSettings _settings;
    private readonly TimeProvider _time;
    private readonly PythonCode _code;
    private readonly ScriptInspector _inspector;
    private readonly RunnerPool _runners;

    /// <param name="sandbox">Runs the scripts. It is disposed together with the source.</param>
    /// <param name="settings">The settings of the operator.</param>
    /// <param name="time">The source of time.</param>
    public ScriptToolSource(ISandbox sandbox, ScriptToolSettings settings, TimeProvider time)
    {
        (_sandbox, _settings, _time) = (sandbox, settings, time);
        _code = new PythonCode(sandbox, settings);
        _inspector = new ScriptInspector(sandbox, settings, _code, time);
        _runners = new RunnerPool(sandbox, settings, _code, time);
    }

    public string RuntimeType => "script";

    /// <summary>The processes that run scripts.</summary>
    internal RunnerPool Runners => _runners;

    public async ValueTask PrepareAsync(IReadOnlyList<ToolDefinition> definitions, CancellationToken cancellationToken) =>
        await Task.WhenAll(
            definitions
                .Select(ScriptSource.Of)
                .OfType<ScriptSource>()
                .DistinctBy(script => script.Hash)
                .Select(script => _inspector.InspectAsync(script, cancellationToken))
        );

    public IEnumerable<ToolFault> Check(ToolDefinition definition)
    {
        var runtime = definition.Runtime;
        if (string.IsNullOrWhiteSpace(runtime?.Script))
        {
            yield return Fault("runtime.script", "the tool has no script", "write the source of the script");
            yield break;
        }
        if (ScriptSource.Of(definition) is not { } script)
        {
            yield return Fault("runtime.language", $"'{runtime.Language}' is not a language of scripts", $"use {ScriptLanguages.Names}");
            yield break;
        }
        if (runtime.TimeoutSeconds is { } seconds && (seconds <= 0 || seconds > _settings.TimeoutSeconds))
        {
            yield return new ToolFault(
                "runtime.timeout_seconds",
                DefinitionCodes.LimitAboveServer,
                $"{seconds} must be greater than 0 and at most the server's limit of {_settings.TimeoutSeconds}",
                "use a number in this range"
            );
        }
        foreach (var fault in Check(script, _inspector.Find(script)))
        {
            yield return fault;
        }
    }

    public Tool Create(ToolDefinition definition)
    {
        var script =
            ScriptSource.Of(definition)
            ?? throw new FaultException(FaultCodes.ToolUnavailable, $"the tool '{definition.Name}' has no script");
        return new ScriptTool(definition, script, _inspector.Find(script) ?? ScriptInspection.Program, _runners, _settings, _time);
    }

    public async ValueTask DisposeAsync()
    {
        await _runners.DisposeAsync();
        _inspector.Dispose();
        await _code.DisposeAsync();
        if (_sandbox is IAsyncDisposable disposable)
        {
            await disposable.DisposeAsync();
        }
    }

    private static IEnumerable<ToolFault> Check(ScriptSource script, ScriptInspection? inspection)
    {
        if (inspection is null)
        {
            yield return Missing("runtime.script", "the script was not inspected", "check the definition again");
            yield break;
        }
        if (inspection.Unavailable is { } unavailable)
        {
            yield return Missing("runtime.script", $"scripts cannot run here: {unavailable.Message}", unavailable.Hint);
        }
        foreach (var package in inspection.Missing)
        {
            yield return Missing(
                "runtime.dependencies",
                $"the tool '{script.Tool}' needs the package '{package}', which is not installed for Python {inspection.Python}",
                "install the package where scripts run; nothing is downloaded at run time"
            );
        }
        foreach (var package in inspection.Replaced)
        {
            yield return Fault(
                "runtime.dependencies",
                $"the package '{package}' of the tool '{script.Tool}' is not installed, and a stand-in with its most used parts is used",
                "install the package where scripts run, if the script needs more of it"
            ) with
            {
                IsWarning = true,
            };
        }
        if (inspection.Error is not { } error)
        {
            yield break;
        }
        if (inspection.MissingModule is { } module)
        {
            if (!inspection.Missing.Any(package => IsSame(package, module)))
            {
                yield return Missing(
                    "runtime.script",
                    $"the script of the tool '{script.Tool}' imports '{module}', which is not installed for Python {inspection.Python}",
                    "install the package where scripts run; nothing is downloaded at run time"
                );
            }
            yield break;
        }
        if (inspection.NeedsPackage)
        {
            yield return Missing(
                "runtime.script",
                $"the script of the tool '{script.Tool}' cannot run here: {error}",
                "install the package"
            );
            yield break;
        }
        var at = inspection.Line is { } line ? $" (line {line} of the script)" : "";
        yield return Fault("runtime.script", $"{error}{at}", "correct the script");
    }

    private static bool IsSame(string package, string module) =>
        package.Replace('-', '_').StartsWith(module.Replace('-', '_'), StringComparison.OrdinalIgnoreCase);

    /// <summary>Creates a fault for a valid definition that needs something that this machine does not have.</summary>
    private static ToolFault Missing(string path, string message, string hint) => Fault(path, message, hint) with { IsEnvironment = true };

    private static ToolFault Fault(string path, string message, string hint) => new(path, DefinitionCodes.InvalidTool, message, hint);
}
