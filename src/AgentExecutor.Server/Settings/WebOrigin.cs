namespace AgentExecutor.Server.Settings;

/// <summary>Reads the origins of web pages, such as <c>https://app.example.com</c>.</summary>
internal static class WebOrigin
{
    /// <summary>The item of <c>CORS_ORIGINS</c> that allows all origins.</summary>
    public const string Any = "*";

    /// <summary>Returns an item of <c>CORS_ORIGINS</c> as browsers send it, or null if the text is not an origin.</summary>
    public static string? Parse(string text) =>
        text is Any or "null" ? text
        : Uri.TryCreate(text, UriKind.Absolute, out var uri)
        && uri.Host.Length > 0
        && uri.PathAndQuery is "/" or ""
        && uri.UserInfo.Length == 0
        && uri.Fragment.Length == 0
            ? Normalize(text)
        : null;

    /// <summary>Removes a slash at the end, and the default port of the scheme. Browsers send neither.</summary>
    public static string Normalize(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https"
            ? uri.GetLeftPart(UriPartial.Authority)
            : origin.TrimEnd('/');

    /// <summary>Returns the URL of <c>PUBLIC_URL</c>, or null if the text is not the URL of a web server.</summary>
    public static Uri? ParseUrl(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0 ? uri : null;
}
