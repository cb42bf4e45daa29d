using System.CommandLine;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary>Options and arguments that several commands share.</summary>
internal static class CommonOptions
{
    public static Option<bool> Verbose { get; } = new("--verbose") { Description = "Show where an error happened.", Recursive = true };

    public static Option<string?> DataDir() => new("--data-dir") { Description = "Use the embedded database in this directory (DATA_DIR; ./data), whatever server the environment names." };

    public static Option<string?> Events() => Choice("--events", "jsonl: each event as one JSON line on standard output.", "jsonl");

    public static Option<string?> Out() => new("--out") { Description = "Save the files that the agents wrote below this directory." };

    public static Option<string?> Model() => new("--model") { Description = "Use this model for all agents, as provider:model." };

    public static Option<bool> Json() => new("--json") { Description = "Print JSON." };

    public static Argument<string> Thread() => new("THREAD") { Description = "The thread's id." };

    public static Argument<string> Definition() => new("DEFINITION") { Description = "An agent definition, a JSON file." };

    /// <summary>The settings of the environment, with those of the command line over them.</summary>
    public static ServerSettings Settings(string? dataDir)
    {
        var settings = SettingsReader.FromEnvironment();
        // A definition on the command line is the user's own: its tools and models may be in the user's own network.
        settings = settings with
        {
            HttpTools = settings.HttpTools with { AllowPrivateNetworks = settings.HttpTools.AllowPrivateNetworks ?? true },
            ModelServers = settings.ModelServers with { AllowPrivateNetworks = settings.ModelServers.AllowPrivateNetworks ?? true },
        };
        return dataDir is null ? settings : settings with { DataDir = dataDir, Postgres = new PostgresSettings() };
    }

    /// <summary>The service to talk to over HTTP: the one that is named, else that of this machine.</summary>
    public static Uri Service(ServerSettings settings, string? to) =>
        Uri.TryCreate(to ?? $"http://127.0.0.1:{settings.Port}", UriKind.Absolute, out var url) && url.Scheme is ("http" or "https")
            ? url
            : throw new FaultException(FaultCodes.InvalidInput, $"'{to}' is no service with an HTTP API", "write http://HOST:PORT");

    /// <summary>Refuses numbers outside of a range.</summary>
    public static void Range(Option<int> option, int least, int greatest) => option.Validators.Add(result =>
    {
        if (!result.Implicit && result.Tokens is [{ Value: var text }] && (!int.TryParse(text, out var number) || number < least || number > greatest))
        {
            result.AddError(greatest == int.MaxValue ? $"{option.Name} takes a number from {least} on, not '{text}'" : $"{option.Name} takes a number from {least} to {greatest}, not '{text}'");
        }
    });

    private static Option<string?> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string?>(name) { Description = description };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
