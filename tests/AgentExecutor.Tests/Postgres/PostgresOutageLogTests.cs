using System.Net.Sockets;
using AgentExecutor.Adapters.Postgres;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace AgentExecutor.Tests.Postgres;

public sealed class PostgresOutageLogTests
{
    private static readonly NpgsqlException Refused = new("Connection refused", new SocketException((int)SocketError.ConnectionRefused));

    private readonly FakeTime _time = new();
    private readonly Lines _lines = new();

    [Fact]
    public void An_outage_is_reported_once_however_many_calls_fail()
    {
        var log = new OutageLog(_time, _lines);

        log.Failed(Refused);
        log.Failed(Refused);
        _time.Advance(TimeSpan.FromSeconds(3));
        log.Failed(Refused);
        log.Succeeded();
        log.Succeeded();

        Assert.Equal([LogLevel.Warning, LogLevel.Information], _lines.Levels);
    }

    [Fact]
    public void Connections_that_the_outage_broke_are_not_reported_when_they_fail_later()
    {
        var log = new OutageLog(_time, _lines);
        log.Failed(Refused);
        log.Succeeded();
        _lines.Levels.Clear();

        for (var connection = 0; connection < 5; connection++)
        {
            _time.Advance(TimeSpan.FromSeconds(20));
            log.Failed(Refused);
            _time.Advance(TimeSpan.FromMilliseconds(100));
            log.Succeeded();
        }

        Assert.Empty(_lines.Levels);
    }

    [Fact]
    public void A_second_outage_is_reported_although_the_first_is_just_over()
    {
        var log = new OutageLog(_time, _lines);
        log.Failed(Refused);
        log.Succeeded();
        _lines.Levels.Clear();

        _time.Advance(TimeSpan.FromMilliseconds(500));
        log.Failed(Refused);
        _time.Advance(TimeSpan.FromSeconds(1));
        log.Failed(Refused);
        log.Succeeded();

        Assert.Equal([LogLevel.Warning, LogLevel.Information], _lines.Levels);
    }

    /// <summary>Keeps the levels of the log entries.</summary>
    private sealed class Lines : ILogger
    {
        public List<LogLevel> Levels { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Levels.Add(logLevel);
    }
}
