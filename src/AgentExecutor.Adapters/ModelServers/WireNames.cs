using System.Security.Cryptography;
using System.Text;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>
/// Converts ids and names of a conversation's tool calls to a form that every API accepts. They may come from another provider, or be
/// invented by a model.
/// </summary>
internal static class WireNames
{
    private const int MaxIdLength = 40,
        MaxNameLength = 64,
        ShortIdLength = 9;
    private const string LettersAndDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    public static string Id(string id) => id.Length is > 0 and <= MaxIdLength && id.All(IsPlain) ? id : ShortId(id);

    /// <summary>Returns a new id that every server accepts: nine letters and digits.</summary>
    public static string NewId() => RandomNumberGenerator.GetString(LettersAndDigits, ShortIdLength);

    /// <summary>Derives such an id from another id. The same id always gives the same result.</summary>
    public static string ShortId(string id)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(id));
        return string.Create(
            ShortIdLength,
            hash,
            static (characters, bytes) =>
            {
                for (var i = 0; i < characters.Length; i++)
                {
                    characters[i] = LettersAndDigits[BitConverter.ToUInt16(bytes, 2 * i) % LettersAndDigits.Length];
                }
            }
        );
    }

    public static bool IsShortId(string id) => id.Length == ShortIdLength && id.All(char.IsAsciiLetterOrDigit);

    public static string Name(string name)
    {
        var plain = string.Concat(name.Take(MaxNameLength).Select(character => IsPlain(character) ? character : '_'));
        return plain.Length > 0 ? plain : "unnamed";
    }

    private static bool IsPlain(char character) => char.IsAsciiLetterOrDigit(character) || character is '_' or '-';
}
