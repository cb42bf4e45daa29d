using System.CommandLine;
using AgentExecutor.Core.ModelProviders;
using AgentExecutor.Server.Commands.Recordings;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary>The options of the commands that execute a run in this process.</summary>
internal sealed class ExecutionOptions
{
    private readonly Option<string?> _model = CommonOptions.Model();
    private readonly Option<string?> _events = CommonOptions.Events();
    private readonly Option<string?> _out = CommonOptions.Out();
    private readonly Option<string?> _dataDir = CommonOptions.DataDir();
    private readonly RecordingOptions _recording = new();

    public IReadOnlyList<Option> All => [_model, _events, _out, _dataDir, .. _recording.All];

    public void AddTo(Command command)
    {
        foreach (var option in All)
        {
            command.Add(option);
        }
        _recording.ForbidBoth(command);
    }

    public ServerSettings Settings(ParseResult result) => CommonOptions.Settings(result, result.GetValue(_dataDir));

    /// <summary>The model of <c>--model</c>; null if the option is not given.</summary>
    public ModelSpec? Model(ParseResult result) => result.GetValue(_model) is { } name ? ModelNames.Parse(name) : null;

    public string? OutDirectory(ParseResult result) => result.GetValue(_out);

    /// <param name="title">The title of the display.</param>
    public DisplayOptions Display(ParseResult result, string title) =>
        new(title, result.GetValue(_events) is not null, result.GetValue(_out), result.GetValue(_dataDir))
        {
            Recording = _recording.Again(result),
        };

    /// <inheritdoc cref="RunRecording.OpenAsync"/>
    public Task<RunRecording> OpenRecordingAsync(ParseResult result, bool mayAppend, CancellationToken cancellationToken) =>
        RunRecording.OpenAsync(
            CommonOptions.Secrets(result),
            _recording.Record(result),
            _recording.Replay(result),
            mayAppend,
            cancellationToken
        );
}
