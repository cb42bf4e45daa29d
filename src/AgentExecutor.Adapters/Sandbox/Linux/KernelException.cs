namespace AgentExecutor.Adapters.Sandbox.Linux;

/// <summary>The sandbox of a program could not be set up. The message is a sentence for the operator.</summary>
internal sealed class KernelException(string message) : Exception(message)
{
    /// <summary>Throws the last error of the C library if the condition is true.</summary>
    public static void ThrowIf(bool failed, string what)
    {
        if (failed)
        {
            throw new KernelException($"{what}: {Libc.LastError()}");
        }
    }
}
