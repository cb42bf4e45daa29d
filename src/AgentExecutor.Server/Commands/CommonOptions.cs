using System.CommandLine;
using AgentExecutor.Adapters.Postgres;
using AgentExecutor.Core;
using AgentExecutor.Core.Runs;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Server.Commands;

/// <summary>Options and arguments that several commands share.</summary>
internal static class CommonOptions
{
    public static Option<bool> Verbose { get; } = new("--verbose") { Description = "Print the stack trace of an error.", Recursive = true };

    public static Option<string?> Config { get; } =
        new(SettingsReader.FileOption)
        {
            Description =
                $"Read settings from this JSON file. Environment variables take precedence over it. ({SettingsReader.FileVariable})",
            HelpName = "FILE",
            Recursive = true,
        };

    public static Option<string?> DataDir() =>
        new("--data-dir")
        {
            HelpName = "DIR",
            Description = "Use the embedded database in this directory, even if PostgreSQL is configured. (DATA_DIR; default ./data)",
        };

    public static Option<string?> Events() => Choice("--events", "Print each event as one JSON line on standard output (jsonl).", "jsonl");

    public static Option<string?> Out() =>
        new("--out") { HelpName = "DIR", Description = "Save the files that the agents wrote to this directory." };

    public static Option<string?> Model() =>
        new("--model") { HelpName = "provider:model", Description = "Use this model for all agents: provider:model." };

    public static Option<bool> Json() => new("--json") { Description = "Print JSON." };

    public static Argument<string> Thread()
    {
        var thread = new Argument<string>("THREAD") { Description = "The thread's id." };
        thread.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var id }] && !ThreadIds.IsValid(id))
            {
                result.AddError($"THREAD must be a thread id: {ThreadIds.Rule}");
            }
        });
        return thread;
    }

    public static Option<string?> To(string otherwise) =>
        new("--to") { HelpName = "URL", Description = $"The URL of the service that owns the thread: http://HOST:PORT. {otherwise}" };

    public static Option<bool> Yes(string what) => new("--yes") { Description = $"Do not ask for confirmation before {what}." };

    public static Argument<string> Definition() => new("DEFINITION") { Description = "The JSON file of an agent definition." };

    /// <summary>The settings from the settings file and the environment, overridden by those from the command line.</summary>
    public static ServerSettings Settings(ParseResult result, string? dataDir)
    {
        var settings = SettingsReader.FromEnvironment(result.GetValue(Config));
        // The user trusts the definition, so its tools and models may be in the user's private network.
        settings = settings with
        {
            HttpTools = settings.HttpTools with { AllowPrivateNetworks = settings.HttpTools.AllowPrivateNetworks ?? true },
            Mcp = settings.Mcp with { AllowCommands = settings.Mcp.AllowCommands ?? true },
            ModelServers = settings.ModelServers with { AllowPrivateNetworks = settings.ModelServers.AllowPrivateNetworks ?? true },
        };
        return dataDir is null ? settings : settings with { DataDir = dataDir, Postgres = new PostgresSettings() };
    }

    /// <summary>
    /// The secrets in the settings file and the environment, including those of settings that the command line overrides.
    /// </summary>
    public static IEnumerable<string> Secrets(ParseResult result) =>
        SettingsReader.SecretsOf(SettingsReader.FromEnvironment(result.GetValue(Config)));

    /// <summary>The URL of the service: the given one, or that of the service on this machine.</summary>
    public static Uri Service(ServerSettings settings, string? to) =>
        Uri.TryCreate(to ?? $"http://127.0.0.1:{settings.Port}", UriKind.Absolute, out var url) && url.Scheme is ("http" or "https")
            ? url
            : throw new FaultException(FaultCodes.InvalidInput, $"--to: '{to}' is not an HTTP URL", "use http://HOST:PORT");

    /// <summary>Rejects numbers outside a range.</summary>
    public static void Range(Option<int> option, int least, int greatest) =>
        option.Validators.Add(result =>
        {
            if (
                !result.Implicit
                && result.Tokens is [{ Value: var text }]
                && (!int.TryParse(text, out var number) || number < least || number > greatest)
            )
            {
                var range = greatest == int.MaxValue ? $"a number of {least} or more" : $"a number from {least} to {greatest}";
                result.AddError($"{option.Name} takes {range}, not '{text}'");
            }
        });

    private static Option<string?> Choice(string name, string description, params string[] values)
    {
        var option = new Option<string?>(name) { Description = description };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
