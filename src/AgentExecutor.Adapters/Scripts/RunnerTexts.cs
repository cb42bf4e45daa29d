using System.Reflection;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>The programs that run scripts, which are part of this assembly.</summary>
internal static class RunnerTexts
{
    private static readonly string[] ModuleNames =
    [
        "schemas",
        "models",
        "kinds",
        "tools",
        "standins",
        "results",
        "script",
        "injection",
        "process",
        "runner",
    ];

    private static readonly (string Name, string Text)[] Python =
    [
        .. ModuleNames.Select(name => ($"agent_executor_{name}", Read($"Python.{name}.py"))),
    ];

    /// <summary>The code that reads the other modules of the Python runner from standard input.</summary>
    public static string PythonStart { get; } = Read("Python.bootstrap.py");

    /// <summary>The code that compiles the modules of the Python runner.</summary>
    public static string PythonCompile { get; } = Read("Python.compile.py");

    public static string Node { get; } = Read("Node.runner.cjs");

    public static string NodeCheck { get; } = Read("Node.check.cjs");

    public static string Shell { get; } = Read("Shell.runner.sh");

    /// <summary>The modules of the Python runner, as a frame for <see cref="PythonCompile"/>.</summary>
    public static byte[] PythonModules { get; } =
        JsonBytes.Write(
            0,
            static (writer, _) =>
            {
                writer.WriteStartObject();
                WriteModules(writer);
                writer.WriteEndObject();
            }
        );

    /// <summary>Returns the first frame for the Python runner.</summary>
    /// <param name="script">The script.</param>
    /// <param name="inspects">True if the runner only says what the script defines.</param>
    /// <param name="settings">The limits.</param>
    /// <param name="code">The compiled modules of the runner; null if they are not compiled yet.</param>
    public static byte[] PythonFrame(ScriptSource script, bool inspects, ScriptToolSettings settings, JsonElement? code) =>
        JsonBytes.Write(
            (script, inspects, settings, code),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                WriteModules(writer);
                if (it.code is { } compiled)
                {
                    writer.WritePropertyName("code"u8);
                    compiled.WriteTo(writer);
                }
                writer.WriteString("script"u8, it.script.Text);
                writer.WriteString("name"u8, it.script.Tool);
                writer.WriteBoolean("inspects"u8, it.inspects);
                writer.WriteStartArray("dependencies"u8);
                foreach (var dependency in it.script.Dependencies)
                {
                    writer.WriteStringValue(dependency);
                }
                writer.WriteEndArray();
                writer.WriteStartObject("limits"u8);
                writer.WriteNumber("result_bytes"u8, it.settings.MaxResultBytes);
                writer.WriteNumber("log_bytes"u8, it.settings.MaxLogBytes);
                writer.WriteEndObject();
                writer.WriteEndObject();
            }
        );

    private static void WriteModules(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("modules"u8);
        foreach (var (name, text) in Python)
        {
            writer.WriteStartArray();
            writer.WriteStringValue(name);
            writer.WriteStringValue(text);
            writer.WriteEndArray();
        }
        writer.WriteEndArray();
    }

    private static string Read(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"{typeof(RunnerTexts).Namespace}.{name}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
