using System.Text.RegularExpressions;
using AgentExecutor.Server.Settings;

namespace AgentExecutor.Tests.Settings;

/// <summary>All faults of the settings are reported together, with the name of the variable that the operator set.</summary>
public sealed partial class SettingsFaultsTests
{
    [Fact]
    public void All_faults_are_reported_together()
    {
        var text = FaultsOf(
            ("AGENT_EXECUTOR_WORKER_SLOT", "5"),
            ("PORT", "eighty"),
            ("OPENAI_API_KEY_FILE", "/no/such/key"),
            ("NATS_URL", "nats.example:4222"),
            ("REDIS_URL", "cache"),
            ("DATABASE_URL", "ada:secret@db.example/agents"),
            ("NATS_CREDS", "/no/such.creds"),
            ("ROLES", "executor,jnaitor"),
            ("LOG_LEVEL", "LOUD"),
            ("POSTGRES_SCHEMA", "Agents"),
            ("POSTGRES_PORT", "99999"),
            ("AGENT_EXECUTOR_BUS_DUPLICATE_MINUTES", "9000"),
            ("AGENT_EXECUTOR_GRACE_SECONDS", "NaN"),
            ("LLM_MODEL_NAME", "opnai:gpt-6")
        );

        Assert.All(
            [
                "AGENT_EXECUTOR_WORKER_SLOT is not a setting",
                "PORT: 'eighty'",
                "OPENAI_API_KEY_FILE:",
                "NATS_URL:",
                "REDIS_URL:",
                "DATABASE_URL:",
                "NATS_CREDS:",
                "ROLES:",
                "LOG_LEVEL:",
                "POSTGRES_SCHEMA:",
                "POSTGRES_PORT:",
                "AGENT_EXECUTOR_BUS_DUPLICATE_MINUTES:",
                "AGENT_EXECUTOR_GRACE_SECONDS:",
                "LLM_MODEL_NAME:",
            ],
            start => Assert.Single(text, fault => fault.StartsWith(start, StringComparison.Ordinal))
        );
        Assert.Equal(14, text.Count);
        Assert.DoesNotContain(text, fault => fault.Contains("secret", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("NATS_URL", "nats.example:4222", "host 'nats.example' and port 4222", "nats://nats.example:4222")]
    [InlineData("NATS_URL", "nats.example", "host 'nats.example' and port 4222", "nats://nats.example:4222")]
    [InlineData("NATS_URL", "nats://a:1,user:secret@b:2", "host 'b' and port 2", "nats://USER:PASSWORD@b:2")]
    [InlineData("NATS_URL", "localhost", "host 'localhost' and port 4222", "nats://localhost:4222")]
    [InlineData("REDIS_URL", "cache", "host 'cache' and port 6379", "redis://cache:6379")]
    [InlineData("REDIS_URL", "cache:7/2", "host 'cache' and port 7", "redis://cache:7/2")]
    [InlineData("DATABASE_URL", "localhost:5433/agents", "host 'localhost' and port 5433", "postgres://localhost:5433/agents")]
    [InlineData("DATABASE_URL", "ada:secret@db/agents", "host 'db' and port 5432", "postgres://USER:PASSWORD@db:5432/agents")]
    [InlineData("AGENT_EXECUTOR_POSTGRES_URL", "db", "host 'db' and port 5432", "postgres://db:5432")]
    [InlineData("OLLAMA_BASE_URL", "gpu:11434/v1", "host 'gpu' and port 11434", "http://gpu:11434/v1")]
    public void The_fault_of_a_URL_without_a_scheme_says_how_to_write_it(string variable, string value, string read, string written)
    {
        var fault = Assert.Single(FaultsOf((variable, value)));

        Assert.StartsWith($"{variable}:", fault, StringComparison.Ordinal);
        Assert.Contains("no scheme", fault, StringComparison.Ordinal);
        Assert.Contains(read, fault, StringComparison.Ordinal);
        Assert.Contains(written, fault, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("DATABASE_URL", "Host=db;Password=secret")]
    [InlineData("DATABASE_URL", "host=db password=secret")]
    [InlineData("DATABASE_URL", "mysql://ada:secret@db")]
    [InlineData("REDIS_URL", "http://ada:secret@cache")]
    [InlineData("NATS_URL", "http://ada:secret@nats")]
    [InlineData("OPENAI_BASE_URL", "ftp://ada:secret@x")]
    [InlineData("POSTGRES_HOST", "postgres://ada:secret@db")]
    [InlineData("DRAGONFLY_HOST", "redis://:secret@cache")]
    [InlineData("DRAGONFLY_PORT", "0")]
    [InlineData("DRAGONFLY_PORT", "65536")]
    [InlineData("PORT", "-1")]
    [InlineData("PORT", "65536")]
    [InlineData("AGENT_EXECUTOR_POSTGRES_SSL_MODE", "maybe")]
    [InlineData("AGENT_EXECUTOR_POSTGRES_SSL_ROOT_CERT", "/no/such.pem")]
    [InlineData("AGENT_EXECUTOR_POSTGRES_CONNECT_TIMEOUT_SECONDS", "1e12")]
    [InlineData("AGENT_EXECUTOR_NATS_TLS_CA", "/no/such.pem")]
    [InlineData("AGENT_EXECUTOR_REDIS_TLS_CA", "/no/such.pem")]
    [InlineData("AGENT_EXECUTOR_NATS_NKEY_SEED", "SUsecret")]
    [InlineData("AGENT_EXECUTOR_NATS_PASSWORD", "secret")]
    [InlineData("NATS_STREAM_NAME", "a.b")]
    [InlineData("NATS_CONSUMER_GROUP", "a b")]
    [InlineData("AGENT_EXECUTOR_NATS_REPLICAS", "9")]
    [InlineData("AGENT_EXECUTOR_STREAM_STATE", "7")]
    [InlineData("AGENT_EXECUTOR_STREAM_STATE", "updates,values")]
    [InlineData("AGENT_EXECUTOR_WORKER_POLL_SECONDS", "Infinity")]
    [InlineData("AGENT_EXECUTOR_WORKER_POLL_SECONDS", "1e300")]
    [InlineData("AGENT_EXECUTOR_LIMITS_MAX_SUPERSTEPS", "0")]
    [InlineData("AGENT_EXECUTOR_LIMITS_MAX_TOKENS", "99999999999999999999")]
    [InlineData("AGENT_EXECUTOR_MODELS_FIRST_DELAY_SECONDS", "30")]
    [InlineData("AGENT_EXECUTOR_PRICES_FILE", "/no/such.json")]
    [InlineData("AGENT_EXECUTOR_SKILLS_DIR", "/no/such")]
    [InlineData("AGENT_EXECUTOR_SYNC_EVERY_COMMIT", "perhaps")]
    [InlineData("agent_executor_data_dir", "x")]
    public void Each_kind_of_fault_is_reported_before_the_service_starts(string variable, string value)
    {
        var fault = Assert.Single(FaultsOf((variable, value)));

        Assert.StartsWith(variable, fault, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", fault, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("AGENT_EXECUTOR_DATA_DIRR", "AGENT_EXECUTOR_DATA_DIR")]
    [InlineData("AGENT_EXECUTOR_DATABASE_URL", "DATABASE_URL")]
    [InlineData("AGENT_EXECUTOR_DRAGONFLY_HOST", "DRAGONFLY_HOST")]
    [InlineData("AGENT_EXECUTOR_OPENAI_API_KEY", "OPENAI_API_KEY")]
    [InlineData("AGENT_EXECUTOR_NATS_SERVERS", "AGENT_EXECUTOR_NATS_URL")]
    [InlineData("AGENT_EXECUTOR_WORKER_LEASE", "AGENT_EXECUTOR_WORKER_LEASE_SECONDS")]
    public void The_fault_of_an_unknown_setting_suggests_similar_ones_and_names_the_documentation(string variable, string near)
    {
        var fault = Assert.Single(FaultsOf((variable, "x")));

        Assert.Contains($" {near}", fault, StringComparison.Ordinal);
        Assert.Contains("docs/configuration.md", fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_suggested_name_is_a_setting()
    {
        foreach (var (name, _, _) in SettingsReader.Leaves(typeof(ServerSettings), ""))
        {
            var fault = Assert.Single(FaultsOf(($"AGENT_EXECUTOR_{name}X", "x")));
            var guesses = fault[
                (fault.IndexOf("Did you mean", StringComparison.Ordinal) + 12)..fault.IndexOf('?', StringComparison.Ordinal)
            ]
                .Split([" or ", ", "], StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            Assert.All(
                guesses,
                guess =>
                    Assert.True(
                        SettingsReader.WellKnown.ContainsKey(guess)
                            || SettingsReader.AllNames().Contains(guess[SettingsReader.Prefix.Length..]),
                        $"{guess} is not a setting"
                    )
            );
        }
    }

    [Fact]
    public void No_text_of_the_program_names_an_unknown_variable()
    {
        var read = SettingsReader
            .WellKnown.Keys.Concat(SettingsReader.AllNames().Select(name => SettingsReader.Prefix + name))
            .Append(SettingsReader.Prefix)
            .ToHashSet();
        var named = Directory
            .EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Contains("/Settings/", StringComparison.Ordinal)) // that folder names settings without the prefix
            .SelectMany(file =>
                Literal()
                    .Matches(File.ReadAllText(file))
                    .SelectMany(literal => Variable().Matches(literal.Value))
                    .Select(variable => (File: Path.GetFileName(file), Name: variable.Value))
            );

        Assert.Empty(named.Where(it => !read.Contains(it.Name)).Distinct());
    }

    [Fact]
    public void A_fault_names_the_variable_that_was_set()
    {
        Assert.StartsWith(
            "AGENT_EXECUTOR_NATS_URL:",
            Assert.Single(FaultsOf(("AGENT_EXECUTOR_NATS_URL", "x"), ("NATS_URL", "nats://a"))),
            StringComparison.Ordinal
        );
        Assert.StartsWith("PORT:", Assert.Single(FaultsOf(("PORT", "x"))), StringComparison.Ordinal);
    }

    [Fact]
    public void Variables_that_kubernetes_injects_are_ignored()
    {
        var settings = SettingsReader.Read(
            Variables(
                ("AGENT_EXECUTOR_SERVICE_HOST", "10.0.0.1"),
                ("AGENT_EXECUTOR_SERVICE_PORT", "80"),
                ("AGENT_EXECUTOR_SERVICE_PORT_HTTP_API", "80"),
                ("AGENT_EXECUTOR_PORT", "tcp://10.0.0.1:80"),
                ("AGENT_EXECUTOR_PORT_80_TCP", "tcp://10.0.0.1:80"),
                ("AGENT_EXECUTOR_PORT_80_TCP_ADDR", "10.0.0.1"),
                ("AGENT_EXECUTOR_PORT_80_TCP_PORT", "80"),
                ("AGENT_EXECUTOR_PORT_80_TCP_PROTO", "tcp"),
                ("AGENT_EXECUTOR_WORKER_PORT", "udp://10.0.0.1:80"),
                ("POSTGRES_PORT", "tcp://10.0.0.2:5432"),
                ("DRAGONFLY_PORT", "tcp://10.0.0.3:6379"),
                ("NATS_PORT_4222_TCP", "tcp://10.0.0.4:4222")
            )
        );

        Assert.Equal((8080, 5432, 6379), (settings.Port, settings.Postgres.Port, settings.Redis.Port));
    }

    [Fact]
    public void A_secret_is_read_from_a_file()
    {
        using var directory = new TempDirectory();
        var file = Path.Combine(directory.Path, "key");
        File.WriteAllText(file, "sk-1\n");

        Assert.Equal("sk-1", SettingsReader.Read(Variables(("OPENAI_API_KEY_FILE", file))).ModelServers.OpenaiApiKey.Value);
        Assert.Equal("sk-1", SettingsReader.Read(Variables(("AGENT_EXECUTOR_POSTGRES_PASSWORD_FILE", file))).Postgres.Password.Value);
        Assert.StartsWith(
            "OPENAI_API_KEY_FILE:",
            Assert.Single(FaultsOf(("OPENAI_API_KEY_FILE", file), ("OPENAI_API_KEY", "sk-2"))),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_secret_file_that_is_empty_is_a_fault()
    {
        using var directory = new TempDirectory();
        var file = Path.Combine(directory.Path, "key");
        File.WriteAllText(file, "\n");

        Assert.StartsWith("OPENAI_API_KEY_FILE:", Assert.Single(FaultsOf(("OPENAI_API_KEY_FILE", file))), StringComparison.Ordinal);
    }

    [GeneratedRegex("\"(?:[^\"\\\\\n]|\\\\.)*\"")]
    private static partial Regex Literal();

    [GeneratedRegex(@"\b(?:AGENT_EXECUTOR|NATS|POSTGRES|REDIS|DRAGONFLY|OPENAI|ANTHROPIC|OLLAMA|LLM|DATABASE)_[A-Z0-9_]+\b")]
    private static partial Regex Variable();

    private static IReadOnlyList<string> FaultsOf(params (string Name, string Value)[] variables) =>
        Assert.Throws<SettingsException>(() => SettingsReader.Read(Variables(variables))).Faults;

    private static Dictionary<string, string> Variables(params (string Name, string Value)[] variables) =>
        variables.ToDictionary(it => it.Name, it => it.Value);
}
