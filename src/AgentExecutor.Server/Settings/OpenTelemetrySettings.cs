using System.Collections.Frozen;
using AgentExecutor.Core;

namespace AgentExecutor.Server.Settings;

/// <summary>
/// The variables <c>OTEL_*</c> of the OpenTelemetry specification, which the OpenTelemetry SDK reads under their own names. Metrics and
/// traces are exported over OTLP if an endpoint is set.
/// </summary>
public sealed record OpenTelemetrySettings
{
    public const string Prefix = "OTEL_";

    private const string Disabled = "OTEL_SDK_DISABLED";
    private const string Endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT";
    private const string Protocol = "OTEL_EXPORTER_OTLP_PROTOCOL";

    private static readonly string[] HeaderNames =
    [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    ];

    private FrozenDictionary<string, string> _variables = FrozenDictionary<string, string>.Empty;
    private FrozenDictionary<string, Secret> _headers = FrozenDictionary<string, Secret>.Empty;

    public bool ExportsMetrics => Exports("METRICS");

    public bool ExportsTraces => Exports("TRACES");

    /// <summary>
    /// The variables that hold request headers, which usually carry a key: each may come from a file, like every other secret.
    /// </summary>
    public static IReadOnlyList<string> SecretNames => HeaderNames;

    /// <param name="variables">All environment variables. Those without the prefix are ignored.</param>
    /// <param name="headers">The values of <see cref="SecretNames"/>.</param>
    public OpenTelemetrySettings With(IReadOnlyDictionary<string, string> variables, IReadOnlyDictionary<string, Secret> headers) =>
        this with
        {
            _variables = variables
                .Where(it =>
                    it.Key.StartsWith(Prefix, StringComparison.Ordinal)
                    && it.Value.Length > 0
                    && !it.Key.Contains("_HEADERS", StringComparison.Ordinal)
                )
                .ToFrozenDictionary(StringComparer.Ordinal),
            _headers = headers.ToFrozenDictionary(StringComparer.Ordinal),
        };

    /// <summary>
    /// The variables for the SDK. OTEL_SDK_DISABLED is not among them, because it would also disable <c>GET /metrics</c>. In this program
    /// it only disables the export.
    /// </summary>
    public IEnumerable<KeyValuePair<string, string?>> Variables() =>
        _variables
            .Where(static it => it.Key != Disabled)
            .Select(static it => KeyValuePair.Create(it.Key, (string?)it.Value))
            .Concat(_headers.Select(static it => KeyValuePair.Create(it.Key, it.Value.Value)));

    /// <summary>The values of the headers, which must not be written anywhere.</summary>
    public IEnumerable<string> Secrets() =>
        _headers
            .Values.Where(static it => it.IsSet)
            .SelectMany(static it => it.Value!.Split(','))
            .Select(static it => it[(it.IndexOf('=', StringComparison.Ordinal) + 1)..].Trim())
            .Where(static it => it.Length > 0);

    /// <summary>Returns the invalid variables that the SDK would silently ignore.</summary>
    public IEnumerable<SettingFault> Faults()
    {
        foreach (var (name, value) in _variables.OrderBy(static it => it.Key, StringComparer.Ordinal))
        {
            if (IsOf(name, Endpoint) && !(Uri.TryCreate(value, UriKind.Absolute, out var url) && url.Scheme is "http" or "https"))
            {
                yield return new SettingFault(
                    name,
                    "The value is not an HTTP URL. Use the address of a collector, such as http://collector:4317."
                );
            }
            if (IsOf(name, Protocol) && value is not ("grpc" or "http/protobuf"))
            {
                yield return new SettingFault(name, $"'{value}' is not a protocol of OTLP. Use grpc or http/protobuf.");
            }
        }
    }

    private static bool IsOf(string name, string general) =>
        name == general
        || name == general.Replace("OTLP_", "OTLP_METRICS_", StringComparison.Ordinal)
        || name == general.Replace("OTLP_", "OTLP_TRACES_", StringComparison.Ordinal);

    private bool Exports(string signal) =>
        !Is(Disabled, "true")
        && (_variables.ContainsKey(Endpoint) || _variables.ContainsKey($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"))
        && (
            !_variables.TryGetValue($"OTEL_{signal}_EXPORTER", out var exporters)
            || exporters.Split(',').Any(static it => it.Trim() == "otlp")
        );

    private bool Is(string name, string value) =>
        _variables.TryGetValue(name, out var found) && found.Equals(value, StringComparison.OrdinalIgnoreCase);
}
