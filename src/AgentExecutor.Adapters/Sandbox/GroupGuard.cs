using System.Diagnostics;
using System.Globalization;

namespace AgentExecutor.Adapters.Sandbox;

/// <summary>
/// A small shell process that outlives the service. When the service ends in whatever way, its standard input ends, and it kills the
/// process groups and removes the folders of programs that still run. Programs with their own process namespace do not need it.
/// </summary>
internal sealed class GroupGuard(ProcessStarter starter) : IAsyncDisposable
{
    private const string Script = """
        trap '' INT TERM HUP QUIT
        groups=''
        while read -r operation group folder; do
          case $operation in
          add)
            groups="$groups $group"
            eval "folder_$group=\$folder"
            ;;
          remove)
            rest=''
            for other in $groups; do [ "$other" = "$group" ] || rest="$rest $other"; done
            groups=$rest
            unset "folder_$group"
            ;;
          esac
        done
        for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
        for group in $groups; do
          eval "rm -rf -- \"\$folder_$group\"" 2>/dev/null
        done
        """;

    private readonly SemaphoreSlim _lock = new(1, 1);
    private readonly Dictionary<int, string> _groups = [];
    private Process? _process;

    /// <summary>Registers a group before its program can run.</summary>
    public async Task AddAsync(int group, string folder)
    {
        await _lock.WaitAsync();
        try
        {
            _groups.Add(group, folder);
            if (_process is not { HasExited: false })
            {
                await StartAsync();
                return;
            }
            await WriteAsync($"add {Number(group)} {folder}");
        }
        finally
        {
            _lock.Release();
        }
    }

    /// <summary>Removes a group whose processes have ended.</summary>
    public async Task RemoveAsync(int group)
    {
        await _lock.WaitAsync();
        try
        {
            if (_groups.Remove(group))
            {
                await WriteAsync($"remove {Number(group)}");
            }
        }
        finally
        {
            _lock.Release();
        }
    }

    /// <summary>Ends the guard, which kills what is still registered.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            _process.StandardInput.Close();
            await _process.WaitForExitAsync();
            _process.Dispose();
        }
        _lock.Dispose();
    }

    private async Task StartAsync()
    {
        _process?.Dispose();
        var start = new ProcessStartInfo("/bin/sh", ["-c", Script]) { RedirectStandardInput = true, WorkingDirectory = "/" };
        start.Environment.Clear();
        start.Environment["PATH"] = string.Join(':', SystemPaths.Programs);
        _process = await starter.StartAsync(start);
        foreach (var (group, folder) in _groups)
        {
            await WriteAsync($"add {Number(group)} {folder}");
        }
    }

    private async Task WriteAsync(string line)
    {
        try
        {
            await _process!.StandardInput.WriteLineAsync(line);
            await _process.StandardInput.FlushAsync();
        }
        catch (IOException)
        {
            // It was killed. The next program starts another one, which knows all groups.
        }
    }

    private static string Number(int number) => number.ToString(CultureInfo.InvariantCulture);
}
