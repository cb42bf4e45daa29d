using System.CommandLine;
using System.Runtime.InteropServices;
using AgentExecutor.Core.Events;
using AgentExecutor.Core.Json;
using AgentExecutor.Server.Commands.Reports;
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
        var to = CommonOptions.To("Default: the service on this machine.");
        var after = new Option<long>("--after") { HelpName = "N", Description = "Skip the events up to and including this number." };
        var events = CommonOptions.Events();
        events.Arity = ArgumentArity.ZeroOrOne;
        after.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && text.StartsWith('-'))
            {
                result.AddError($"--after takes the number of an event, not '{text}'");
            }
        });
        var command = new Command("watch", "Show a thread of a service live.") { thread, to, after, events };
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var (threadId, url) = (
                    result.GetValue(thread)!,
                    CommonOptions.Service(CommonOptions.Settings(result, null), result.GetValue(to))
                );
                var isJson = result.GetResult(events) is { Implicit: false };
                var service = result.GetValue(to) is { } given ? $" --to {given}" : "";
                var again = $"agent-executor watch {threadId}{service}{(isJson ? " --events" : "")}";
                return await WatchAsync(url, threadId, result.GetValue(after), isJson, again, cancellationToken);
            }
        );
        return command;
    }

    private static async Task<int> WatchAsync(
        Uri url,
        string threadId,
        long after,
        bool isJson,
        string again,
        CancellationToken cancellationToken
    )
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
                return RunReport.Write(ending, isJson, url);
            }
            await using var service = new HttpJobSender(url); // the events with the result came before --after
            return JobReport.Write(threadId, await service.WaitAsync(threadId, leave.Token), isJson, url);
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            Console.Error.WriteLine(
                $"thread {threadId} continues; to watch it again: {again}{(isJson && last > 0 ? $" --after {last}" : "")}"
            );
            return ExitCode.Stopped;
        }

        async Task<bool> FollowAsync(IRunView view)
        {
            using var http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) })
            {
                Timeout = Timeout.InfiniteTimeSpan,
            };
            var watch = new ThreadWatch(
                http,
                url,
                threadId,
                after,
                new WatchTimeouts(),
                TimeProvider.System,
                text => view.Notice(EventText.Short(text, 200))
            );
            using var output = isJson ? Console.OpenStandardOutput() : Stream.Null;
            await foreach (var next in watch.ReadAsync(leave.Token))
            {
                output.Write(next.Json.Span);
                output.WriteByte((byte)'\n');
                output.Flush();
                last = next.Sequence;
                if (RunEventReader.Read(threadId, StoredJson.Parse(next.Json.Span)) is { } envelope)
                {
                    run.Apply(envelope);
                    view.Show(envelope);
                }
            }
            return true;
        }
    }
}
