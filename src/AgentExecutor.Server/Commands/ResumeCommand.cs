using System.CommandLine;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Server.Commands.Recordings;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor resume</c>.</summary>
internal static class ResumeCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var answer = new Option<string[]>("--answer")
        {
            Description = "An answer to an open question: text or JSON, with ID= before it where several are open. May be given several times.",
            AllowMultipleArgumentsPerToken = false,
        };
        var (model, events, outDir, dataDir) = (CommonOptions.Model(), CommonOptions.Events(), CommonOptions.Out(), CommonOptions.DataDir());
        var command = new Command("resume", "Go on with a thread that was stopped, killed, interrupted or failed.")
        {
            thread, answer, model, events, outDir, dataDir,
        };
        var recording = new RecordingOptions();
        recording.AddTo(command);
        command.SetAction(async (result, cancellationToken) =>
        {
            var settings = CommonOptions.Settings(result.GetValue(dataDir));
            var threadId = result.GetValue(thread)!;
            var answers = ReadAnswers(result.GetValue(answer) ?? []);
            await using var tape = await Tape.OpenAsync(recording.Record(result), recording.Replay(result), mayGoOn: true, cancellationToken);
            await using var app = await App.OpenAsync(settings, cancellationToken, result.GetValue(model) is { } name ? App.ParseModel(name) : null, tape.Tap);
            var run = await app.Runs.FindAsync(threadId, cancellationToken);
            OutDirectory.Check(result.GetValue(outDir));
            var options = new FollowOptions(run?.Name ?? threadId, result.GetValue(events) is not null, result.GetValue(outDir), result.GetValue(dataDir))
            {
                Recording = recording.Again(result),
            };
            return await RunFollower.FollowAsync(app, threadId, options, signals => app.Executor.ResumeAsync(threadId, answers, signals), tape);
        });
        return command;
    }

    /// <summary><c>ID=ANSWER</c>, where the id is one of ours (32 hex digits, a colon and more), or the answer alone.</summary>
    private static Dictionary<string, JsonElement> ReadAnswers(string[] texts)
    {
        var answers = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var text in texts)
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            var hasId = equals > 33 && text[32] == ':' && text[..32].All(char.IsAsciiHexDigitLower);
            var id = hasId ? text[..equals] : "";
            if (!answers.TryAdd(id, InputArgument.Value(hasId ? text[(equals + 1)..] : text)))
            {
                throw new FaultException(FaultCodes.InvalidAnswer, "two answers are given for one question", "write --answer ID=ANSWER for each");
            }
        }
        return answers;
    }
}
