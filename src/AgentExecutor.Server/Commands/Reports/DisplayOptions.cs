namespace AgentExecutor.Server.Commands.Reports;

/// <summary>How a run is displayed.</summary>
/// <param name="Title">The title of the display.</param>
/// <param name="JsonLines">True to write events as JSON lines to standard output.</param>
/// <param name="OutDirectory">The directory to save the files of the agents to.</param>
/// <param name="DataDir">The value of <c>--data-dir</c>, which the printed resume command repeats.</param>
internal sealed record DisplayOptions(string Title, bool JsonLines, string? OutDirectory, string? DataDir)
{
    /// <summary>The recording options that the printed resume command repeats, with a leading space; or empty.</summary>
    public string Recording { get; init; } = "";

    /// <summary>The command that resumes a thread.</summary>
    public string ResumeCommand(string threadId) =>
        $"agent-executor resume {threadId}{(DataDir is null ? "" : $" --data-dir {DataDir}")}{Recording}";
}
