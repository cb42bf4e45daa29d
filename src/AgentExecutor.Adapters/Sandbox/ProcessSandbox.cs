using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using AgentExecutor.Core;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// Starts programs with the strongest isolation that this machine provides. The first use finds out which one that is.
/// </summary>
internal sealed class ProcessSandbox : ISandbox, IAsyncDisposable
{
    /// <summary>The time that a program has to become ready. It is only exceeded if the machine is overloaded.</summary>
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    private const int LongestAnswer = 4096;
    private const int CgroupAttempts = 500;
    private static readonly TimeSpan CgroupPoll = TimeSpan.FromMilliseconds(5);

    private readonly SandboxSettings _settings;
    private readonly TimeProvider _time;
    private readonly string _program;
    private readonly SandboxUsers _users;
    private readonly ProcessStarter _starter = new();
    private readonly GroupGuard _guard;
    private readonly Lazy<CgroupTree?> _cgroups = new(CgroupTree.Find);
    private readonly Lazy<Task<SandboxState>> _state;

    /// <param name="settings">The settings of the operator.</param>
    /// <param name="time">The source of time.</param>
    /// <param name="program">The program <c>agent-executor</c>; null for the one beside this assembly.</param>
    /// <param name="highest">The strongest isolation that is tried.</param>
    public ProcessSandbox(
        SandboxSettings settings,
        TimeProvider time,
        string? program = null,
        SandboxLevel highest = SandboxLevel.Namespaces
    )
    {
        _settings = settings;
        _time = time;
        _program = program ?? Path.Combine(AppContext.BaseDirectory, "agent-executor");
        _users = new SandboxUsers(settings.FirstUserId);
        _guard = new GroupGuard(_starter);
        _state = new Lazy<Task<SandboxState>>(() => SandboxProbe.FindAsync(this, highest));
    }

    /// <summary>True if limits also count for all processes of a program together.</summary>
    internal bool HasCgroups => _cgroups.Value is not null;

    public Task<SandboxState> StateAsync(CancellationToken cancellationToken) => _state.Value.WaitAsync(cancellationToken);

    public async Task<SandboxedProcess> StartAsync(SandboxRequest request, CancellationToken cancellationToken)
    {
        var state = await StateAsync(cancellationToken);
        state.ThrowIfBelow(SandboxSettingsCheck.LevelOf(_settings.Minimum) ?? SandboxLevel.Restricted);
        if (request.UsesNetwork)
        {
            SandboxNetwork.ThrowIfRefused(_settings, state);
        }
        return await StartAtAsync(state.Level, request, cancellationToken);
    }

    /// <summary>Starts a program with this isolation, whether or not the machine is known to provide it.</summary>
    internal async Task<SandboxedProcess> StartAtAsync(SandboxLevel level, SandboxRequest request, CancellationToken cancellationToken)
    {
        SandboxRequestCheck.Check(request);
        var readable = _settings.ReadablePathList().Where(Path.Exists).Concat(request.ReadablePaths).Distinct().ToList();
        var program = SandboxPrograms.Find(request.Program, readable);
        var user = _users.Take();
        PrivateFolder? folder = null;
        EgressProxy? proxy = null;
        try
        {
            proxy = request.UsesNetwork ? EgressProxy.Start(_settings.AllowedHosts, user, _time) : null;
            if (level != SandboxLevel.Namespaces)
            {
                folder = await PrivateFolder.CreateAsync(user, request.Files, cancellationToken);
            }
            var policy = new SandboxPolicy(level, program, request.Arguments)
            {
                User = user,
                ServiceProcess = Environment.ProcessId,
                Folder = folder?.Location ?? "",
                Variables = Variables(request, folder),
                ReadablePaths = readable,
                WritablePaths = request.WritablePaths,
                Files = folder is null ? request.Files : new Dictionary<string, byte[]>(),
                EgressSocket = proxy?.SocketPath ?? "",
                Limits = request.Limits,
            };
            return await LaunchAsync(policy, () => ReleaseAsync(user, folder, proxy), cancellationToken);
        }
        catch
        {
            await ReleaseAsync(user, folder, proxy);
            throw;
        }
    }

    /// <summary>Ends all programs that still run.</summary>
    public async ValueTask DisposeAsync()
    {
        await _guard.DisposeAsync();
        _starter.Dispose();
    }

