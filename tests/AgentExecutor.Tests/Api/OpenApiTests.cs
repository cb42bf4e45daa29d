using System.Text.Json;
using AgentExecutor.Server.Hosting;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Routing;

namespace AgentExecutor.Tests.Api;

/// <summary>Checks the OpenAPI document against the routes of the server.</summary>
public sealed class OpenApiTests
{
    private static readonly JsonElement Document = JsonElement.Parse(
        File.ReadAllBytes(Path.Combine(Repository.Root, "src", "AgentExecutor.Server", "Api", "openapi.json"))
    );

    [Fact]
    public async Task The_document_lists_the_routes_of_the_server()
    {
        using var shutdown = new Shutdown(TimeSpan.Zero, TimeProvider.System);
        await using var server = await HttpOnly.StartAsync(new ServerSettings { Port = 0 }, shutdown);
        var real = HttpOnly
            .RoutesOf(server)
            .SelectMany(route =>
                route
                    .Metadata.GetRequiredMetadata<HttpMethodMetadata>()
                    .HttpMethods.Select(method => $"{method} {route.RoutePattern.RawText}")
            );

        var described = Document
            .GetProperty("paths")
            .EnumerateObject()
            .SelectMany(path =>
                path.Value.EnumerateObject()
                    .Where(it => it.Name != "parameters")
                    .Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}")
            );

        Assert.Equal(real.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_reference_can_be_resolved() =>
        Assert.All(
            References(Document),
            reference =>
            {
                var at = Document;
                foreach (var part in reference.Split('/').Skip(1))
                {
                    Assert.True(at.TryGetProperty(part, out at), reference);
                }
            }
        );

    [Fact]
    public void Every_component_is_referenced() =>
        Assert.Empty(
            Document
                .GetProperty("components")
                .EnumerateObject()
                .SelectMany(kind => kind.Value.EnumerateObject().Select(it => $"#/components/{kind.Name}/{it.Name}"))
                .Except(References(Document))
        );

    [Fact]
    public void Operation_ids_are_unique_and_path_parameters_occur_in_their_paths()
    {
        var paths = Document.GetProperty("paths").EnumerateObject().ToList();
        var names = paths
            .SelectMany(path => path.Value.EnumerateObject())
            .Where(it => it.Value.ValueKind == JsonValueKind.Object)
            .Select(it => it.Value.GetProperty("operationId").GetString()!)
            .ToList();

        Assert.Equal(names.Distinct(), names);
        Assert.All(
            paths,
            path => Assert.Equal(path.Name.Contains('{', StringComparison.Ordinal), path.Value.TryGetProperty("parameters", out _))
        );
    }

    private static IEnumerable<string> References(JsonElement json) =>
        json.ValueKind switch
        {
            JsonValueKind.Object => json.EnumerateObject()
                .SelectMany(it => it.NameEquals("$ref") ? [it.Value.GetString()!] : References(it.Value)),
            JsonValueKind.Array => json.EnumerateArray().SelectMany(References),
            _ => [],
        };
}
