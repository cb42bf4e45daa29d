using System.CommandLine;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Workers;
using AgentExecutor.Server.Commands.Submitting;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor submit</c>.</summary>
internal static class SubmitCommand
{
    public static Command Create()
    {
        var definition = new Argument<string>("FILE") { Description = "An agent definition, or a whole job: its data, or a CloudEvent." };
        var input = new Option<string?>("--input") { Description = "The input: text, a JSON object, or @FILE with either." };
        var thread = new Option<string?>("--thread") { Description = "The thread to run on; a new one, named like the run, where left out. Runs of one thread follow each other." };
        var runId = new Option<string?>("--run-id") { Description = "The run's id, a job's job_id; made where left out. The same id again is the same run." };
        var priority = new Option<int>("--priority") { Description = "0 is taken first, 9 last.", DefaultValueFactory = _ => RunSubmission.DefaultPriority };
        var key = new Option<string?>("--key") { Description = "Runs with the same key share a limit." };
        var limit = new Option<int>("--key-limit") { Description = "How many runs with the key run at once.", DefaultValueFactory = _ => 1 };
        var delay = new Option<TimeSpan?>("--delay") { Description = "Take it no sooner than after this: 90s, 15m, 2h, 30d.", CustomParser = Durations.Parse };
        var to = new Option<string?>("--to") { Description = "The service to send it to: http://HOST:PORT or nats://HOST:PORT. Where left out: NATS_URL, else the queue in PostgreSQL, else the service on this machine." };
        var wait = new Option<bool>("--wait") { Description = "Wait for its end and print the answer, as 'run' does." };
        var outDir = CommonOptions.Out();
        var command = new Command("submit", "Send a job to a service ('serve'), by HTTP, NATS or the queue in PostgreSQL.")
        {
            definition, input, to, wait, runId, thread, priority, key, limit, delay, outDir,
        };
        CommonOptions.Range(priority, 0, RunSubmission.LastPriority);
        CommonOptions.Range(limit, 1, int.MaxValue);
        command.SetAction(async (result, cancellationToken) =>
        {
            var settings = CommonOptions.Settings(null);
            var asksStore = result.GetValue(thread) is not null || result.GetValue(key) is not null || result.GetValue(delay) is not null
                || result.GetValue(outDir) is not null || result.GetResult(priority) is { Implicit: false };
            var sender = SenderOf(settings, result.GetValue(to), asksStore);
            var json = DefinitionFile.Read(result.GetValue(definition)!);
            if (sender is not null)
            {
                await using (sender)
                {
                    return await SendAsync(sender, json, result.GetValue(input), result.GetValue(runId), result.GetValue(wait), cancellationToken);
                }
            }
            if (JobFile.IsJob(json))
            {
                throw new FaultException(FaultCodes.InvalidInput, "the file is a whole job, which the queue in PostgreSQL does not take", "send it with --to http://HOST:PORT or nats://HOST:PORT");
            }
            if (AdapterCatalog.IsNamed(settings.Nats))
            {
                Console.Error.WriteLine($"not over NATS, for --thread, --priority, --key, --delay and --out are of the queue: stored in {AdapterCatalog.Describe(settings.Postgres)}");
            }
            var submission = new StoreSubmission(json, InputArgument.Read(result.GetValue(input), []), result.GetValue(runId), result.GetValue(thread))
            {
                Priority = result.GetValue(priority),
                ConcurrencyKey = result.GetValue(key),
                ConcurrencyLimit = result.GetValue(limit),
                Delay = result.GetValue(delay) ?? TimeSpan.Zero,
                OutDirectory = result.GetValue(outDir),
            };
            return await submission.SubmitAsync(settings, result.GetValue(wait), cancellationToken);
        });
        return command;
    }

    /// <summary>Whom to send to: who is named, NATS, or the store's queue where PostgreSQL is named (null), else the service of this machine.</summary>
    private static IJobSender? SenderOf(ServerSettings settings, string? to, bool asksStore)
    {
        if (to is not null && asksStore)
        {
            throw new FaultException(FaultCodes.InvalidInput, "--thread, --priority, --key, --delay and --out are for the queue in PostgreSQL, and --to names another", "leave one or the other out");
        }
        if (to is null && (asksStore || (AdapterCatalog.IsNamed(settings.Postgres) && !AdapterCatalog.IsNamed(settings.Nats))))
        {
            return null;
        }
        if (to is null && AdapterCatalog.IsNamed(settings.Nats))
        {
            return BusSender(settings, settings.Nats);
        }
        return Uri.TryCreate(to ?? $"http://127.0.0.1:{settings.Port}", UriKind.Absolute, out var url)
            ? url.Scheme switch
            {
                "http" or "https" => new HttpJobSender(url),
                "nats" or "tls" => BusSender(settings, settings.Nats with { Url = new Secret(to) }),
                _ => throw NoTarget(to!),
            }
            : throw NoTarget(to!);
    }

    private static BusJobSender BusSender(ServerSettings settings, NatsSettings nats) =>
        new(AdapterCatalog.OpenNatsBus(nats, settings.Bus, isClient: true, TimeProvider.System, LineLoggers.ForCommands), AdapterCatalog.Describe(nats));

    private static FaultException NoTarget(string to) => new(FaultCodes.InvalidInput, $"'{to}' is no service", "write http://HOST:PORT or nats://HOST:PORT");

    private static async Task<int> SendAsync(IJobSender sender, byte[] json, string? input, string? id, bool wait, CancellationToken cancellationToken)
    {
        var isJob = JobFile.IsJob(json);
        if (isJob && (input is not null || id is not null))
        {
            throw new FaultException(FaultCodes.InvalidInput, "the file is a whole job: it has its own input and job_id", "leave --input and --run-id out");
        }
        if (!isJob && input is null)
        {
            throw new FaultException(FaultCodes.InvalidInput, "a job needs an input", "add --input TEXT, @FILE or JSON");
        }
        var jobId = isJob ? JobFile.IdOf(json) : id ?? Guid.CreateVersion7().ToString();
        var data = isJob ? json : JobFile.Make(jobId, JobFile.CheckJson(json), InputArgument.Read(input, []));
        JobRequestReader.ReadMessage(null, [], data); // refused here, not by the service
        await sender.SendAsync(jobId, data, cancellationToken);
        if (!wait)
        {
            Console.WriteLine(jobId);
            return ExitCode.Success;
        }
        Console.Error.WriteLine($"job {jobId} sent to {sender.Target}");
        return JobReport.Write(jobId, await sender.WaitAsync(jobId, cancellationToken));
    }
}
