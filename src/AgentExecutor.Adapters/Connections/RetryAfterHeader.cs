using System.Globalization;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace AgentExecutor.Adapters.Connections;

/// <summary>Reads the delay that a server asks for.</summary>
internal static partial class RetryAfterHeader
{
    private static readonly TimeSpan Max = TimeSpan.FromDays(1);

    public static TimeSpan? Read(HttpResponseHeaders headers, DateTimeOffset now)
    {
        var wait =
            Milliseconds(headers) ?? headers.RetryAfter?.Delta ?? (headers.RetryAfter?.Date - now) ?? Fraction(headers) ?? Reset(headers);
        return wait is not { } given ? null
            : given < TimeSpan.Zero ? TimeSpan.Zero
            : given > Max ? Max
            : given;
    }

    private static TimeSpan? Milliseconds(HttpResponseHeaders headers) =>
        Number(headers, "retry-after-ms") is { } milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : null;

    /// <summary>Reads a fractional number of seconds, which does not conform to the standard but is sent by some servers.</summary>
    private static TimeSpan? Fraction(HttpResponseHeaders headers) =>
        Number(headers, "retry-after") is { } seconds ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>Reads the time at which the exceeded limit is reset, such as <c>6m0.5s</c>.</summary>
    private static TimeSpan? Reset(HttpResponseHeaders headers)
    {
        var requests = Span(Text(headers, "x-ratelimit-reset-requests"));
        return Text(headers, "x-ratelimit-remaining-requests") == "0" && requests is not null
            ? requests
            : Span(Text(headers, "x-ratelimit-reset-tokens")) ?? requests;
    }

    private static TimeSpan? Span(string? text)
    {
        if (text is null || Whole().Match(text) is not { Success: true, Length: > 0 })
        {
            return null;
        }
        var span = TimeSpan.Zero;
        foreach (Match part in Part().Matches(text))
        {
            var number = double.Parse(part.Groups["number"].ValueSpan, CultureInfo.InvariantCulture);
            span += part.Groups["unit"].Value switch
            {
                "h" => TimeSpan.FromHours(number),
                "m" => TimeSpan.FromMinutes(number),
                "s" => TimeSpan.FromSeconds(number),
                _ => TimeSpan.FromMilliseconds(number),
            };
        }
        return span;
    }

    private static double? Number(HttpResponseHeaders headers, string name) =>
        double.TryParse(Text(headers, name), NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number is >= 0 and < 1e9
            ? number
            : null;

    private static string? Text(HttpResponseHeaders headers, string name) =>
        headers.TryGetValues(name, out var values) ? values.FirstOrDefault()?.Trim() : null;

    [GeneratedRegex(@"^(\d{1,6}(\.\d{1,9})?(ms|h|m|s))+$", RegexOptions.ExplicitCapture)]
    private static partial Regex Whole();

    [GeneratedRegex(@"(?<number>\d+(\.\d+)?)(?<unit>ms|h|m|s)", RegexOptions.ExplicitCapture)]
    private static partial Regex Part();
}
