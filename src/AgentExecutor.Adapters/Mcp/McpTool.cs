using System.Text.Json;
using AgentExecutor.Core.Json;
using AgentExecutor.Core.Tools;
using ModelContextProtocol;
using Tool = AgentExecutor.Core.Tools.Tool;

namespace AgentExecutor.Adapters.Mcp;

/// <summary>A tool that a server offers.</summary>
/// <param name="name">The name under which models know it.</param>
/// <param name="declared">What the server says about it.</param>
/// <param name="set">The tools to which it belongs.</param>
internal sealed class McpTool(string name, ModelContextProtocol.Protocol.Tool declared, McpToolSet set) : Tool
{
    private const int MaxDescription = 8_000;

    public override string Name => name;

    public override string Description { get; } =
        set.Definition.Runtime?.Tool is not null && set.Definition.Description is { } own
            ? own
            : WellFormedText.Start(declared.Description ?? declared.Title ?? "", MaxDescription).ToString();

    public override JsonElement Parameters { get; } = set.Definition.Parameters ?? declared.InputSchema;

    public override ToolEffects Effects { get; } = McpEffects.Of(set.Definition, declared.Annotations);

    public override async ValueTask<ToolResult> InvokeAsync(JsonElement arguments, ToolContext context, CancellationToken cancellationToken)
    {
        var limit = TimeSpan.FromSeconds(set.Definition.Runtime?.TimeoutSeconds ?? set.Settings.TimeoutSeconds);
        using var deadline = new CancellationTokenSource(limit, set.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        var call = new McpCall(context, set.Time, either.Cancel);
        try
        {
            using var lease = set.Rent();
            var result = await lease.Connection.CallAsync(
                declared.Name,
                ArgumentsOf(arguments),
                context.IdempotencyKey,
                call,
                either.Token
            );
            return call.Question is { } question ? throw question : Masked(McpResult.Read(result, context));
        }
        catch (Exception exception) when (call.Question is { } question && exception is not Core.Graphs.InterruptSignal)
        {
            throw question;
        }
        catch (OperationCanceledException) when (deadline.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            return Failed($"there was no answer within {limit.TotalSeconds:0.###} s");
        }
        catch (McpUnavailableException exception)
        {
            return Masked(ToolResult.Error($"Error: {exception.Message}") with { IsTransient = true });
        }
        catch (UrlElicitationRequiredException exception)
        {
            var urls = string.Join(", ", exception.Elicitations.Select(it => it.Url));
            return Masked(ToolResult.Error($"Error: {exception.Message}. A person must open {urls} before {Name} is called again."));
        }
        catch (McpException exception)
        {
            return Masked(ToolResult.Error($"Error: {Name}: {exception.Message}"));
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException or ObjectDisposedException)
        {
            return Failed(exception.GetBaseException().Message);
        }
        finally
        {
            call.End();
        }
    }

    /// <summary>Reports that the connection was lost during the call.</summary>
    private ToolResult Failed(string reason) =>
        Masked(
            Effects == ToolEffects.Once
                ? ToolResult.Error(
                    $"Error: the call of {Name} failed: {reason}. It is unknown whether it took effect. Find out before you call it again."
                )
                : ToolResult.Error($"Error: the call of {Name} failed: {reason}") with
                {
                    IsTransient = Effects == ToolEffects.None || set.Definition.StatesEffects,
                }
        );

    private ToolResult Masked(ToolResult result) =>
        result with
        {
            Content =
                set.Endpoint?.Secrets.Aggregate(
                    result.Content,
                    static (text, secret) => text.Replace(secret, "***", StringComparison.Ordinal)
                )
                ?? result.Content,
        };

    private static Dictionary<string, object?> ArgumentsOf(JsonElement arguments) =>
        InputJson.Repaired(arguments).EnumerateObject().ToDictionary(it => it.Name, object? (it) => it.Value);
}
