using AgentExecutor.Server.Settings;

namespace AgentExecutor.Tests.Settings;

public sealed class SettingsFileTests : IDisposable
{
    private readonly TempDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_file_sets_values_of_each_type()
    {
        var settings = Read(
            """
            {
              "port": 9000, "grace_seconds": 2.5, "sync_every_commit": false, "unknown_outcome": "tell_model",
               "llm_model_name": "openai:gpt-5-mini",
              "worker": { "slots": 7 }, "model_servers": { "openai_api_key": "sk-1" }
            }
            """
        );

        Assert.Equal((9000, 2.5, false, 7), (settings.Port, settings.GraceSeconds, settings.SyncEveryCommit, settings.Worker.Slots));
        Assert.Equal(
            (Core.Sessions.UnknownOutcome.TellModel, "openai:gpt-5-mini", "sk-1"),
            (settings.UnknownOutcome, settings.LlmModelName, settings.ModelServers.OpenaiApiKey.Value)
        );
    }

    [Fact]
    public void A_variable_overrides_the_file_and_a_prefixed_variable_overrides_both()
    {
        const string json = """{ "port": 1, "log_level": "DEBUG", "roles": "janitor" }""";

        var settings = Read(json, ("PORT", "2"), ("AGENT_EXECUTOR_PORT", "3"), ("LOG_LEVEL", "ERROR"));

        Assert.Equal((3, "ERROR", "janitor"), (settings.Port, settings.LogLevel, settings.Roles));
    }

    [Fact]
    public void The_variable_that_names_the_file_is_used_if_the_command_line_names_none()
    {
        var (one, two) = (Write("one.json", """{ "port": 1 }"""), Write("two.json", """{ "port": 2 }"""));

        Assert.Equal(2, SettingsReader.Read(Variables((SettingsReader.FileVariable, two))).Port);
        Assert.Equal(1, SettingsReader.Read(Variables((SettingsReader.FileVariable, two)), one).Port);
    }

    [Fact]
    public void All_faults_of_the_file_and_of_the_environment_are_reported_together()
    {
        var path = Write(
            "faulty.json",
            """
            {
              "prot": 1, "port": "8080", "grace_seconds": true, "worker": { "slot": 3, "slots": 0, "lease_seconds": null }, "nats": [],
              "log_level": "LOUD", "postgres": { "password": { "secret": "hush" } }
            }
            """
        );

        var faults = Assert.Throws<SettingsException>(() => SettingsReader.Read(Variables(("ROLES", "cook")), path)).Faults;

        Assert.All(
            [
                $"{path}: prot is not a setting. Did you mean port?",
                $"{path}: port must be a number, not a string",
                $"{path}: grace_seconds must be a number, not true or false",
                $"{path}: worker.slot is not a setting. Did you mean worker.slots?",
                $"{path}: worker.slots: ",
                $"{path}: worker.lease_seconds must be a number, not null",
                $"{path}: nats must be an object, not an array",
                $"{path}: log_level: ",
                $"{path}: postgres.password must be a string, not an object",
                "ROLES: ",
            ],
            start => Assert.Single(faults, fault => fault.StartsWith(start, StringComparison.Ordinal))
        );
        Assert.Equal(10, faults.Count);
        Assert.DoesNotContain(faults, fault => fault.Contains("hush", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{ \"port\": ")]
    [InlineData("{ \"port\": 1, \"port\": 2 }")]
    [InlineData("{ \"openai_api_key\": thush }")]
    public void A_file_that_is_not_valid_is_a_fault(string json)
    {
        var path = Write("broken.json", json);

        var fault = Assert.Single(Assert.Throws<SettingsException>(() => SettingsReader.Read(Variables(), path)).Faults);

        Assert.StartsWith($"{path}: The file is not valid JSON", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("hush", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_reported_with_its_source_together_with_other_faults()
    {
        var path = Path.Combine(_directory.Path, "missing.json");

        var byOption = Assert.Throws<SettingsException>(() => SettingsReader.Read(Variables(("PORT", "many")), path)).Faults;
        var byVariable = Assert.Throws<SettingsException>(() => SettingsReader.Read(Variables((SettingsReader.FileVariable, path)))).Faults;

        Assert.Equal(2, byOption.Count);
        Assert.Contains(
            byOption,
            fault => fault.StartsWith($"--config: The settings file '{path}' cannot be read: ", StringComparison.Ordinal)
        );
        Assert.StartsWith(
            $"AGENT_EXECUTOR_CONFIG: The settings file '{path}' cannot be read: ",
            Assert.Single(byVariable),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Every_setting_can_be_set_in_a_file() =>
        Assert.Equal(
            SettingsReader.AllNames().Order(StringComparer.Ordinal),
            SettingsFile
                .Keys(typeof(ServerSettings), "")
                .Select(key => key.Replace('.', '_').ToUpperInvariant())
                .Order(StringComparer.Ordinal)
        );

    private ServerSettings Read(string json, params (string Name, string Value)[] variables) =>
        SettingsReader.Read(Variables(variables), Write("settings.json", json));

    private string Write(string name, string json)
    {
        var path = Path.Combine(_directory.Path, name);
        File.WriteAllText(path, json);
        return path;
    }

    private static Dictionary<string, string> Variables(params (string Name, string Value)[] variables) =>
        variables.ToDictionary(it => it.Name, it => it.Value, StringComparer.Ordinal);
}
