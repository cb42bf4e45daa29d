using System.CommandLine;
using System.Globalization;
using System.Text;
using AgentExecutor.Adapters;
using AgentExecutor.Core;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Server.Commands.Reports;
using AgentExecutor.Server.Composition;
using AgentExecutor.Server.Settings;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor dead-letters</c>: the messages that could not be processed.</summary>
internal static class DeadLettersCommand
{
    private const int PageSize = 500;
    private const int LongestReason = 80;

    public static Command Create() =>
        new("dead-letters", "List messages that could not be processed, and redrive or delete them.") { List(), Show(), Redrive(), Drop() };

    private static Command List()
    {
        var (json, dataDir) = (CommonOptions.Json(), CommonOptions.DataDir());
        var limit = new Option<int>("--limit")
        {
            HelpName = "N",
            Description = "The maximum number of dead letters to list, oldest first.",
            DefaultValueFactory = _ => 100,
        };
        CommonOptions.Range(limit, 1, int.MaxValue);
        var command = new Command("list", "List dead letters.") { limit, json, dataDir };
        command.SetAction(
            (result, cancellationToken) =>
                WithAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    async letters =>
                    {
                        var table = new TextTable("NUMBER", "TIME", "CODE", "SUBJECT", "BYTES", "REASON");
                        await foreach (var letter in AllAsync(letters, result.GetValue(limit), cancellationToken))
                        {
                            if (result.GetValue(json))
                            {
                                Console.WriteLine(ToJson(letter));
                                continue;
                            }
                            var reason = letter.Header(DeadLetters.Reason) ?? "";
                            table.Add(
                                $"{letter.Sequence}",
                                letter.Time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture),
                                letter.Header(DeadLetters.Code) ?? "",
                                letter.Header(DeadLetters.Subject) ?? letter.Subject,
                                $"{letter.Body.Length}",
                                EventText.Safe(reason.Length > LongestReason ? reason[..LongestReason] + "..." : reason)
                            );
                        }
                        if (!result.GetValue(json))
                        {
                            var location = LocationOf(CommonOptions.Settings(result, result.GetValue(dataDir)));
                            table.Write(Console.Out, whenEmpty: $"There are no dead letters {location}.");
                        }
                    },
                    cancellationToken
                )
        );
        return command;
    }

    private static Command Show()
    {
        var (number, dataDir) = (Number(), CommonOptions.DataDir());
        var body = new Option<bool>("--body") { Description = "Print only the body of the message, unchanged." };
        var command = new Command("show", "Show a dead letter: its headers and the original message.") { number, body, dataDir };
        command.SetAction(
            (result, cancellationToken) =>
                WithAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    async letters =>
                    {
                        var letter = await letters.FindAsync(result.GetValue(number), cancellationToken);
                        if (result.GetValue(body))
                        {
                            using var output = Console.OpenStandardOutput();
                            await output.WriteAsync(letter.Body, cancellationToken);
                            return;
                        }
                        foreach (var (name, value) in letter.Headers)
                        {
                            Console.WriteLine(EventText.Safe($"{name}: {value}"));
                        }
                        Console.WriteLine();
                        Console.WriteLine(EventText.Safe(Encoding.UTF8.GetString(letter.Body.Span)));
                    },
                    cancellationToken
                )
        );
        return command;
    }

    private static Command Redrive()
    {
        var (numbers, dataDir) = (Numbers(), CommonOptions.DataDir());
        var all = new Option<bool>("--all") { Description = "Redrive all dead letters." };
        var command = new Command("redrive", "Publish dead letters as jobs again. A failed job continues from its last checkpoint.")
        {
            numbers,
            all,
            dataDir,
        };
        command.SetAction(
            (result, cancellationToken) =>
                WithEachAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    result.GetValue(numbers)!,
                    result.GetValue(all),
                    "redriven",
                    (letters, number) => letters.RedriveAsync(number, cancellationToken),
                    cancellationToken
                )
        );
        return command;
    }

    private static Command Drop()
    {
        var (numbers, dataDir) = (Numbers(), CommonOptions.DataDir());
        var all = new Option<bool>("--all") { Description = "Delete all dead letters." };
        var yes = CommonOptions.Yes("deleting all dead letters");
        var command = new Command("drop", "Delete dead letters.") { numbers, all, yes, dataDir };
        command.SetAction(
            (result, cancellationToken) =>
                WithEachAsync(
                    CommonOptions.Settings(result, result.GetValue(dataDir)),
                    result.GetValue(numbers)!,
                    result.GetValue(all),
                    "deleted",
                    (letters, number) => letters.DropAsync(number, cancellationToken),
                    cancellationToken,
                    chosen =>
                        Confirmation.Require(
                            result.GetValue(yes),
                            [$"{chosen} dead letters {LocationOf(CommonOptions.Settings(result, result.GetValue(dataDir)))}"]
                        )
                )
        );
        return command;
    }

    private static async Task<int> WithEachAsync(
        ServerSettings settings,
        long[] numbers,
        bool all,
        string done,
        Func<DeadLetters, long, ValueTask> act,
        CancellationToken cancellationToken,
        Action<int>? confirmAll = null
    )
    {
        if (all == (numbers.Length > 0))
        {
            throw new FaultException(
                FaultCodes.InvalidInput,
                "specify the numbers of the dead letters, or --all",
                "list them with: agent-executor dead-letters list"
            );
        }
        return await WithAsync(
            settings,
            async letters =>
            {
                var chosen = numbers.ToList();
                await foreach (var letter in AllAsync(letters, all ? int.MaxValue : 0, cancellationToken))
                {
                    chosen.Add(letter.Sequence);
                }
                foreach (var number in numbers)
                {
                    await letters.FindAsync(number, cancellationToken); // check all numbers before anything is changed
                }
                if (all && chosen.Count > 0)
                {
                    confirmAll?.Invoke(chosen.Count); // numbers on the command line need no confirmation
                }
                foreach (var number in chosen)
                {
                    await act(letters, number);
                    Console.WriteLine($"{number} {done}");
                }
            },
            cancellationToken
        );
    }

    private static async IAsyncEnumerable<StoredMessage> AllAsync(
        DeadLetters letters,
        int limit,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        var after = 0L;
        var left = limit;
        while (left > 0)
        {
            var page = await letters.ListAsync(after, Math.Min(left, PageSize), cancellationToken);
            foreach (var letter in page)
            {
                (after, left) = (letter.Sequence, left - 1);
                yield return letter;
            }
            if (page.Length < PageSize)
            {
                yield break;
            }
        }
    }

    private static async Task<int> WithAsync(ServerSettings settings, Func<DeadLetters, Task> use, CancellationToken cancellationToken)
    {
        await using var app = await CommandServices.ForBusAsync(settings, cancellationToken);
        await use(new DeadLetters(app.Bus, TimeProvider.System));
        return ExitCode.Success;
    }

    /// <summary>Where the dead letters are stored, so that the user notices if this is not the intended bus.</summary>
    private static string LocationOf(ServerSettings settings) =>
        AdapterCatalog.IsNamed(settings.Nats) ? $"in {AdapterCatalog.Describe(settings.Nats)}"
        : AdapterCatalog.IsNamed(settings.Postgres) ? $"in the tables of {AdapterCatalog.Describe(settings.Postgres)} (NATS_URL is not set)"
        : $"in the tables of {settings.DataDir} (NATS_URL is not set)";

    private static string ToJson(StoredMessage letter) =>
        JsonBytes.WriteText(
            letter,
            static (writer, it) =>
            {
                writer.WriteStartObject();
                writer.WriteNumber("number"u8, it.Sequence);
                writer.WriteString("time"u8, it.Time);
                writer.WriteString("code"u8, it.Header(DeadLetters.Code));
                writer.WriteString("reason"u8, it.Header(DeadLetters.Reason));
                writer.WriteString("subject"u8, it.Header(DeadLetters.Subject));
                writer.WriteString("body"u8, Encoding.UTF8.GetString(it.Body.Span));
                writer.WriteEndObject();
            }
        );

    private static Argument<long> Number() => new("NUMBER") { Description = "The number of the dead letter, as printed by 'list'." };

    private static Argument<long[]> Numbers() =>
        new("NUMBERS") { Description = "The numbers of the dead letters, as printed by 'list'.", Arity = ArgumentArity.ZeroOrMore };
}
