using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace AgentExecutor.IntegrationTests.Support;

/// <summary>A complete HTTP response.</summary>
public sealed record Reply(HttpStatusCode Status, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders, string Body)
{
    public JsonElement Json => JsonElement.Parse(Body);

    public string? Text(string name) => Json.GetProperty(name).GetString();

    /// <summary>Asserts that the response is a problem with the status and the code. Returns the paths of its faults.</summary>
    public IReadOnlyList<string> AssertProblem(HttpStatusCode status, string code)
    {
        Assert.True(status == Status, $"{(int)Status}: {Body}");
        Assert.Equal("application/problem+json", ContentHeaders.ContentType?.ToString());
        Assert.Equal(code, Text("code"));
        Assert.Equal((int)status, Json.GetProperty("status").GetInt32());
        Assert.Equal($"urn:agent-executor:problem:{code}", Text("type"));
        Assert.NotEmpty(Text("title")!);
        Assert.NotEmpty(Text("detail")!);
        return Json.TryGetProperty("faults", out var faults)
            ? [.. faults.EnumerateArray().Select(fault => fault.GetProperty("path").GetString()!)]
            : [];
    }

    public Reply AssertStatus(HttpStatusCode status)
    {
        Assert.True(status == Status, $"{((int)Status).ToString(CultureInfo.InvariantCulture)}: {Body}");
        return this;
    }
}
