namespace AgentExecutor.Core.Recording;

/// <summary>The content of a recording.</summary>
/// <param name="All">The exchanges in the order of their lines.</param>
/// <param name="WholeBytes">The position at which the last complete line ends.</param>
/// <param name="IsCutOff">True if the last line is incomplete because the program that wrote it was killed.</param>
public sealed record RecordedExchanges(IReadOnlyList<RecordedExchange> All, long WholeBytes, bool IsCutOff);
