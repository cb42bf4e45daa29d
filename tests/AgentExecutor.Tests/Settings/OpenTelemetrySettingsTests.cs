using AgentExecutor.Server.Settings;

namespace AgentExecutor.Tests.Settings;

public sealed class OpenTelemetrySettingsTests
{
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";

    [Fact]
    public void Faults_of_all_variables_are_reported_with_those_of_other_settings_and_without_the_value_of_an_endpoint()
    {
        var faults = Assert
            .Throws<SettingsException>(() =>
                Read(
                    (Endpoint, "ada:hush@collector:4317"),
                    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"),
                    ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "ftp://collector"),
                    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
                    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "thrift"),
                    ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http"),
                    ("OTEL_EXPORTER_OTLP_HEADERS_FILE", "/no/such/file"),
                    ("PORT", "many")
                )
            )
            .Faults;

        Assert.All(
            [
                $"{Endpoint}: The value is not an HTTP URL.",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ",
                "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: ",
                "OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' is not a protocol of OTLP.",
                "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: ",
                "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: ",
                "OTEL_EXPORTER_OTLP_HEADERS_FILE: ",
                "PORT: ",
            ],
            start => Assert.Single(faults, fault => fault.StartsWith(start, StringComparison.Ordinal))
        );
        Assert.Equal(8, faults.Count);
        Assert.DoesNotContain(faults, fault => fault.Contains("hush", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("", false, false)]
    [InlineData($"{Endpoint}=http://c:4317", true, true)]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://c:4317", true, false)]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://c:4317", false, true)]
    [InlineData($"{Endpoint}=http://c:4317 OTEL_TRACES_EXPORTER=none", true, false)]
    [InlineData($"{Endpoint}=http://c:4317 OTEL_METRICS_EXPORTER=none OTEL_TRACES_EXPORTER=otlp", false, true)]
    [InlineData($"{Endpoint}=http://c:4317 OTEL_SDK_DISABLED=True", false, false)]
    [InlineData($"{Endpoint}=http://c:4317 OTEL_SDK_DISABLED=false", true, true)]
    public void A_signal_is_exported_if_an_endpoint_is_set_and_nothing_disables_it(string variables, bool metrics, bool traces)
    {
        var settings = Read([
            .. variables.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(it => it.Split('=')).Select(it => (it[0], it[1])),
        ]);

        Assert.Equal((metrics, traces), (settings.ExportsMetrics, settings.ExportsTraces));
    }

    [Fact]
    public void Headers_are_read_from_a_file_and_are_secrets()
    {
        using var directory = new TempDirectory();
        var file = directory.File("headers");
        File.WriteAllText(file, "x-key=hush,x-other=quiet\n");

        var settings = Read((Endpoint, "http://c:4317"), ("OTEL_EXPORTER_OTLP_HEADERS_FILE", file));

        Assert.Equal(["hush", "quiet"], settings.Secrets());
        Assert.Contains(KeyValuePair.Create("OTEL_EXPORTER_OTLP_HEADERS", (string?)"x-key=hush,x-other=quiet"), settings.Variables());
    }

    private static OpenTelemetrySettings Read(params (string Name, string Value)[] variables) =>
        SettingsReader.Read(variables.ToDictionary(it => it.Name, it => it.Value, StringComparer.Ordinal)).OpenTelemetry;
}
