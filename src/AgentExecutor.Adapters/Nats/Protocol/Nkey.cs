using System.Buffers.Text;
using System.Text;

namespace AgentExecutor.Adapters.Nats.Protocol;

/// <summary>An Ed25519 key in the form of NATS: base 32 of a prefix that says whose it is, the key, and a checksum. It signs the nonce of a connect.</summary>
internal sealed class Nkey
{
    public const byte User = 20 << 3;

    private const byte SeedPrefix = 18 << 3;
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    private readonly byte[] _seed;

    public Nkey(byte[] seed, byte kind)
    {
        _seed = seed;
        PublicKey = Encode([kind], Ed25519.PublicKey(seed));
    }

    public string PublicKey { get; }

    /// <exception cref="NatsException"><see cref="NatsFault.InvalidSettings"/>, without the seed.</exception>
    public static Nkey FromSeed(string text)
    {
        var bytes = Decode(text.Trim());
        if (bytes is not { Length: 36 } || (bytes[0] & 0xF8) != SeedPrefix || Checksum(bytes.AsSpan(0, 34)) != (bytes[34] | (bytes[35] << 8)))
        {
            throw new NatsException(NatsFault.InvalidSettings, "the nkey seed of NATS is not valid: it begins with SU and has 58 characters");
        }
        return new Nkey(bytes[2..34], (byte)(((bytes[0] & 0b111) << 5) | (bytes[1] >> 3)));
    }

    public byte[] Sign(ReadOnlySpan<byte> data) => Ed25519.Sign(_seed, data);

    public string SignNonce(string nonce) => Base64Url.EncodeToString(Sign(Encoding.UTF8.GetBytes(nonce)));

    /// <summary>The seed as it stands in files.</summary>
    public string ToSeed() => Encode([(byte)(SeedPrefix | (Decode(PublicKey)![0] >> 5)), (byte)((Decode(PublicKey)![0] & 0b11111) << 3)], _seed);

    private static string Encode(ReadOnlySpan<byte> prefix, ReadOnlySpan<byte> key)
    {
        byte[] body = [.. prefix, .. key];
        var checksum = Checksum(body);
        var text = new StringBuilder();
        var (bits, count) = (0, 0);
        foreach (var value in (byte[])[.. body, (byte)checksum, (byte)(checksum >> 8)])
        {
            (bits, count) = (((bits << 8) | value) & 0xFFFF, count + 8);
            for (; count >= 5; count -= 5)
            {
                text.Append(Alphabet[(bits >> (count - 5)) & 31]);
            }
        }
        return count == 0 ? text.ToString() : text.Append(Alphabet[(bits << (5 - count)) & 31]).ToString();
    }

    private static byte[]? Decode(string text)
    {
        var bytes = new List<byte>(text.Length);
        var (bits, count) = (0, 0);
        foreach (var letter in text)
        {
            if (Alphabet.IndexOf(letter, StringComparison.Ordinal) is not (>= 0 and var value))
            {
                return null;
            }
            (bits, count) = (((bits << 5) | value) & 0xFFF, count + 5);
            if (count >= 8)
            {
                count -= 8;
                bytes.Add((byte)(bits >> count));
            }
        }
        return [.. bytes];
    }

    /// <summary>CRC-16/XMODEM.</summary>
    private static ushort Checksum(ReadOnlySpan<byte> data)
    {
        ushort crc = 0;
        foreach (var value in data)
        {
            crc ^= (ushort)(value << 8);
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (ushort)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
            }
        }
        return crc;
    }
}
