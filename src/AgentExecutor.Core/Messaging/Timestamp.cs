using System.Globalization;

namespace AgentExecutor.Core.Messaging;

/// <summary>Reads and writes times in the format of RFC 3339.</summary>
internal static class Timestamp
{
    private const int DateTimeLength = 19; // Like 2018-04-05T17:31:00

    /// <summary>Reads a time. Digits after the seventh of a fraction are dropped, and a leap second becomes the second after it.</summary>
    public static bool TryRead(string text, out DateTimeOffset time)
    {
        time = default;
        if (
            text.Length <= DateTimeLength
            || text[4] != '-'
            || text[7] != '-'
            || text[10] is not ('T' or 't')
            || text[13] != ':'
            || text[16] != ':'
            || !TryDigits(text, 0, 4, out var year)
            || !TryDigits(text, 5, 2, out var month)
            || !TryDigits(text, 8, 2, out var day)
            || !TryDigits(text, 11, 2, out var hour)
            || !TryDigits(text, 14, 2, out var minute)
            || !TryDigits(text, 17, 2, out var second)
            || !TryFraction(text, out var ticks, out var zone)
            || !TryZone(text.AsSpan(zone), out var offset)
            || year < 1
            || month is < 1 or > 12
            || day < 1
            || day > DateTime.DaysInMonth(year, month)
            || hour > 23
            || minute > 59
            || second > 60
        )
        {
            return false;
        }
        var local = new DateTime(year, month, day, hour, minute, 0).Ticks + (second * TimeSpan.TicksPerSecond) + ticks;
        var utc = local - offset.Ticks;
        if (
            utc < DateTime.MinValue.Ticks
            || utc > DateTime.MaxValue.Ticks
            || local < DateTime.MinValue.Ticks
            || local > DateTime.MaxValue.Ticks
        )
        {
            return false;
        }
        // .NET supports offsets of at most 14 hours. The instant is the same without the offset.
        time = offset.Duration() <= TimeSpan.FromHours(14) ? new DateTimeOffset(local, offset) : new DateTimeOffset(utc, TimeSpan.Zero);
        return true;
    }

    public static string Write(DateTimeOffset time) =>
        time.ToString(
            time.Offset == TimeSpan.Zero ? "yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'" : "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFzzz",
            CultureInfo.InvariantCulture
        );

    private static bool TryDigits(string text, int start, int length, out int value)
    {
        value = 0;
        for (var i = start; i < start + length; i++)
        {
            if (i >= text.Length || !char.IsAsciiDigit(text[i]))
            {
                return false;
            }
            value = (value * 10) + text[i] - '0';
        }
        return true;
    }

    private static bool TryFraction(string text, out long ticks, out int end)
    {
        (ticks, end) = (0, DateTimeLength);
        if (text[end] != '.')
        {
            return true;
        }
        var unit = TimeSpan.TicksPerSecond;
        for (end++; end < text.Length && char.IsAsciiDigit(text[end]); end++)
        {
            unit /= 10;
            ticks += unit * (text[end] - '0');
        }
        return end > DateTimeLength + 1;
    }

    private static bool TryZone(ReadOnlySpan<char> text, out TimeSpan offset)
    {
        offset = TimeSpan.Zero;
        if (text is "Z" or "z")
        {
            return true;
        }
        if (
            text.Length != 6
            || text[0] is not ('+' or '-')
            || text[3] != ':'
            || !TryDigits(text.ToString(), 1, 2, out var hours)
            || !TryDigits(text.ToString(), 4, 2, out var minutes)
            || hours > 23
            || minutes > 59
        )
        {
            return false;
        }
        offset = new TimeSpan(hours, minutes, 0) * (text[0] == '-' ? -1 : 1);
        return true;
    }
}
