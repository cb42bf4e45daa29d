using System.CommandLine;

namespace AgentExecutor.Server.Commands.Recordings;

/// <summary>The options <c>--record</c> and <c>--replay</c>, which cannot be combined.</summary>
internal sealed class RecordingOptions
{
    private readonly Option<string?> _record = new("--record")
    {
        HelpName = "FILE",
        Description = "Record every exchange with models and tools in this file, without secrets.",
    };

    private readonly Option<string?> _replay = new("--replay")
    {
        HelpName = "FILE",
        Description = "Answer all model and tool calls from this file, which --record wrote, without keys or network.",
    };

    public IReadOnlyList<Option> All => [_record, _replay];

    /// <summary>Adds an error to command lines with both options.</summary>
    public void ForbidBoth(Command command) =>
        command.Validators.Add(result =>
        {
            if (result.GetResult(_record) is not null && result.GetResult(_replay) is not null)
            {
                result.AddError("--record and --replay cannot be combined: a replay makes no calls that could be recorded");
            }
        });

    public string? Record(ParseResult result) => result.GetValue(_record);

    public string? Replay(ParseResult result) => result.GetValue(_replay);

    /// <summary>The options to repeat in the printed resume command, with a leading space; or empty.</summary>
    public string Again(ParseResult result) =>
        Record(result) is { } record ? $" --record {record}"
        : Replay(result) is { } replay ? $" --replay {replay}"
        : "";
}
