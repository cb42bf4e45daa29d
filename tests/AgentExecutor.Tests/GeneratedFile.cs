namespace AgentExecutor.Tests;

/// <summary>A committed file that is generated from the code.</summary>
internal static class GeneratedFile
{
    /// <summary>Fails if the file differs from what the code generates, and writes it for the next commit.</summary>
    public static void AssertCurrent(string path, string expected)
    {
        var full = Path.Combine(Repository.Root, path);
        var committed = File.Exists(full) ? File.ReadAllText(full) : "";
        if (committed != expected)
        {
            File.WriteAllText(full, expected);
        }
        Assert.True(committed == expected, $"{path} was out of date; it has been written anew: commit it");
    }
}
