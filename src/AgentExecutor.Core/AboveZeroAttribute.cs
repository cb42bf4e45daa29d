namespace AgentExecutor.Core;

/// <summary>A setting that makes no sense at 0.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class AboveZeroAttribute : Attribute;
