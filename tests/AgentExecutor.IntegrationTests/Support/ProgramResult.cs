namespace AgentExecutor.IntegrationTests.Support;

/// <summary>The exit code and the output of a command.</summary>
public sealed record ProgramResult(int ExitCode, string Output, string Error);
