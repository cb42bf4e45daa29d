using System.CommandLine;
using System.Globalization;
using System.Text;
using AgentExecutor.Adapters;
using AgentExecutor.Core.Jobs;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Messaging;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.View;

namespace AgentExecutor.Server.Commands;

/// <summary><c>agent-executor dead-letters</c>: what could not be worked on.</summary>
internal static class DeadLettersCommand
{
    private const int Page = 500;
    private const int LongestReason = 80;

    public static Command Create() => new("dead-letters", "Look at messages that could not be worked on, send them again, or drop them.")
    {
        List(), Show(), Redrive(), Drop(),
    };

    private static Command List()
    {
        var (json, dataDir) = (CommonOptions.Json(), CommonOptions.DataDir());
        var limit = new Option<int>("--limit") { Description = "At most so many, the oldest first.", DefaultValueFactory = _ => 100 };
        CommonOptions.Range(limit, 1, int.MaxValue);
        var command = new Command("list", "List dead letters.") { limit, json, dataDir };
        command.SetAction((result, cancellationToken) => WithAsync(result.GetValue(dataDir), async letters =>
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
                    $"{letter.Sequence}", letter.Time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture), letter.Header(DeadLetters.Code) ?? "",
                    letter.Header(DeadLetters.Subject) ?? letter.Subject, $"{letter.Body.Length}", EventText.Safe(reason.Length > LongestReason ? reason[..LongestReason] + "..." : reason));
            }
            if (!result.GetValue(json))
            {
                table.Write(Console.Out, whenEmpty: $"There are no dead letters {Place(result.GetValue(dataDir))}.");
            }
        }, cancellationToken));
        return command;
    }

    private static Command Show()
    {
        var (number, dataDir) = (Number(), CommonOptions.DataDir());
        var body = new Option<bool>("--body") { Description = "Print the message's body as it came, and nothing else." };
        var command = new Command("show", "Show a dead letter: its headers, and the message as it came.") { number, body, dataDir };
        command.SetAction((result, cancellationToken) => WithAsync(result.GetValue(dataDir), async letters =>
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
        }, cancellationToken));
        return command;
    }

    private static Command Redrive()
    {
        var (numbers, dataDir) = (Numbers(), CommonOptions.DataDir());
        var all = new Option<bool>("--all") { Description = "All of them." };
        var command = new Command("redrive", "Send messages as jobs again. A job that failed goes on at its last checkpoint.") { numbers, all, dataDir };
        command.SetAction((result, cancellationToken) => WithEachAsync(
            result.GetValue(dataDir), result.GetValue(numbers)!, result.GetValue(all), "sent again", (letters, number) => letters.RedriveAsync(number, cancellationToken), cancellationToken));
        return command;
    }

    private static Command Drop()
    {
        var (numbers, dataDir) = (Numbers(), CommonOptions.DataDir());
        var all = new Option<bool>("--all") { Description = "All of them." };
        var command = new Command("drop", "Delete dead letters.") { numbers, all, dataDir };
        command.SetAction((result, cancellationToken) => WithEachAsync(
            result.GetValue(dataDir), result.GetValue(numbers)!, result.GetValue(all), "dropped", (letters, number) => letters.DropAsync(number, cancellationToken), cancellationToken));
        return command;
    }

    private static async Task<int> WithEachAsync(
        string? dataDir, long[] numbers, bool all, string done, Func<DeadLetters, long, ValueTask> act, CancellationToken cancellationToken)
    {
        if (all == (numbers.Length > 0))
        {
            throw new Core.FaultException(Core.FaultCodes.InvalidInput, "name dead letters by their numbers, or say --all", "list them with: agent-executor dead-letters list");
        }
        return await WithAsync(dataDir, async letters =>
        {
            var chosen = numbers.ToList();
            await foreach (var letter in AllAsync(letters, all ? int.MaxValue : 0, cancellationToken))
            {
                chosen.Add(letter.Sequence);
            }
            foreach (var number in numbers)
            {
                await letters.FindAsync(number, cancellationToken); // all of them, before any is touched
            }
            foreach (var number in chosen)
            {
                await act(letters, number);
                Console.WriteLine($"{number} {done}");
            }
        }, cancellationToken);
    }

    private static async IAsyncEnumerable<StoredMessage> AllAsync(
        DeadLetters letters, int limit, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var (after, left) = (0L, limit); left > 0;)
        {
            var page = await letters.ListAsync(after, Math.Min(left, Page), cancellationToken);
            foreach (var letter in page)
            {
                (after, left) = (letter.Sequence, left - 1);
                yield return letter;
            }
            if (page.Length < Page)
            {
                yield break;
            }
        }
    }

    private static async Task<int> WithAsync(string? dataDir, Func<DeadLetters, Task> use, CancellationToken cancellationToken)
    {
        var settings = CommonOptions.Settings(dataDir);
        await using var nats = Service.OpenNats(settings, isClient: true, LineLoggers.ForCommands);
        await using var service = await Service.OpenAsync(settings, LineLoggers.ForCommands, nats, cancellationToken);
        await use(new DeadLetters(service.Bus, TimeProvider.System));
        return ExitCode.Success;
    }

    /// <summary>Where was looked: an empty list of the wrong place says nothing.</summary>
    private static string Place(string? dataDir)
    {
        var settings = CommonOptions.Settings(dataDir);
        return AdapterCatalog.IsNamed(settings.Nats) ? $"in {AdapterCatalog.Describe(settings.Nats)}"
            : $"in the tables of {(AdapterCatalog.IsNamed(settings.Postgres) ? AdapterCatalog.Describe(settings.Postgres) : settings.DataDir)} (NATS_URL is not set)";
    }

    private static string ToJson(StoredMessage letter) => JsonBytes.WriteText(letter, static (writer, it) =>
    {
        writer.WriteStartObject();
        writer.WriteNumber("number"u8, it.Sequence);
        writer.WriteString("time"u8, it.Time);
        writer.WriteString("code"u8, it.Header(DeadLetters.Code));
        writer.WriteString("reason"u8, it.Header(DeadLetters.Reason));
        writer.WriteString("subject"u8, it.Header(DeadLetters.Subject));
        writer.WriteString("body"u8, Encoding.UTF8.GetString(it.Body.Span));
        writer.WriteEndObject();
    });

    private static Argument<long> Number() => new("NUMBER") { Description = "The dead letter's number, as 'list' prints it." };

    private static Argument<long[]> Numbers() => new("NUMBERS") { Description = "Numbers, as 'list' prints them.", Arity = ArgumentArity.ZeroOrMore };
}
