using System.Security.Cryptography;
using System.Text;

namespace AgentExecutor.Adapters.ModelServers;

/// <summary>Ids and names of a conversation's tool calls in the form that every wire takes: they may come from another provider, or be a model's invention.</summary>
internal static class WireNames
{
    private const int LongestId = 40, LongestName = 64;

    public static string Id(string id) => id.Length is > 0 and <= LongestId && id.All(IsPlain)
        ? id : $"call_{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(id)).AsSpan(0, 12))}";

    public static string Name(string name)
    {
        var plain = string.Concat(name.Take(LongestName).Select(character => IsPlain(character) ? character : '_'));
        return plain.Length > 0 ? plain : "unnamed";
    }

    private static bool IsPlain(char character) => char.IsAsciiLetterOrDigit(character) || character is '_' or '-';
}
