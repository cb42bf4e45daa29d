using System.Text.Json;
using AgentExecutor.Adapters.Egress;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>Checks definitions of tools of MCP servers, without contacting the servers.</summary>
internal sealed class McpToolChecks(McpSettings settings, HttpToolSettings http, EgressGuard guard)
{
    private const int LongestPrefix = 40;

    public IEnumerable<ToolFault> Check(ToolDefinition definition)
    {
        var runtime = definition.Runtime ?? new ToolRuntimeDefinition();
        return [.. CheckServer(runtime), .. CheckTools(definition, runtime), .. CheckTimeout(runtime)];
    }

    private IEnumerable<ToolFault> CheckServer(ToolRuntimeDefinition runtime)
    {
        string[] given =
        [
            .. runtime.Server is null ? [] : (string[])["server"],
            .. runtime.Url is null ? [] : (string[])["url"],
            .. runtime.Command is null ? [] : (string[])["command"],
        ];
        if (given.Length != 1)
        {
            return
            [
                HttpToolChecks.Fault(
                    given.Length == 0 ? "runtime" : $"runtime.{given[1]}",
                    given.Length == 0 ? "the MCP server is missing" : $"'{given[0]}' and '{given[1]}' are two MCP servers",
                    "set one of server (a server in the settings), url (a server over HTTP) and command (a program)"
                ),
            ];
        }
        return runtime.Server is { } name ? CheckName(name)
            : runtime.Url is not null ? CheckUrl(runtime)
            : CheckCommand(runtime);
    }

    private IEnumerable<ToolFault> CheckName(string name)
    {
        if (!settings.Servers().ContainsKey(name))
        {
            yield return HttpToolChecks.Missing(
                "runtime.server",
                $"there is no MCP server '{name}' here",
                settings.ServersFile is null
                    ? "the operator can configure it in the file that AGENT_EXECUTOR_MCP_SERVERS_FILE names"
                    : Spelling.Hint(name, settings.Servers().Keys, "servers")
            );
        }
    }

    private IEnumerable<ToolFault> CheckUrl(ToolRuntimeDefinition runtime) =>
        HttpToolChecks
            .CheckUrl(runtime.Url, guard)
            .Concat(HttpToolChecks.CheckHeaders(runtime.Headers, "runtime.headers", http))
            .Concat(
                HttpToolRequest.NamesIn(runtime).ToList() is [var name, ..]
                    ?
                    [
                        HttpToolChecks.Fault(
                            "runtime",
                            $"{{{name}}} stands for an argument, but the URL and the headers of an MCP server are the same for all calls",
                            "remove it"
                        ),
                    ]
                    : []
            );

    private IEnumerable<ToolFault> CheckCommand(ToolRuntimeDefinition runtime)
    {
        if (settings.AllowCommands is not true)
        {
            yield return HttpToolChecks.Missing(
                "runtime.command",
                "definitions are not allowed to start MCP servers here",
                "the operator can allow it with AGENT_EXECUTOR_MCP_ALLOW_COMMANDS=true, or configure the server in "
                    + "AGENT_EXECUTOR_MCP_SERVERS_FILE"
            );
        }
        if (string.IsNullOrWhiteSpace(runtime.Command))
        {
            yield return HttpToolChecks.Fault("runtime.command", "the program of the MCP server is empty", "write the name of a program");
        }
        foreach (var (name, json) in runtime.Env ?? new Dictionary<string, JsonElement>())
        {
            var path = $"runtime.env.{name}";
            if (!ToolValue.TryRead(json, out var value))
            {
                yield return HttpToolChecks.Fault(path, "the value is not valid for a variable", """write a text, or {"env": "NAME"}""");
            }
            else if (value.Secret is not null && HttpToolChecks.CheckSecret(value.Secret, path, http) is { } fault)
            {
                yield return fault;
            }
        }
    }

    private static IEnumerable<ToolFault> CheckTools(ToolDefinition definition, ToolRuntimeDefinition runtime)
    {
        if (runtime is { Tool: not null, Tools: not null })
        {
            yield return HttpToolChecks.Fault("runtime.tools", "'tool' and 'tools' exclude each other", "remove one of them");
        }
        if (runtime is { Tool: not null, Prefix: not null })
        {
            yield return HttpToolChecks.Fault(
                "runtime.prefix",
                "a definition of one tool has no prefix",
                "remove 'prefix': models know the tool by the name of the definition"
            );
        }
        if (
            runtime.Prefix is { } prefix
            && !(prefix.Length <= LongestPrefix && prefix.All(it => char.IsAsciiLetterOrDigit(it) || it is '_' or '-'))
        )
        {
            yield return HttpToolChecks.Fault(
                "runtime.prefix",
                $"'{prefix}' is not a valid beginning of tool names",
                $"use at most {LongestPrefix} letters, digits, _ and -"
            );
        }
        if (runtime.Prefix is null && definition.NamePrefix() is { Length: > LongestPrefix + 1 })
        {
            yield return HttpToolChecks.Fault(
                "runtime.prefix",
                "the name of the definition is too long to begin the names of its tools",
                $"set 'prefix' to at most {LongestPrefix} characters"
            );
        }
        if (definition.Parameters is not null && runtime.Tool is null)
        {
            yield return HttpToolChecks.Fault(
                "parameters",
                "a definition that stands for all tools of a server has no parameters",
                "remove 'parameters', or name one tool in 'tool'"
            );
        }
    }

    private IEnumerable<ToolFault> CheckTimeout(ToolRuntimeDefinition runtime)
    {
        if (runtime.TimeoutSeconds is <= 0 || runtime.TimeoutSeconds > settings.TimeoutSeconds)
        {
            yield return new ToolFault(
                "runtime.timeout_seconds",
                DefinitionCodes.LimitAboveServer,
                $"{runtime.TimeoutSeconds} must be greater than 0 and at most the server's limit of {settings.TimeoutSeconds}",
                "use a number in this range"
            );
        }
    }
}
