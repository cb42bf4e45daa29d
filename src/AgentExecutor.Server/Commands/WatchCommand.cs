using System.CommandLine;
using System.Runtime.InteropServices;
using System.Text.Json;
using AgentExecutor.Core.Events;
using AgentExecutor.Server.Commands.Submitting;
using AgentExecutor.Server.Commands.Watching;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor watch</c>.</summary>
internal static class WatchCommand
{
    public static Command Create()
    {
        var thread = CommonOptions.Thread();
        var to = new Option<string?>("--to") { Description = "The service that has it: http://HOST:PORT. Where left out: the service on this machine." };
        var after = new Option<long>("--after") { Description = "Leave out the events up to this number." };
        var events = CommonOptions.Events();
        events.Arity = ArgumentArity.ZeroOrOne;
        after.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && text.StartsWith('-'))
            {
                result.AddError($"--after takes an event's number, not '{text}'");
            }
        });
        var command = new Command("watch", "Show a thread of a service live, from any machine that reaches it.") { thread, to, after, events };
        command.SetAction(async (result, cancellationToken) =>
        {
            var (threadId, url) = (result.GetValue(thread)!, CommonOptions.Service(CommonOptions.Settings(null), result.GetValue(to)));
            var isJson = result.GetResult(events) is { Implicit: false };
            var again = $"agent-executor watch {threadId}{(result.GetValue(to) is { } named ? $" --to {named}" : "")}{(isJson ? " --events" : "")}";
            return await WatchAsync(url, threadId, result.GetValue(after), isJson, again, cancellationToken);
        });
        return command;
    }

    private static async Task<int> WatchAsync(Uri url, string threadId, long after, bool isJson, string again, CancellationToken cancellationToken)
    {
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        void Leave(PosixSignalContext context)
        {
            context.Cancel = true;
            leave.Cancel();
        }
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Leave);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Leave);
        var run = new WatchedRun(threadId);
        var last = after;
        try
        {
            await (isJson ? Screen.ShowAsync(new NoView(), FollowAsync) : Screen.ShowAsync(threadId, FollowAsync));
            if (run.Ending is { } ending)
            {
                return RunReport.Write(ending, isJson);
            }
            await using var service = new HttpJobSender(url); // the events that tell it were seen before
            return JobReport.Write(threadId, await service.WaitAsync(threadId, leave.Token), isJson);
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            Console.Error.WriteLine($"thread {threadId} goes on; to watch it again: {again}{(isJson && last > 0 ? $" --after {last}" : "")}");
            return ExitCode.Stopped;
        }

        async Task<bool> FollowAsync(IRunView view)
        {
            using var http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) }) { Timeout = Timeout.InfiniteTimeSpan };
            var watch = new ThreadWatch(http, url, threadId, after, new WatchPatience(), TimeProvider.System, text => view.Notice(EventText.Short(text, 200)));
            using var output = isJson ? Console.OpenStandardOutput() : Stream.Null;
            await foreach (var told in watch.ReadAsync(leave.Token))
            {
                output.Write(told.Json.Span);
                output.WriteByte((byte)'\n');
                output.Flush();
                last = told.Sequence;
                if (RunEventReader.Read(threadId, JsonElement.Parse(told.Json.Span)) is { } envelope)
                {
                    run.Apply(envelope);
                    view.Show(envelope);
                }
            }
            return true;
        }
    }
}
