using System.Text.Json;
using AgentExecutor.Adapters.Http;
using AgentExecutor.Core.Definitions;
using AgentExecutor.Core.Tools;
using Microsoft.OpenApi;

namespace AgentExecutor.Adapters.OpenApi;

/// <summary>The operations of a document that a definition stands for, each as the definition of a tool over HTTP.</summary>
/// <param name="Tools">The tools, in the order of their names.</param>
/// <param name="Faults">The reasons why there are none.</param>
internal sealed record OpenApiOperations(IReadOnlyList<ToolDefinition> Tools, IReadOnlyList<ToolFault> Faults)
{
    private const int MaxOperations = 128;

    public static OpenApiOperations Read(ToolDefinition definition)
    {
        var runtime = definition.Runtime!;
        if (runtime.Openapi is not { } json)
        {
            return Failed("runtime.openapi", "the OpenAPI document is missing", "write it as an object, or as a text with YAML");
        }
        OpenApiDocument document;
        try
        {
            document = OpenApiText.Read(json);
        }
        catch (Exception exception) when (exception is FormatException or JsonException or OpenApiException)
        {
            return Failed("runtime.openapi", $"the OpenAPI document cannot be read: {exception.Message}", "correct the document");
        }
        return Select(definition, runtime, document);
    }

    private static OpenApiOperations Select(ToolDefinition definition, ToolRuntimeDefinition runtime, OpenApiDocument document)
    {
        var all = All(document).ToList();
        var faults = Wanted(runtime)
            .Where(it => !all.Exists(operation => ToolNames.Matches(it.Pattern, operation.Id)))
            .Select(it =>
                HttpToolChecks.Fault(
                    it.Path,
                    $"the OpenAPI document has no operation '{it.Pattern}'",
                    Spelling.Hint(it.Pattern, all.Select(operation => operation.Id), "operations")
                )
            )
            .ToList();
        var chosen = all.Where(operation =>
                !Wanted(runtime).Any() || Wanted(runtime).Any(it => ToolNames.Matches(it.Pattern, operation.Id))
            )
            .ToList();
        if (chosen.Count is 0 or > MaxOperations && faults.Count == 0)
        {
            faults.Add(
                HttpToolChecks.Fault(
                    "runtime.openapi",
                    chosen.Count == 0
                        ? "the OpenAPI document has no operation with an operationId"
                        : $"the OpenAPI document has {chosen.Count} operations, of which at most {MaxOperations} can be tools",
                    chosen.Count == 0 ? "add operationId to its operations" : "choose some of them in 'operations'"
                )
            );
        }
        if (faults.Count > 0)
        {
            return new OpenApiOperations([], faults);
        }
        var builders = chosen.Select(operation => new OpenApiTool(definition, document, operation)).ToList();
        var tools = builders.Select(builder => builder.Build()).ToList();
        faults.AddRange(builders.SelectMany(builder => builder.Faults).DistinctBy(fault => (fault.Path, fault.Message)));
        return faults.Count > 0
            ? new OpenApiOperations([], faults)
            : new OpenApiOperations([.. tools.OrderBy(tool => tool.Name, StringComparer.Ordinal)], []);
    }

    private static IEnumerable<(string Path, string Pattern)> Wanted(ToolRuntimeDefinition runtime) =>
        runtime.Operation is { } one
            ? [("runtime.operation", one)]
            : (runtime.Operations ?? []).Select((pattern, index) => ($"runtime.operations[{index}]", pattern));

    private static IEnumerable<OpenApiOperationItem> All(OpenApiDocument document) =>
        from path in document.Paths ?? []
        from operation in path.Value.Operations ?? []
        where !string.IsNullOrEmpty(operation.Value.OperationId)
        select new OpenApiOperationItem(path.Key, path.Value, operation.Key, operation.Value);

    private static OpenApiOperations Failed(string path, string message, string hint) =>
        new([], [HttpToolChecks.Fault(path, message, hint)]);
}

/// <summary>An operation with its place in the document.</summary>
internal sealed record OpenApiOperationItem(string Path, IOpenApiPathItem Item, HttpMethod Method, OpenApiOperation Operation)
{
    public string Id => Operation.OperationId!;
}
