using System.Text.Json;
using AgentExecutor.Server.Api;
using AgentExecutor.Server.Logging;
using AgentExecutor.Server.Metrics;
using AgentExecutor.Server.Settings;
using Microsoft.AspNetCore.Routing;

namespace AgentExecutor.Tests.Api;

/// <summary>The description of the HTTP API says what the API is.</summary>
public sealed class OpenApiTests
{
    private static readonly JsonElement Document = JsonElement.Parse(File.ReadAllBytes(Path.Combine(Repository.Root, "src", "AgentExecutor.Server", "Api", "openapi.json")));

    [Fact]
    public async Task It_has_the_routes_that_the_server_has()
    {
        using var metrics = new MetricsRegistry();
        using var gate = new ServiceGate(CancellationToken.None);
        await using var server = await HttpServer.StartAsync(
            new ServerSettings { Port = 0 }, isLocal: true, gate, new Readiness(gate, TimeProvider.System), metrics, LineLoggers.ForCommands);
        var real = server.Routes.SelectMany(route => route.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods.Select(method => $"{method} {route.RoutePattern.RawText}"));

        var described = Document.GetProperty("paths").EnumerateObject()
            .SelectMany(path => path.Value.EnumerateObject().Where(it => it.Name != "parameters").Select(method => $"{method.Name.ToUpperInvariant()} {path.Name}"));

        Assert.Equal(real.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_reference_leads_somewhere() => Assert.All(References(Document), reference =>
    {
        var at = Document;
        foreach (var part in reference.Split('/').Skip(1))
        {
            Assert.True(at.TryGetProperty(part, out at), reference);
        }
    });

    [Fact]
    public void Everything_that_can_be_referred_to_is() => Assert.Empty(
        Document.GetProperty("components").EnumerateObject().SelectMany(kind => kind.Value.EnumerateObject().Select(it => $"#/components/{kind.Name}/{it.Name}"))
            .Except(References(Document)));

    [Fact]
    public void Operations_have_names_of_their_own_and_parameters_stand_in_their_paths()
    {
        var paths = Document.GetProperty("paths").EnumerateObject().ToList();
        var names = paths.SelectMany(path => path.Value.EnumerateObject()).Where(it => it.Value.ValueKind == JsonValueKind.Object)
            .Select(it => it.Value.GetProperty("operationId").GetString()!).ToList();

        Assert.Equal(names.Distinct(), names);
        Assert.All(paths, path => Assert.Equal(path.Name.Contains("{thread_id}", StringComparison.Ordinal), path.Value.TryGetProperty("parameters", out _)));
    }

    private static IEnumerable<string> References(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.Object => json.EnumerateObject().SelectMany(it => it.NameEquals("$ref") ? [it.Value.GetString()!] : References(it.Value)),
        JsonValueKind.Array => json.EnumerateArray().SelectMany(References),
        _ => [],
    };
}
