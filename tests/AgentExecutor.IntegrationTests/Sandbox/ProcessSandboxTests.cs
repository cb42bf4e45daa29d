using System.Text;
using AgentExecutor.Adapters.Sandbox;
using AgentExecutor.Core;
using AgentExecutor.IntegrationTests.Support;

namespace AgentExecutor.IntegrationTests.Sandbox;

/// <summary>What the service relies on when it starts programs, at both levels of isolation, as the user of the tests.</summary>
public sealed class ProcessSandboxTests
{
    public static TheoryData<string> Levels() => new("Namespaces", "Restricted");

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task A_program_reads_its_input_and_its_files_and_ends_with_its_exit_code(string level)
    {
        await using var sandbox = await CreateAsync(level);
        var request = new SandboxRequest("sh", ["-c", "cat; cat given; echo problem >&2; exit 7"])
        {
            Files = new Dictionary<string, byte[]> { ["given"] = "from a file"u8.ToArray() },
        };

        await using var process = await sandbox.StartAsync(request, TestContext.Current.CancellationToken);
        await process.StandardInput.WriteAsync("from the input, "u8.ToArray(), TestContext.Current.CancellationToken);
        process.StandardInput.Close();

        Assert.Equal("from the input, from a file", await ReadAsync(process.StandardOutput));
        Assert.Equal("problem\n", await ReadAsync(process.StandardError));
        Assert.Equal(7, await process.Exit);
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task A_program_that_a_signal_ends_has_an_exit_code_above_128(string level)
    {
        await using var sandbox = await CreateAsync(level);
        await using var process = await sandbox.StartAsync(
            new SandboxRequest("sh", ["-c", "kill -9 $$"]),
            TestContext.Current.CancellationToken
        );

        Assert.Equal(128 + 9, await process.Exit.WaitAsync(AgentExecutorProgram.Limit, TestContext.Current.CancellationToken));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task Endless_output_ends_when_the_program_is_disposed(string level)
    {
        await using var sandbox = await CreateAsync(level);
        var process = await sandbox.StartAsync(new SandboxRequest("sh", ["-c", "yes & yes & yes"]), TestContext.Current.CancellationToken);
        await process.StandardOutput.ReadExactlyAsync(new byte[1 << 20], TestContext.Current.CancellationToken);

        await process.DisposeAsync();

        Assert.True(process.Exit.IsCompleted);
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task Daemons_have_ended_when_the_program_is_disposed(string level)
    {
        await using var sandbox = await CreateAsync(level);
        var marker = ExhaustionTests.NewMarker();
        var process = await sandbox.StartAsync(
            new SandboxRequest("python3", ["-c", ExhaustionTests.Daemons(marker, "print('started', flush=True); time.sleep(600)")]),
            TestContext.Current.CancellationToken
        );
        await process.StandardOutput.ReadExactlyAsync(new byte["started\n".Length], TestContext.Current.CancellationToken);
        Assert.True(ExhaustionTests.CountOf(marker) > 0);

        await process.DisposeAsync();

        Assert.Equal(0, ExhaustionTests.CountOf(marker));
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task Many_programs_run_at_the_same_time_and_cannot_see_each_other(string level)
    {
        await using var sandbox = await CreateAsync(level);
        var running = await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(number =>
                    sandbox.StartAsync(
                        new SandboxRequest("sh", ["-c", "echo $NUMBER > mine; cat; ls -A"])
                        {
                            Variables = new Dictionary<string, string> { ["NUMBER"] = $"{number}" },
                        },
                        TestContext.Current.CancellationToken
                    )
                )
        );
        foreach (var process in running)
        {
            process.StandardInput.Close();
            Assert.Equal("mine\n", await ReadAsync(process.StandardOutput));
            await process.DisposeAsync();
        }
    }

    [Theory]
    [MemberData(nameof(Levels))]
    public async Task A_path_of_the_request_can_be_read_and_another_one_changed(string level)
    {
        await using var sandbox = await CreateAsync(level);
        var folder = Directory.CreateTempSubdirectory("agent-executor-it-").FullName;
        SandboxSite.SetMode(folder, "755");
        var (read, write) = (Path.Combine(folder, "read"), Path.Combine(folder, "write"));
        foreach (var path in (string[])[read, write])
        {
            await File.WriteAllTextAsync(path, "before", TestContext.Current.CancellationToken);
            SandboxSite.SetMode(path, "666");
        }

        await using var process = await sandbox.StartAsync(
            new SandboxRequest("sh", ["-c", $"cat {read}; echo after > {read}; echo after > {write}"])
            {
                ReadablePaths = [read],
                WritablePaths = [write],
            },
            TestContext.Current.CancellationToken
        );
        Assert.Equal("before", await ReadAsync(process.StandardOutput));
        await process.Exit;

        Assert.Equal("before", await File.ReadAllTextAsync(read, TestContext.Current.CancellationToken));
        Assert.Equal("after\n", await File.ReadAllTextAsync(write, TestContext.Current.CancellationToken));
        Directory.Delete(folder, recursive: true);
    }

    [Theory]
    [InlineData("no-such-program", "the program 'no-such-program' is not installed in")]
    [InlineData("/no/such/program", "the program '/no/such/program' does not exist")]
    [InlineData("/etc/hostname", "the program '/etc/hostname' is outside of the folders that the sandbox shows")]
    public async Task A_program_that_cannot_be_started_is_named(string program, string message)
    {
        await using var sandbox = await CreateAsync("Namespaces");

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            sandbox.StartAsync(new SandboxRequest(program, []), TestContext.Current.CancellationToken)
        );

        Assert.Equal(FaultCodes.SandboxUnavailable, fault.Code);
        Assert.StartsWith(message, fault.Message, StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string, string> Injections() =>
        new()
        {
            { "a\0--bind\0/\0/host", "", "", "contains a null character" },
            { "", "a\0--bind\0/\0/host", "", "contains a null character" },
            { "", "", "name\0--bind\0/\0/host", "contains a null character" },
            { "", "", "../outside", "is not the name of a file" },
            { "", "", "/outside", "is not the name of a file" },
        };

    [Theory]
    [MemberData(nameof(Injections))]
    public async Task Values_cannot_add_options_to_the_sandbox(string value, string argument, string file, string message)
    {
        await using var sandbox = await CreateAsync("Restricted");
        var request = new SandboxRequest("true", [argument])
        {
            Variables = new Dictionary<string, string> { ["NAME"] = value },
            Files = file.Length > 0 ? new Dictionary<string, byte[]> { [file] = [] } : [],
        };

        var fault = await Assert.ThrowsAsync<FaultException>(() => sandbox.StartAsync(request, TestContext.Current.CancellationToken));

        Assert.Equal(FaultCodes.InvalidInput, fault.Code);
        Assert.Contains(message, fault.Message);
    }

    [Fact]
    public async Task Network_is_refused()
    {
        await using var sandbox = await CreateAsync("Namespaces");

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            sandbox.StartAsync(new SandboxRequest("true", []) { UsesNetwork = true }, TestContext.Current.CancellationToken)
        );

        Assert.Equal(FaultCodes.SandboxUnavailable, fault.Code);
    }

    [Fact]
    public async Task A_level_below_the_minimum_is_refused_with_what_is_missing()
    {
        await using var sandbox = new ProcessSandbox(
            new SandboxSettings { Minimum = "namespaces" },
            TimeProvider.System,
            SandboxSite.Program,
            SandboxLevel.Restricted
        );

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            sandbox.StartAsync(new SandboxRequest("true", []), TestContext.Current.CancellationToken)
        );

        Assert.Contains("AGENT_EXECUTOR_SANDBOX_MINIMUM=namespaces", fault.Message);
    }

    /// <summary>A sandbox of this level. The test is skipped if the machine does not provide it.</summary>
    private static async Task<ProcessSandbox> CreateAsync(string level)
    {
        var wanted = Enum.Parse<SandboxLevel>(level);
        var sandbox = new ProcessSandbox(new SandboxSettings(), TimeProvider.System, SandboxSite.Program, wanted);
        var state = await sandbox.StateAsync(TestContext.Current.CancellationToken);
        Assert.SkipUnless(state.Level == wanted, state.Describe());
        return sandbox;
    }

    private static async Task<string> ReadAsync(Stream stream)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
        return await reader
            .ReadToEndAsync(TestContext.Current.CancellationToken)
            .WaitAsync(AgentExecutorProgram.Limit, TestContext.Current.CancellationToken);
    }
}
