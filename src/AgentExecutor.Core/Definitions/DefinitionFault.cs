namespace AgentExecutor.Core.Definitions;

/// <summary>A problem in a definition.</summary>
/// <param name="Code">One of <see cref="DefinitionCodes"/>.</param>
/// <param name="Path">Where the problem is, as a JSON path such as <c>$.nodes[2].config.tools[0]</c>.</param>
/// <param name="Message">What is wrong, in one sentence.</param>
/// <param name="Hint">How to fix it.</param>
/// <param name="IsWarning">True if the definition can be run nevertheless.</param>
public sealed record DefinitionFault(string Code, string Path, string Message, string Hint, bool IsWarning = false)
{
    /// <summary>True if the definition itself is valid but something that it needs is missing here: a key, a setting or a price.</summary>
    public bool IsEnvironment { get; init; }

    public override string ToString() => $"{Path}: {Message} [{Code}]";
}

/// <summary>The stable codes of problems in definitions.</summary>
public static class DefinitionCodes
{
    public const string NotJson = "not_json";
    public const string WrongType = "wrong_type";
    public const string WrongValue = "wrong_value";
    public const string MissingField = "missing_field";
    public const string UnknownField = "unknown_field";
    public const string NoNodes = "no_nodes";
    public const string DuplicateName = "duplicate_name";
    public const string InvalidName = "invalid_name";
    public const string UnknownNodeType = "unknown_node_type";
    public const string UnknownNode = "unknown_node";
    public const string UnknownTool = "unknown_tool";
    public const string UnknownSkill = "unknown_skill";
    public const string InvalidSkill = "invalid_skill";
    public const string UnknownReducer = "unknown_reducer";
    public const string UnknownProvider = "unknown_provider";
    public const string MissingModel = "missing_model";
    public const string InvalidModel = "invalid_model";
    public const string UnknownPrice = "unknown_price";
    public const string UnknownRuntime = "unknown_runtime";
    public const string InvalidSchema = "invalid_schema";
    public const string InvalidTool = "invalid_tool";
    public const string InvalidExpression = "invalid_expression";
    public const string InvalidState = "invalid_state";
    public const string UnreachableNode = "unreachable_node";
    public const string NoStart = "no_start";
    public const string CycleWithoutExit = "cycle_without_exit";
    public const string MissingJoin = "missing_join";
    public const string MissingElse = "missing_else";
    public const string ConflictingWrites = "conflicting_writes";
    public const string LimitAboveServer = "limit_above_server";
    public const string InvalidLimit = "invalid_limit";
    public const string TooLarge = "too_large";
    public const string MeaninglessEdge = "meaningless_edge";
    public const string DuplicateEdge = "duplicate_edge";
    public const string IgnoredField = "ignored_field";
    public const string SeveralOrchestrators = "several_orchestrators";
    public const string MissingDescription = "missing_description";
}
