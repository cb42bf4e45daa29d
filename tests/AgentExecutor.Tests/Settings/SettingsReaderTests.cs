using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Tests.Settings;

public sealed class SettingsReaderTests
{
    [Fact]
    public void Settings_are_read_by_their_path_and_by_well_known_names()
    {
        var settings = SettingsReader.Read(
            new Dictionary<string, string>
            {
                ["AGENT_EXECUTOR_LIMITS_MAX_SUPERSTEPS"] = "7",
                ["AGENT_EXECUTOR_HTTP_TOOLS_ALLOW_PRIVATE_NETWORKS"] = "true",
                ["DATA_DIR"] = "/somewhere",
                ["PATH"] = "ignored",
            }
        );

        Assert.Equal((7, true, "/somewhere"), (settings.Limits.MaxSupersteps, settings.HttpTools.AllowPrivateNetworks, settings.DataDir));
    }

    [Fact]
    public void The_prefixed_name_overrides_the_well_known_one() =>
        Assert.Equal(
            "b",
            SettingsReader.Read(new Dictionary<string, string> { ["DATA_DIR"] = "a", ["AGENT_EXECUTOR_DATA_DIR"] = "b" }).DataDir
        );

    [Fact]
    public void Keys_of_model_servers_have_their_well_known_names()
    {
        var settings = SettingsReader
            .Read(
                new Dictionary<string, string>
                {
                    ["OPENAI_API_KEY"] = "a",
                    ["ANTHROPIC_API_KEY"] = "b",
                    ["OLLAMA_BASE_URL"] = "http://gpu:11434/v1",
                }
            )
            .ModelServers;

        Assert.Equal(
            ("a", "b", "http://gpu:11434/v1"),
            (settings.OpenaiApiKey.Value, settings.AnthropicApiKey.Value, settings.OllamaBaseUrl)
        );
        Assert.DoesNotContain("= a", settings.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt-5-mini", "openai:gpt-5-mini")]
    [InlineData("claude-haiku-4-5", "anthropic:claude-haiku-4-5")]
    [InlineData("ft:gpt-4o:mine::1", "openai:ft:gpt-4o:mine::1")]
    [InlineData("ollama:llama3.2:3b", "ollama:llama3.2:3b")]
    public void The_default_model_can_be_named_without_its_provider(string name, string expected) =>
        Assert.Equal(
            expected,
            Server.Composition.DefinitionEnvironments.Create(new ServerSettings { LlmModelName = name }).DefaultModel!.ToString()
        );

    [Fact]
    public void All_faults_are_reported_together_with_suggestions()
    {
        var fault = Assert.Throws<SettingsException>(() =>
            SettingsReader.Read(
                new Dictionary<string, string> { ["AGENT_EXECUTOR_DATA_DIRR"] = "x", ["AGENT_EXECUTOR_GRACE_SECONDS"] = "soon" }
            )
        );

        Assert.Contains(
            "AGENT_EXECUTOR_DATA_DIRR is not a setting. Did you mean AGENT_EXECUTOR_DATA_DIR",
            fault.Message,
            StringComparison.Ordinal
        );
        Assert.Contains("AGENT_EXECUTOR_GRACE_SECONDS: 'soon' is not a number", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_documentation_lists_every_setting()
    {
        var text = new StringBuilder(
            """
            # Configuration

            This document lists all settings of AgentExecutor, for operators. It is generated from the settings records in the source code.

            Each setting is an environment variable. An unknown variable that starts with `AGENT_EXECUTOR_` stops the program at
            start-up, and all invalid settings are reported together. If a setting has two variables, the one that starts with
            `AGENT_EXECUTOR_` takes precedence. The command line options `--data-dir`, `--model`, `--port` and `--roles` take
            precedence over their variables.

            Settings can also be read from a JSON file. The command line option `--config FILE`, or otherwise the variable
            `AGENT_EXECUTOR_CONFIG`, names the file. Environment variables take precedence over the file. The key of a setting is its
            name without `AGENT_EXECUTOR_` in lower case, and the settings of a section are in an object:

            ```json
            { "port": 9000, "log_level": "DEBUG", "worker": { "slots": 20 }, "postgres": { "host": "db.example" } }
            ```

            A value has the type of its setting: numbers, `true` and `false` are not quoted. An unknown or repeated key, a value of
            another type, and a file that is missing or is not valid JSON stop the program at start-up. The sections are
            SECTIONS.

            A secret (a key, a password, or a URL that can contain one) can also be read from a file: add `_FILE` to the name of the
            variable, and set it to the path of the file.

            Variables that Kubernetes injects for the services of a namespace are ignored, even if they look like settings:
            `*_SERVICE_HOST`, `*_SERVICE_PORT*`, `*_PORT_N_TCP*`, and `*_PORT` with a value such as `tcp://10.0.0.1:80`.

            ## OpenTelemetry

            The variables `OTEL_*` of the OpenTelemetry specification keep their names, and cannot be set in the settings file. Metrics
            and traces are exported over OTLP if `OTEL_EXPORTER_OTLP_ENDPOINT` is set, or its variant for one of them, such as
            `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`; see [Export over OTLP](metrics.md#export-over-otlp). An endpoint that is not an HTTP
            URL and a protocol other than `grpc` and `http/protobuf` stop the program at start-up, together with all other invalid
            settings. The headers of the exporter are secrets, so `OTEL_EXPORTER_OTLP_HEADERS_FILE` can name a file that contains them.

            ## All settings

            | variable | default | what it does |
            | --- | --- | --- |

            """.Replace("SECTIONS", Sections(), StringComparison.Ordinal)
        );
        foreach (var (name, property, value) in SettingsReader.Leaves(typeof(ServerSettings), ""))
        {
            var also = SettingsReader.WellKnown.Where(it => it.Value == name).Select(it => $", `{it.Key}`");
            var shown = value?.ToString() ?? "";
            shown = value is Enum ? System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(shown) : shown;
            shown = shown.Length > 0 ? $"`{shown}`" : "";
            text.Append(
                System.Globalization.CultureInfo.InvariantCulture,
                $"| `{SettingsReader.Prefix}{name}`{string.Concat(also)} | {shown} | {Summary(property)} |\n"
            );
        }
        GeneratedFile.AssertCurrent("docs/configuration.md", text.ToString());
    }

    /// <summary>The objects that a settings file may contain.</summary>
    private static string Sections()
    {
        var names = SettingsFile
            .Keys(typeof(ServerSettings), "")
            .Where(key => key.Contains('.', StringComparison.Ordinal))
            .Select(key => $"`{key[..key.LastIndexOf('.')]}`")
            .Distinct()
            .ToList();
        return $"{string.Join(", ", names[..^1])} and {names[^1]}";
    }

    private static string Summary(System.Reflection.PropertyInfo property)
    {
        var documentation = XDocument.Load(Path.ChangeExtension(property.DeclaringType!.Assembly.Location, ".xml"));
        var member = documentation
            .Descendants("member")
            .Single(it => it.Attribute("name")!.Value == $"P:{property.DeclaringType.FullName}.{property.Name}");
        var text = string.Concat(
            member
                .Element("summary")!
                .Nodes()
                .Select(node => node is XElement element ? $"`{element.Value}{element.Attribute("cref")?.Value}`" : node.ToString())
        );
        return Regex.Replace(text.Trim(), @"\s+", " ");
    }
}
