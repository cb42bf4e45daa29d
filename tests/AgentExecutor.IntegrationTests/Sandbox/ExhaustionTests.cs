using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Sandbox;

/// <summary>
/// Programs that use up the machine, and programs that do not want to end. The bombs are bounded, in case a limit does not hold.
/// </summary>
public sealed class ExhaustionTests
{
    public static TheoryData<string, bool> Sites => SandboxSite.All();

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task A_fork_bomb_reaches_the_limit_of_processes(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var output = await site.PythonAsync(
            """
            import os, signal, time
            started = []
            for _ in range(300):
                try:
                    child = os.fork()
                except BlockingIOError:
                    break
                if child == 0:
                    time.sleep(600)
                    os._exit(0)
                started.append(child)
            print(len(started))
            """,
            "--processes",
            "24"
        );

        // If the user id is shared with the service, the limit includes what that starts meanwhile.
        Assert.InRange(int.Parse(output, System.Globalization.CultureInfo.InvariantCulture), 8, 60);
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task A_memory_bomb_reaches_the_limit_of_memory(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var output = await site.PythonAsync(
            """
            import mmap
            def fill(allocate):
                blocks = []
                try:
                    for _ in range(2000 // 16):
                        blocks.append(allocate(16 << 20))
                except (MemoryError, OSError):
                    pass
                return len(blocks) * 16
            print(fill(bytearray), fill(lambda size: mmap.mmap(-1, size)), fill(lambda size: mmap.mmap(-1, size, mmap.MAP_PRIVATE)))
            """,
            "--memory-mb",
            "256"
        );

        Assert.All(
            output.Trim().Split(),
            megabytes => Assert.InRange(int.Parse(megabytes, System.Globalization.CultureInfo.InvariantCulture), 64, 256)
        );
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task An_endless_loop_reaches_the_limit_of_processor_time(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var result = await site.RunAsync("--cpu-seconds", "1", "--", "/usr/bin/python3", "-c", "while True: pass");

        Assert.True(result.ExitCode is 128 + 24 or 128 + 9, $"exit code {result.ExitCode}: {result.Error}");
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task A_large_file_reaches_the_limit_of_its_size(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var output = await site.PythonAsync(
            """
            import os
            for folder in ('.', os.environ['TMPDIR']):
                with open(folder + '/large', 'wb', buffering=0) as file:
                    try:
                        for _ in range(64):
                            file.write(bytes(1 << 18))
                    except OSError as error:
                        print(error.errno, file.tell() >> 18)
            """,
            "--file-mb",
            "4"
        );

        // EFBIG or ENOSPC, after 16 quarters of a megabyte; less if the folder as a whole is limited.
        Assert.All(output.TrimEnd().Split('\n'), line => Assert.Matches("^(27|28) ", line));
        Assert.All(
            output.TrimEnd().Split('\n'),
            line => Assert.InRange(int.Parse(line.Split()[1], System.Globalization.CultureInfo.InvariantCulture), 8, 16)
        );
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task Daemons_and_zombies_end_with_their_program(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);
        var marker = NewMarker();

        Assert.Equal("started\n", await site.PythonAsync(Daemons(marker, "print('started')")));

        await Wait.UntilAsync(() => CountOf(marker) == 0, () => $"{CountOf(marker)} processes still run");
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task Everything_ends_when_the_service_is_killed(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);
        var marker = NewMarker();
        var service = site.Start("--", "/usr/bin/python3", "-c", Daemons(marker, "print(os.getcwd(), flush=True); time.sleep(600)"));
        var folder = await service.ReadLineAsync();
        Assert.NotNull(folder);
        await Wait.UntilAsync(() => CountOf(marker) == 2);

        await service.KillAsync();

        await Wait.UntilAsync(() => CountOf(marker) == 0, () => $"{CountOf(marker)} processes still run");
        await Wait.UntilAsync(() => folder == "/work" || !Directory.Exists(folder), () => $"{folder} still exists");
    }

    [Theory]
    [MemberData(nameof(Sites))]
    public async Task Files_that_are_hard_to_remove_are_removed(string user, bool isForbidden)
    {
        using var site = new SandboxSite(user, isForbidden);

        var folder = await site.PythonAsync(
            """
            import os
            print(os.getcwd())
            os.symlink('/usr', 'link')
            os.mkdir('closed')
            open('closed/file', 'w').close()
            os.mkdir('none', 0)
            for _ in range(60):
                os.mkdir('d' * 200)
                os.chdir('d' * 200)
            os.mkdir('none', 0)
            """
        );

        Assert.True(folder == "/work\n" || !Directory.Exists(folder.Trim()), folder);
    }

    /// <summary>A number of seconds that no other process sleeps for.</summary>
    internal static string NewMarker() => $"{Random.Shared.NextInt64(100_000_000, 999_999_999)}";

    /// <summary>A script that starts a daemon of two forks, which ignores signals, leaves a zombie, and then runs the last part.</summary>
    internal static string Daemons(string marker, string last) =>
        $$"""
            import os, signal, subprocess, time
            ready = os.pipe()
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    try:
                        os.setpgid(0, 0)
                    except OSError:
                        pass
                    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                        signal.signal(number, signal.SIG_IGN)
                    for file in (0, 1, 2):
                        os.close(file)
                    os.open('/dev/null', os.O_RDWR)
                    os.dup(0)
                    os.dup(0)
                    child = subprocess.Popen(['sleep', '{{marker}}'])
                    os.write(ready[1], b'x')
                    os.execv('/bin/sleep', ['sleep', '{{marker}}'])
                os._exit(0)
            if os.fork() == 0:
                os._exit(0)
            os.read(ready[0], 1)
            {{last}}
            """;

    internal static int CountOf(string marker) =>
        Directory
            .GetDirectories("/proc")
            .Count(folder =>
                CommandOf(folder).Contains(marker, StringComparison.Ordinal)
                && !CommandOf(folder).Contains("python", StringComparison.Ordinal)
            );

    private static string CommandOf(string folder)
    {
        try
        {
            return char.IsAsciiDigit(folder[^1]) ? File.ReadAllText($"{folder}/cmdline") : "";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