    private async Task<SandboxedProcess> LaunchAsync(SandboxPolicy policy, Func<Task> release, CancellationToken cancellationToken)
    {
        var process = await StartProgramAsync();
        var group = process.Id;
        var cgroup = _cgroups.Value?.TryCreate(group, policy.Limits);
        try
        {
            if (policy.Folder.Length > 0)
            {
                await _guard.AddAsync(group, policy.Folder);
            }
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(StartLimit);
            await WaitForProgramAsync(process, policy, limit.Token);
        }
        catch
        {
            process.Kill();
            await process.WaitForExitAsync(CancellationToken.None);
            await _guard.RemoveAsync(group);
            process.Dispose();
            await RemoveAsync(cgroup);
            throw;
        }
        return new LinuxSandboxedProcess(
            process,
            policy.Level,
            async () =>
            {
                await RemoveAsync(cgroup);
                await release();
                // Last, so that the guard still removes the folder if the service is killed while it does.
                await _guard.RemoveAsync(group);
            },
            _time
        );
    }

    /// <summary>Removes a cgroup when the kernel has removed its processes.</summary>
    private async Task RemoveAsync(ProgramCgroup? cgroup)
    {
        cgroup?.Kill();
        for (var attempt = 0; cgroup?.TryDelete() == false && attempt < CgroupAttempts; attempt++)
        {
            await Task.Delay(CgroupPoll, _time);
        }
    }

    private async Task ReleaseAsync(uint? user, PrivateFolder? folder, EgressProxy? proxy)
    {
        if (proxy is not null)
        {
            await proxy.DisposeAsync();
        }
        if (folder is not null)
        {
            await folder.DeleteAsync(_starter);
        }
        _users.Return(user);
    }

    private async Task<Process> StartProgramAsync()
    {
        var start = new ProcessStartInfo(_program, ["sandbox-exec"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = "/",
        };
        start.Environment.Clear();
        // The runtime of this process also runs the other one, wherever it is installed.
        start.Environment["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        start.Environment["DOTNET_EnableDiagnostics"] = "0";
        start.Environment["DOTNET_TieredCompilation"] = "1";
        try
        {
            return await _starter.StartAsync(start);
        }
        catch (Win32Exception exception)
        {
            throw new FaultException(
                FaultCodes.SandboxUnavailable,
                $"the program '{_program}', which prepares the sandbox, cannot be started: {exception.Message}",
                "install AgentExecutor again"
            );
        }
    }

    private static async Task WaitForProgramAsync(Process process, SandboxPolicy policy, CancellationToken cancellationToken)
    {
        string answer;
        try
        {
            var input = process.StandardInput.BaseStream;
            await input.WriteAsync(policy.ToBytes(), cancellationToken);
            await input.FlushAsync(cancellationToken);
            answer = await ReadLineAsync(process.StandardOutput.BaseStream, cancellationToken);
        }
        catch (IOException)
        {
            answer = "";
        }
        if (answer != SandboxExec.Ready)
        {
            var reason = answer.Length > 0 ? answer : (await process.StandardError.ReadToEndAsync(cancellationToken)).Trim();
            throw new FaultException(
                FaultCodes.SandboxUnavailable,
                $"the sandbox of '{policy.Program}' cannot be set up: {(reason.Length > 0 ? reason : "its process has ended")}",
                "see docs/sandbox.md for what the sandbox needs"
            );
        }
    }

    /// <summary>Reads a line byte by byte, because what follows belongs to the program.</summary>
    private static async Task<string> ReadLineAsync(Stream stream, CancellationToken cancellationToken)
    {
        var line = new List<byte>();
        var next = new byte[1];
        while (line.Count < LongestAnswer && await stream.ReadAsync(next, cancellationToken) == 1 && next[0] != '\n')
        {
            line.Add(next[0]);
        }
        return Encoding.UTF8.GetString([.. line]);
    }

    private static Dictionary<string, string> Variables(SandboxRequest request, PrivateFolder? folder)
    {
        var work = folder is null ? BubblewrapArguments.WorkFolder : Path.Combine(folder.Location, "work");
        var variables = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PATH"] = string.Join(':', SystemPaths.Programs),
            ["HOME"] = work,
            ["PWD"] = work,
            ["TMPDIR"] = folder is null ? "/tmp" : Path.Combine(folder.Location, "tmp"),
            ["LANG"] = "C.UTF-8",
        };
        foreach (
            var (name, value) in (IEnumerable<KeyValuePair<string, string>>)
                [.. request.UsesNetwork ? EgressForwarder.Variables : [], .. request.Variables]
        )
        {
            variables[name] = value;
        }
        return variables;
    }
}
