namespace AgentExecutor.Adapters.Sandbox;

/// <summary>Runs a program in the sandbox for a person: its input and output are those of this process.</summary>
internal static class SandboxCommand
{
    /// <summary>Returns the exit code of the program, and 128 and the number of the signal if a signal ended it.</summary>
    /// <exception cref="Core.FaultException">
    /// The program does not exist, or the machine does not provide the required isolation.
    /// </exception>
    public static async Task<int> RunAsync(ISandbox sandbox, SandboxCommandSettings command, CancellationToken cancellationToken)
    {
        await using var process = await sandbox.StartAsync(RequestOf(command), cancellationToken);
        using var input = Console.OpenStandardInput();
        // The input of a person may never end, so nothing waits for it.
        var copying = CopyInputAsync(input, process.StandardInput, cancellationToken);
        await using var output = Console.OpenStandardOutput();
        await using var errors = Console.OpenStandardError();
        await Task.WhenAll(
            process.StandardOutput.CopyToAsync(output, cancellationToken),
            process.StandardError.CopyToAsync(errors, cancellationToken)
        );
        return await process.Exit.WaitAsync(cancellationToken);
    }

    private static async Task CopyInputAsync(Stream from, Stream to, CancellationToken cancellationToken)
    {
        try
        {
            await from.CopyToAsync(to, cancellationToken);
            await to.DisposeAsync();
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The program does not read its input any more.
        }
    }

    private static SandboxRequest RequestOf(SandboxCommandSettings command)
    {
        var usual = new SandboxLimits();
        return new SandboxRequest(command.Program, command.Arguments)
        {
            ReadablePaths = command.ReadablePaths,
            Variables = command.Variables,
            UsesNetwork = command.UsesNetwork,
            Limits = new SandboxLimits
            {
                CpuTime = command.CpuSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : usual.CpuTime,
                MemoryBytes = command.MemoryMegabytes is { } memory ? (long)memory << 20 : usual.MemoryBytes,
                Processes = command.Processes ?? usual.Processes,
                FileBytes = command.FileMegabytes is { } file ? (long)file << 20 : usual.FileBytes,
            },
        };
    }
}
