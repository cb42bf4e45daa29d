using System.Collections.Immutable;

namespace AgentExecutor.Core;

/// <summary>A label of a metric, with all its values if they are known in advance.</summary>
/// <param name="Values">Empty if they are not known in advance, such as the names of models.</param>
public sealed record MetricLabel(string Name, params ImmutableArray<string> Values);
