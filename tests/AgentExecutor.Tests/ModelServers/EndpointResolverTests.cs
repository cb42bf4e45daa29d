using AgentExecutor.Adapters.ModelServers;
using AgentExecutor.Core;
using AgentExecutor.Core.ModelProviders;

namespace AgentExecutor.Tests.ModelServers;

public sealed class EndpointResolverTests
{
    private static readonly ModelServerSettings Settings = new()
    {
        OpenaiApiKey = new Secret(" sk-openai\n"),
        OpenaiBaseUrl = "https://gateway.example/openai/v1/",
        OpenaiCompatibleApiKey = new Secret("sk-compatible"),
        AllowedHosts = "listed.example, vllm.internal:8000, plain.internal",
    };

    [Theory]
    [InlineData(null, "https://gateway.example/openai/v1", "sk-openai", "Own")]
    [InlineData("https://gateway.example/other/v1", "https://gateway.example/other/v1", "sk-openai", "Own")]
    [InlineData("https://GATEWAY.example:443/v1", "https://gateway.example/v1", "sk-openai", "Own")]
    [InlineData("https://api.openai.com/v1", "https://api.openai.com/v1", "sk-openai", "Own")]
    [InlineData("http://api.openai.com/v1", "http://api.openai.com/v1", null, "Untrusted")] // the key could be intercepted
    [InlineData("https://api.openai.com:444/v1", "https://api.openai.com:444/v1", null, "Untrusted")]
    [InlineData("https://api.openai.com.evil.example/v1", "https://api.openai.com.evil.example/v1", null, "Untrusted")]
    [InlineData("https://listed.example/v1", "https://listed.example/v1", "sk-openai", "Listed")]
    [InlineData("https://vllm.internal:8000/v1", "https://vllm.internal:8000/v1", "sk-openai", "Listed")]
    [InlineData("https://vllm.internal:8001/v1", "https://vllm.internal:8001/v1", null, "Untrusted")]
    public void A_key_is_only_sent_to_servers_of_the_operator(string? baseUrl, string url, string? key, string trust)
    {
        var (endpoint, faults) = Resolve(ModelServer.ForOpenAI(Settings), baseUrl);

        Assert.Empty(faults);
        Assert.Equal((url, key, trust), (endpoint!.BaseUrl.ToString(), endpoint.Key.Value, endpoint.Trust.ToString()));
    }

    [Theory]
    [InlineData(null, "https://gateway.example/openai/v1", true)]
    [InlineData("", "https://gateway.example/openai/v1", true)]
    [InlineData("HTTPS://Gateway.example:443/openai/v1//", "https://gateway.example/openai/v1", true)]
    [InlineData("https://api.openai.com/v1/", "https://api.openai.com/v1", true)]
    [InlineData("https://gateway.example/any/other", "https://gateway.example/any/other", false)]
    [InlineData("https://Stranger.example/", "https://stranger.example", false)]
    public void A_server_has_one_address_regardless_of_its_spelling(string? baseUrl, string name, bool isOperators) =>
        Assert.Equal(
            new ModelAddress(name, isOperators),
            new EndpointResolver(ModelServer.ForOpenAI(Settings), Settings).AddressOf(
                new ModelSpec
                {
                    Provider = "openai",
                    Model = "m",
                    BaseUrl = baseUrl,
                }
            )
        );

    [Fact]
    public void A_listed_host_receives_the_key_of_the_named_provider() =>
        Assert.Equal("sk-compatible", Resolve(ModelServer.ForOpenAICompatible(Settings), "https://listed.example/v1").Endpoint!.Key.Value);

    [Theory]
    [InlineData("ftp://x/v1", "base_url", "is not a plain http or https URL")]
    [InlineData("listed.example/v1", "base_url", "is not a plain http or https URL")]
    [InlineData("https://user:hunter2@listed.example/v1", "base_url", "is not a plain http or https URL")]
    [InlineData("https://listed.example/v1?key=hunter2", "base_url", "is not a plain http or https URL")]
    [InlineData("https://listed.example/v1#hunter2", "base_url", "is not a plain http or https URL")]
    [InlineData("http://plain.internal/v1", "base_url", "without encryption")]
    [InlineData("http://10.0.0.1/v1", "base_url", "not a public address")]
    [InlineData("http://[::1]:8000/v1", "base_url", "not a public address")]
    [InlineData("http://localhost:8000/v1", "base_url", "not a public address")]
    [InlineData("http://169.254.169.254/v1", "base_url", "not a public address")]
    public void A_server_that_is_not_allowed_is_rejected(string baseUrl, string path, string message)
    {
        var (endpoint, faults) = Resolve(ModelServer.ForOpenAI(Settings), baseUrl);

        Assert.Null(endpoint);
        var fault = Assert.Single(faults);
        Assert.Equal(path, fault.Path);
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", $"{fault}", StringComparison.Ordinal);
    }

    [Fact]
    public void All_missing_settings_are_reported_together()
    {
        var faults = new EndpointResolver(ModelServer.ForAnthropic(new()), new())
            .Resolve(new ModelSpec { Provider = "anthropic", Model = "" })
            .Faults;

        Assert.Equal(["model", ""], faults.Select(fault => fault.Path));
        Assert.Equal("set ANTHROPIC_API_KEY", faults[1].Hint);
        Assert.Contains(
            "OPENAI_COMPATIBLE_BASE_URL",
            Resolve(ModelServer.ForOpenAICompatible(new()), null).Faults.Single().Hint,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_key_that_is_not_valid_in_a_header_is_reported_without_its_text()
    {
        var settings = new ModelServerSettings { AnthropicApiKey = new Secret("sk-one\nsk-two") };

        var fault = Assert.Single(
            new EndpointResolver(ModelServer.ForAnthropic(settings), settings)
                .Resolve(new ModelSpec { Provider = "anthropic", Model = "m" })
                .Faults
        );

        Assert.StartsWith("ANTHROPIC_API_KEY contains characters", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ollama_requires_no_settings() =>
        Assert.Equal("http://localhost:11434/v1", Resolve(ModelServer.ForOllama(new()), null).Endpoint!.BaseUrl.ToString());

    [Fact]
    public async Task A_name_that_resolves_to_a_private_address_is_rejected()
    {
        var server = ModelServer.ForOpenAICompatible(new());
        var endpoint = new ModelEndpoint(server.Name, new Uri("http://localhost:9/v1"), default, ModelTrust.Untrusted);
        using var connections = new ModelConnections(allowPrivate: false);
        using var client = new HttpClient(
            new ModelTransport(
                connections.For(endpoint),
                endpoint,
                new ModelFaults(server, new KeyMask(new ModelServerSettings())),
                (_, _) => { },
                TimeProvider.System
            ),
            disposeHandler: false
        );

        var fault = await Assert.ThrowsAsync<FaultException>(() =>
            client.GetAsync(endpoint.BaseUrl, TestContext.Current.CancellationToken)
        );

        Assert.Equal((FaultCodes.ModelUnavailable, false), (fault.Code, fault.IsTransient));
        Assert.Contains("are not allowed to access private networks", fault.Message, StringComparison.Ordinal);
    }

    private static (ModelEndpoint? Endpoint, IReadOnlyList<ModelFault> Faults) Resolve(ModelServer server, string? baseUrl) =>
        new EndpointResolver(server, Settings).Resolve(
            new ModelSpec
            {
                Provider = server.Name,
                Model = "m",
                BaseUrl = baseUrl,
            }
        );
}
