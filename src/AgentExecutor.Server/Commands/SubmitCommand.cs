using System.CommandLine;
using AgentExecutor.Adapters;
using AgentExecutor.Adapters.Nats;
using AgentExecutor.Core;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Core.Queues;
using AgentExecutor.Server.Commands.Inputs;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Commands.Submitting;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor submit</c>.</summary>
internal static class SubmitCommand
{
    public static Command Create()
    {
        var definition = new Argument<string>("FILE")
        {
            Description = "An agent definition, or a complete job (its data, or a CloudEvent).",
        };
        var input = new Option<string?>("--input")
        {
            HelpName = "INPUT",
            Description = "The input: text, a JSON object, or @FILE to read either from a file.",
        };
        var thread = new Option<string?>("--thread")
        {
            HelpName = "ID",
            Description = "The id of the thread. Runs of one thread execute one by one. Default: a new thread with the id of the run.",
        };
        var runId = new Option<string?>("--run-id")
        {
            HelpName = "ID",
            Description = "The id of the run (job_id). Submitting the same id again does not start another run. Default: a generated id.",
        };
        var priority = new Option<int>("--priority")
        {
            HelpName = "N",
            Description = "The priority, from 0 (first) to 9 (last).",
            DefaultValueFactory = _ => RunSubmission.DefaultPriority,
        };
        var key = new Option<string?>("--key")
        {
            HelpName = "KEY",
            Description = "The concurrency key. Runs with the same key share a limit.",
        };
        var limit = new Option<int>("--key-limit")
        {
            HelpName = "N",
            Description = "How many runs with the same key may execute at once.",
            DefaultValueFactory = _ => 1,
        };
        var delay = new Option<TimeSpan?>("--delay")
        {
            HelpName = "DURATION",
            Description = "Start the run after this delay, such as 90s, 15m, 2h or 30d.",
            CustomParser = Durations.Parse,
        };
        var to = new Option<string?>("--to")
        {
            HelpName = "URL",
            Description =
                "The service: http://HOST:PORT or nats://HOST:PORT. "
                + "Default: NATS if it is configured, otherwise the queue in PostgreSQL if that is configured, "
                + "otherwise the service on this machine.",
        };
        var wait = new Option<bool>("--wait") { Description = "Wait until the run ends and print the answer, like 'run'." };
        var outDir = CommonOptions.Out();
        var command = new Command("submit", "Send a job to a service over HTTP, NATS or the queue in PostgreSQL.")
        {
            definition,
            input,
            to,
            wait,
            runId,
            thread,
            priority,
            key,
            limit,
            delay,
            outDir,
        };
        CommonOptions.Range(priority, 0, RunSubmission.LastPriority);
        CommonOptions.Range(limit, 1, int.MaxValue);
        command.SetAction(
            async (result, cancellationToken) =>
            {
                var settings = CommonOptions.Settings(result, null);
                var needsQueue =
                    result.GetValue(thread) is not null
                    || result.GetValue(key) is not null
                    || result.GetValue(delay) is not null
                    || result.GetValue(outDir) is not null
                    || result.GetResult(priority) is { Implicit: false };
                var sender = SenderOf(settings, result.GetValue(to), needsQueue);
                var file = DefinitionFile.Read(result.GetValue(definition)!);
                var json = JobFile.ToStrictJson(file);
                if (JobFile.DefinitionIn(json) is { } inside)
                {
                    await using var environment = DefinitionEnvironments.Create(settings);
                    await DefinitionCheck.ForServiceAsync(inside, environment, cancellationToken);
                }
                if (sender is not null)
                {
                    await using (sender)
                    {
                        return await SendAsync(
                            sender,
                            json,
                            result.GetValue(input),
                            result.GetValue(runId),
                            result.GetValue(wait),
                            cancellationToken
                        );
                    }
                }
                if (JobFile.IsJob(json))
                {
                    throw new FaultException(
                        FaultCodes.InvalidInput,
                        "the file is a complete job, which cannot be submitted to the queue in PostgreSQL",
                        "send it with --to http://HOST:PORT or nats://HOST:PORT"
                    );
                }
                if (AdapterCatalog.IsNamed(settings.Nats))
                {
                    Console.Error.WriteLine(
                        "NATS is not used, because --thread, --priority, --key, --delay and --out need the queue: "
                            + $"the job is stored in {AdapterCatalog.Describe(settings.Postgres)}"
                    );
                }
                var submission = new StoreSubmission(
                    file,
                    InputArgument.Read(result.GetValue(input), []),
                    result.GetValue(runId),
                    result.GetValue(thread)
                )
                {
                    Priority = result.GetValue(priority),
                    ConcurrencyKey = result.GetValue(key),
                    ConcurrencyLimit = result.GetValue(limit),
                    Delay = result.GetValue(delay) ?? TimeSpan.Zero,
                    OutDirectory = result.GetValue(outDir),
                };
                return await submission.SubmitAsync(settings, result.GetValue(wait), cancellationToken);
            }
        );
        return command;
    }

    /// <summary>
    /// The way to send the job: the given URL, else NATS, else the queue in PostgreSQL (null), else the service on this machine.
    /// </summary>
    private static IJobSender? SenderOf(ServerSettings settings, string? to, bool needsQueue)
    {
        if (to is not null && needsQueue)
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                "--thread, --priority, --key, --delay and --out need the queue in PostgreSQL, and cannot be combined with --to",
                "remove these options, or --to"
            );
        }
        if (to is null && (needsQueue || (AdapterCatalog.IsNamed(settings.Postgres) && !AdapterCatalog.IsNamed(settings.Nats))))
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
                _ => throw NotService(to!),
            }
            : throw NotService(to!);
    }

    private static BusJobSender BusSender(ServerSettings settings, NatsSettings nats) =>
        new(
            AdapterCatalog.OpenNatsBus(nats, settings.Bus, isClient: true, TimeProvider.System, LineLoggers.ForCommands),
            AdapterCatalog.Describe(nats)
        );

    private static FaultException NotService(string to) =>
        new(FaultCodes.InvalidInput, $"--to: '{to}' is not the URL of a service", "use http://HOST:PORT or nats://HOST:PORT");

    private static async Task<int> SendAsync(
        IJobSender sender,
        byte[] json,
        string? input,
        string? id,
        bool wait,
        CancellationToken cancellationToken
    )
    {
        var isJob = JobFile.IsJob(json);
        if (isJob && (input is not null || id is not null))
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                "the file is a complete job with its own input and job_id",
                "remove --input and --run-id"
            );
        }
        if (!isJob && input is null)
        {
            throw new FaultException(FaultCodes.InvalidInput, "a job needs an input", "add --input with text, JSON or @FILE");
        }
        var jobId = isJob ? JobFile.IdOf(json) : id ?? Guid.CreateVersion7().ToString();
        var data = isJob ? json : JobFile.Create(jobId, JobFile.CheckJson(json), InputArgument.Read(input, []));
        JobRequestReader.ReadMessage(null, [], data); // an invalid job fails here instead of at the service
        await sender.SendAsync(jobId, data, cancellationToken);
        if (!wait)
        {
            Console.WriteLine(jobId);
            return ExitCode.Success;
        }
        Console.Error.WriteLine($"job {jobId} sent to {sender.Target}");
        return JobReport.Write(jobId, await sender.WaitAsync(jobId, cancellationToken), service: sender.Url);
    }
}
