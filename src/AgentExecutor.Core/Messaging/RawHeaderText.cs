using System.Text;
using System.Text.Unicode;

namespace AgentExecutor.Core.Messaging;

/// <summary>
/// Decodes the text of a header as received. Senders that do not percent-encode write UTF-8 or, like older HTTP clients, Latin-1. UTF-8 is
/// tried first, because Latin-1 text rarely forms valid UTF-8.
/// </summary>
public static class RawHeaderText
{
    public static string Read(ReadOnlySpan<byte> bytes) => (Utf8.IsValid(bytes) ? Encoding.UTF8 : Encoding.Latin1).GetString(bytes);

    /// <param name="latin">The bytes, each as the character with its number.</param>
    public static string Read(string latin) =>
        Ascii.IsValid(latin) || latin.AsSpan().ContainsAnyExceptInRange('\0', '\u00FF') ? latin : Read(Encoding.Latin1.GetBytes(latin));
}
