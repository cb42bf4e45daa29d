using System.Runtime.InteropServices;

namespace AgentExecutor.Adapters.Sandbox.Linux;

/// <summary>A processor architecture whose system calls the filter knows.</summary>
internal enum CpuArchitecture
{
    X64,
    Arm64,
}

/// <summary>Finds the architecture of this process.</summary>
internal static class ThisArchitecture
{
    /// <summary>The architecture of this process, or null if the system call filter does not know it.</summary>
    public static CpuArchitecture? Find() =>
        RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => CpuArchitecture.X64,
            Architecture.Arm64 => CpuArchitecture.Arm64,
            _ => null,
        };
}
