using System.Reflection;
using System.Text.Json;
using AgentExecutor.Core.Json;

namespace AgentExecutor.Adapters.Scripts;

/// <summary>The programs that run scripts, which are part of this assembly.</summary>
internal static class RunnerTexts
{
    private static readonly string[] PythonModules = ["schemas", "models", "tools", "results", "runner"];

    /// <summary>The code that reads the other modules of the Python runner from standard input.</summary>
    public static string PythonStart { get; } = Read("Python.bootstrap.py");

    public static string Node { get; } = Read("Node.runner.cjs");

    public static string NodeCheck { get; } = Read("Node.check.cjs");

    public static string Shell { get; } = Read("Shell.runner.sh");

    private static readonly (string Name, string Text)[] Python =
    [
        .. PythonModules.Select(name => ($"agent_executor_{name}", Read($"Python.{name}.py"))),
    ];

    /// <summary>Returns the first frame for the Python runner.</summary>
    /// <param name="script">The script.</param>
    /// <param name="inspects">True if the runner only says what the script defines.</param>
    /// <param name="settings">The limits.</param>
    public static byte[] PythonFrame(ScriptSource script, bool inspects, ScriptToolSettings settings) =>
        JsonBytes.Write(
            (script, inspects, settings),
            static (writer, it) =>
            {
                writer.WriteStartObject();
                WriteModules(writer);
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
