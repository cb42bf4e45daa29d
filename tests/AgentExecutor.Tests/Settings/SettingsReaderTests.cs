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
        var settings = SettingsReader.Read(new Dictionary<string, string>
        {
            ["AGENT_EXECUTOR_LIMITS_MAX_SUPERSTEPS"] = "7",
            ["AGENT_EXECUTOR_HTTP_TOOLS_ALLOW_PRIVATE_NETWORKS"] = "true",
            ["DATA_DIR"] = "/somewhere",
            ["PATH"] = "ignored",
        });

        Assert.Equal((7, true, "/somewhere"), (settings.Limits.MaxSupersteps, settings.HttpTools.AllowPrivateNetworks, settings.DataDir));
    }

    [Fact]
    public void The_prefixed_name_wins_over_the_well_known_one() => Assert.Equal("b", SettingsReader.Read(
        new Dictionary<string, string> { ["DATA_DIR"] = "a", ["AGENT_EXECUTOR_DATA_DIR"] = "b" }).DataDir);

    [Fact]
    public void Keys_of_model_servers_have_the_names_that_everyone_gives_them()
    {
        var settings = SettingsReader.Read(new Dictionary<string, string> { ["OPENAI_API_KEY"] = "a", ["ANTHROPIC_API_KEY"] = "b", ["OLLAMA_BASE_URL"] = "http://gpu:11434/v1" }).ModelServers;

        Assert.Equal(("a", "b", "http://gpu:11434/v1"), (settings.OpenaiApiKey.Value, settings.AnthropicApiKey.Value, settings.OllamaBaseUrl));
        Assert.DoesNotContain("= a", settings.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt-5-mini", "openai:gpt-5-mini")]
    [InlineData("claude-haiku-4-5", "anthropic:claude-haiku-4-5")]
    [InlineData("ft:gpt-4o:mine::1", "openai:ft:gpt-4o:mine::1")]
    [InlineData("ollama:llama3.2:3b", "ollama:llama3.2:3b")]
    public void The_default_model_may_be_named_without_its_provider(string name, string expected) =>
        Assert.Equal(expected, Server.App.EnvironmentOf(new ServerSettings { LlmModelName = name }).DefaultModel!.ToString());

    [Fact]
    public void All_faults_are_told_together_with_a_guess()
    {
        var fault = Assert.Throws<SettingsException>(() => SettingsReader.Read(new Dictionary<string, string>
        {
            ["AGENT_EXECUTOR_DATA_DIRR"] = "x",
            ["AGENT_EXECUTOR_GRACE_SECONDS"] = "soon",
        }));

        Assert.Contains("AGENT_EXECUTOR_DATA_DIRR is no setting (did you mean 'DATA_DIR'?)", fault.Message, StringComparison.Ordinal);
        Assert.Contains("AGENT_EXECUTOR_GRACE_SECONDS: 'soon' is no number", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_documentation_lists_every_setting()
    {
        var text = new StringBuilder(
            """
            # Configuration

            Made from the settings records. Each setting is an environment variable; a variable that begins with `AGENT_EXECUTOR_` and is not in this list stops the program. `--data-dir` and
            `--model` on the command line win.

            | variable | default | what it does |
            | --- | --- | --- |

            """);
        foreach (var (name, property, value) in SettingsReader.Leaves(typeof(ServerSettings), ""))
        {
            var also = SettingsReader.WellKnown.Where(it => it.Value == name).Select(it => $", `{it.Key}`");
            text.Append(System.Globalization.CultureInfo.InvariantCulture, $"| `{SettingsReader.Prefix}{name}`{string.Concat(also)} | {(value?.ToString() is { Length: > 0 } shown ? $"`{(value is Enum ? System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(shown) : shown)}`" : "")} | {Summary(property)} |\n");
        }
        GeneratedFile.AssertCurrent("docs/configuration.md", text.ToString());
    }

    private static string Summary(System.Reflection.PropertyInfo property)
    {
        var documentation = XDocument.Load(Path.ChangeExtension(property.DeclaringType!.Assembly.Location, ".xml"));
        var member = documentation.Descendants("member").Single(it => it.Attribute("name")!.Value == $"P:{property.DeclaringType.FullName}.{property.Name}");
        var text = string.Concat(member.Element("summary")!.Nodes().Select(node => node is XElement element ? $"`{element.Value}{element.Attribute("cref")?.Value}`" : node.ToString()));
        return Regex.Replace(text.Trim(), @"\s+", " ");
    }
}
