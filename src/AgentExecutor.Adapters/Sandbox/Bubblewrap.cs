namespace AgentExecutor.Adapters.Sandbox;

/// <summary>Finds the program bubblewrap.</summary>
internal static class Bubblewrap
{
    private static readonly string[] Places = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];

    /// <summary>The path of the program, or null if it is not installed.</summary>
    public static string? Find() => Array.Find(Places, File.Exists);
}
