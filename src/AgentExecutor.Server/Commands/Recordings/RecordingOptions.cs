using System.CommandLine;

namespace AgentExecutor.Server.Commands.Recordings;

/// <summary><c>--record</c> and <c>--replay</c>, of which a command takes one.</summary>
internal sealed class RecordingOptions
{
    private readonly Option<string?> _record = new("--record") { Description = "Keep every exchange with models and tools in this file, without secrets." };
    private readonly Option<string?> _replay = new("--replay") { Description = "Answer every request to a model or a tool from this file, made by --record: without keys and network." };

    public void AddTo(Command command)
    {
        command.Add(_record);
        command.Add(_replay);
        command.Validators.Add(result =>
        {
            if (result.GetResult(_record) is not null && result.GetResult(_replay) is not null)
            {
                result.AddError("--record and --replay exclude each other: a replay makes no exchange that could be recorded");
            }
        });
    }

    public string? Record(ParseResult result) => result.GetValue(_record);

    public string? Replay(ParseResult result) => result.GetValue(_replay);

    /// <summary>What the command that goes on with the run must say again; empty where neither is given.</summary>
    public string Again(ParseResult result) =>
        Record(result) is { } record ? $" --record {record}" : Replay(result) is { } replay ? $" --replay {replay}" : "";
}
