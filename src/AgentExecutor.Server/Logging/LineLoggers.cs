using System.Globalization;
using System.Text;
using System.Text.Json;
using AgentExecutor.Core;
using AgentExecutor.Core.Json;
using Microsoft.Extensions.Logging;

namespace AgentExecutor.Server.Logging;

/// <summary>Writes each log entry as one line: a JSON object for the service, or plain text for commands.</summary>
public sealed class LineLoggers(TextWriter output, LogLevel minimum, bool isJson, TimeProvider time) : ILoggerFactory
{
    private static readonly Dictionary<string, LogLevel> Levels = new(StringComparer.OrdinalIgnoreCase)
    {
        ["TRACE"] = LogLevel.Trace,
        ["DEBUG"] = LogLevel.Debug,
        ["INFO"] = LogLevel.Information,
        ["WARNING"] = LogLevel.Warning,
        ["WARN"] = LogLevel.Warning,
        ["ERROR"] = LogLevel.Error,
    };

    private readonly Lock _gate = new();

    /// <summary>For commands: writes warnings and errors to standard error as plain text.</summary>
    public static LineLoggers ForCommands { get; } = new(Console.Error, LogLevel.Warning, isJson: false, TimeProvider.System);

    /// <exception cref="FaultException">There is no such level.</exception>
    public static LogLevel Level(string name) =>
        Levels.TryGetValue(name, out var level)
            ? level
            : throw new FaultException("invalid_settings", $"LOG_LEVEL: '{name}' is not a log level", "use DEBUG, INFO, WARNING or ERROR");

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName, MinimumOf(categoryName));

    /// <summary>
    /// The framework logs several lines for each request, so only its warnings and errors are written. Entries of the host are not written,
    /// because its exceptions end the program and are reported at that point. Entries of health checks are not written either, because they
    /// would repeat at each request for <c>/ready</c>.
    /// </summary>
    private LogLevel MinimumOf(string category) =>
        category.StartsWith("Microsoft.Extensions.Hosting", StringComparison.Ordinal)
        || category.StartsWith("Microsoft.Extensions.Diagnostics.HealthChecks", StringComparison.Ordinal)
            ? LogLevel.None
        : category.StartsWith("Microsoft.", StringComparison.Ordinal) && minimum < LogLevel.Warning ? LogLevel.Warning
        : minimum;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("log entries are only written to one output");

    public void Dispose()
    {
        // the caller owns the output
    }

    private void Write(string line)
    {
        lock (_gate)
        {
            output.WriteLine(line);
        }
    }

    private sealed class Logger(LineLoggers owner, string category, LogLevel minimum) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= minimum && logLevel != LogLevel.None;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        )
        {
            if (IsEnabled(logLevel))
            {
                var message = formatter(state, exception);
                owner.Write(owner.IsJson ? Json(logLevel, eventId, state, message, exception) : Plain(logLevel, message, exception));
            }
        }

        private static string Plain(LogLevel level, string message, Exception? exception)
        {
            var line = new StringBuilder(
                level >= LogLevel.Error ? "error: "
                : level == LogLevel.Warning ? "warning: "
                : ""
            ).Append(message);
            return (exception is null ? line : line.Append(": ").Append(exception.Message)).ToString();
        }

        private string Json(LogLevel level, EventId id, object? state, string message, Exception? exception) =>
            JsonBytes.WriteText(
                (owner.Time.GetUtcNow(), level, id, category, state, message, exception),
                static (writer, it) =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("ts"u8, it.Item1);
                    writer.WriteString("level"u8, NameOf(it.level));
                    writer.WriteString("logger"u8, it.category[(it.category.LastIndexOf('.') + 1)..]);
                    writer.WriteNumber("event_id"u8, it.id.Id);
                    writer.WriteString("message"u8, it.message);
                    foreach (var (name, value) in it.state as IEnumerable<KeyValuePair<string, object?>> ?? [])
                    {
                        if (name != "{OriginalFormat}")
                        {
                            WriteField(writer, name, value);
                        }
                    }
                    if (it.exception is { } exception)
                    {
                        writer.WriteString("error"u8, exception.ToString());
                    }
                    writer.WriteEndObject();
                }
            );

        private static void WriteField(Utf8JsonWriter writer, string name, object? value)
        {
            switch (value)
            {
                case int or long:
                    writer.WriteNumber(name, Convert.ToInt64(value, CultureInfo.InvariantCulture));
                    break;
                case double number when double.IsFinite(number):
                    writer.WriteNumber(name, number);
                    break;
                default:
                    writer.WriteString(name, Convert.ToString(value, CultureInfo.InvariantCulture));
                    break;
            }
        }

        private static string NameOf(LogLevel level) =>
            level switch
            {
                LogLevel.Trace => "TRACE",
                LogLevel.Debug => "DEBUG",
                LogLevel.Information => "INFO",
                LogLevel.Warning => "WARNING",
                _ => "ERROR",
            };
    }

    private bool IsJson { get; } = isJson;

    private TimeProvider Time { get; } = time;
}
