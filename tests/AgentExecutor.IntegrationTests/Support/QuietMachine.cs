namespace AgentExecutor.IntegrationTests.Support;

/// <summary>Tests that run alone, after all others, because they observe deadlines of a server or a client library.</summary>
[CollectionDefinition(DisableParallelization = true)]
public sealed class QuietMachine;
