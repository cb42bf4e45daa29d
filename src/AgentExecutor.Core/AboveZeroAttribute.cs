namespace AgentExecutor.Core;

/// <summary>Marks a setting whose value must be greater than 0.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class AboveZeroAttribute : Attribute;
