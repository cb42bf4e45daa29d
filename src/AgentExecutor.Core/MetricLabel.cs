using System.Collections.Immutable;

namespace AgentExecutor.Core;

/// <summary>A label of a metric, and all its values where they are known beforehand.</summary>
/// <param name="Values">Empty where they depend on what runs, such as a model's name.</param>
public sealed record MetricLabel(string Name, params ImmutableArray<string> Values);
