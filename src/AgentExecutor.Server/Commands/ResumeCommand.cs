using System.CommandLine;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Runs;
using AgentExecutor.Core.Threads;
using AgentExecutor.Server.Commands.Inputs;
using AgentExecutor.Server.Commands.Remote;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Commands.Submitting;
using AgentExecutor.Server.Composition;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor resume</c>.</summary>
internal static class ResumeCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var answer = new Option<string[]>("--answer")
        {
            HelpName = "ANSWER",
            Description = "The answer to an open question, as text or JSON. If several questions are open, repeat the option as ID=ANSWER.",
            AllowMultipleArgumentsPerToken = false,
        };
        var execution = new ExecutionOptions();
        var to = CommonOptions.To("The run continues there. Default: the run continues in this process.");
        var wait = new Option<bool>("--wait")
        {
            Description = "With --to: wait until the run ends or asks a question, and print the result.",
        };
        var command = new Command("resume", "Continue a thread that was stopped, killed or interrupted, or that failed.")
        {
            thread,
            answer,
            to,
            wait,
        };
        execution.AddTo(command);
        ForbidBoth(command, to, execution.All);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var settings = execution.Settings(result);
                var threadId = result.GetValue(thread)!;
                var answers = ReadAnswers(result.GetValue(answer) ?? []);
                if (result.GetValue(to) is { } service)
                {
                    return await ResumeAtServiceAsync(
                        CommonOptions.Service(settings, service),
                        threadId,
                        answers,
                        result.GetValue(wait),
                        cancellationToken
                    );
                }
                await using var recorded = await execution.OpenRecordingAsync(result, mayAppend: true, cancellationToken);
                await using var app = await CommandServices.OpenAsync(settings, cancellationToken, execution.Model(result), recorded.Tap);
                var run = await app.Runs.FindAsync(threadId, cancellationToken);
                OutDirectory.Check(execution.OutDirectory(result));
                var display = execution.Display(result, run?.Name ?? threadId);
                if (run is { Status: RunStatus.Completed } && await app.Executor.WereGivenAsync(threadId, answers, cancellationToken))
                {
                    // Repeating a resume must succeed, so the answer is printed again.
                    Console.Error.WriteLine(
                        $"the thread '{threadId}' is completed; there is nothing to resume [{FaultCodes.NothingToResume}]"
                    );
                    var at = await app.Reader.FindAsync(run, "", null, cancellationToken);
                    return RunReport.Write(new RunOutcome(run, at?.State, []), display);
                }
                return await RunFollower.FollowAsync(
                    app,
                    threadId,
                    display,
                    signals => app.Executor.ResumeAsync(threadId, answers, signals),
                    recorded
                );
            }
        );
        return command;
    }

    private static void ForbidBoth(Command command, Option to, IReadOnlyList<Option> others) =>
        command.Validators.Add(result =>
        {
            foreach (var other in others.Where(other => result.GetResult(to) is not null && result.GetResult(other) is not null))
            {
                result.AddError($"--to and {other.Name} cannot be combined: the service continues the run as it was submitted");
            }
        });

    private static async Task<int> ResumeAtServiceAsync(
        Uri url,
        string threadId,
        IReadOnlyDictionary<string, JsonElement> answers,
        bool wait,
        CancellationToken cancellationToken
    )
    {
        using var service = new ServiceThreads(url);
        await service.ResumeAsync(threadId, answers, cancellationToken);
        if (!wait)
        {
            Console.WriteLine(
                $"thread {threadId} continues; to watch it: agent-executor watch {threadId} --to {ServiceResponses.Name(url)}"
            );
            return ExitCode.Success;
        }
        await using var sender = new HttpJobSender(url);
        return JobReport.Write(threadId, await sender.WaitAsync(threadId, cancellationToken), service: url);
    }

    /// <summary>Reads <c>ID=ANSWER</c>, or only the answer. An interrupt id starts with 32 hexadecimal digits and a colon.</summary>
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
                throw new FaultException(
                    FaultCodes.InvalidAnswer,
                    "a question has two answers",
                    "use --answer ID=ANSWER once for each question"
                );
            }
        }
        return answers;
    }
}
