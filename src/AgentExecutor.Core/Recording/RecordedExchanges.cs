namespace AgentExecutor.Core.Recording;

/// <summary>What a recording holds.</summary>
/// <param name="All">The exchanges, in the order of their lines.</param>
/// <param name="WholeBytes">Where the last whole line ends.</param>
/// <param name="IsCutOff">The last line is not whole: the program that wrote it was killed.</param>
public sealed record RecordedExchanges(IReadOnlyList<RecordedExchange> All, long WholeBytes, bool IsCutOff);
