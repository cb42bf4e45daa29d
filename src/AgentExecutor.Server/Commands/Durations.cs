using System.CommandLine.Parsing;
using System.Globalization;

namespace AgentExecutor.Server.Commands;

/// <summary>Parses durations such as <c>90s</c>, <c>15m</c>, <c>2h</c>, <c>30d</c>.</summary>
internal static class Durations
{
    public static TimeSpan? Parse(ArgumentResult argument)
    {
        var text = argument.Tokens[0].Value;
        if (
            text.Length > 1
            && double.TryParse(text[..^1], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            && number < 1_000_000
        )
        {
            switch (text[^1])
            {
                case 's':
                    return TimeSpan.FromSeconds(number);
                case 'm':
                    return TimeSpan.FromMinutes(number);
                case 'h':
                    return TimeSpan.FromHours(number);
                case 'd':
                    return TimeSpan.FromDays(number);
            }
        }
        var name = (argument.Parent as OptionResult)?.Option.Name ?? argument.Argument.Name;
        argument.AddError($"{name} takes a duration such as 90s, 15m, 2h or 30d, not '{text}'");
        return null;
    }
}
